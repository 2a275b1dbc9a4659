// Proofs (c2sp.org/tlog-proof) as JSON texts, one a line, on standard input, after a line with the log's public keys; for
// each a line: null when Sigstore's verifier takes it, otherwise what it says.
import { createPublicKey } from 'node:crypto';
import { createInterface } from 'node:readline';
import { verifyCheckpoint } from '@sigstore/verify/dist/timestamp/checkpoint.js';
import { verifyMerkleInclusion } from '@sigstore/verify/dist/timestamp/merkle.js';

const ED25519_DER = Buffer.from('302a300506032b6570032100', 'hex');

function readKey(line) {
  const [name, id, encoded] = line.split('+', 2).concat(line.split('+').slice(2).join('+'));
  const der = Buffer.concat([ED25519_DER, Buffer.from(encoded, 'base64').subarray(1)]);
  return {
    baseURL: name,
    logID: Buffer.from(id, 'hex'),
    publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }),
    validFor: { start: new Date(0), end: new Date(8.64e15) },
  };
}

function readEntry(proof) {
  const cut = proof.indexOf('\n\n');
  const [, extra, index, ...hashes] = proof.slice(0, cut).split('\n');
  const envelope = proof.slice(cut + 2);
  const [, treeSize, root] = envelope.split('\n');
  return {
    integratedTime: '1',
    canonicalizedBody: Buffer.from(extra.split(' ')[1], 'base64'),
    inclusionProof: {
      logIndex: index.split(' ')[1],
      treeSize,
      rootHash: Buffer.from(root, 'base64'),
      hashes: hashes.map((hash) => Buffer.from(hash, 'base64')),
      checkpoint: { envelope },
    },
  };
}

let keys;
for await (const line of createInterface({ input: process.stdin })) {
  if (keys === undefined) {
    keys = JSON.parse(line).map(readKey);
    continue;
  }
  try {
    const entry = readEntry(JSON.parse(line));
    verifyCheckpoint(entry, keys);
    verifyMerkleInclusion(entry);
    console.log('null');
  } catch (error) {
    console.log(JSON.stringify(error.message));
  }
}
