// Opens SMART Health Links as a program of others does: a line of JSON in, a line of JSON out for each.
// In: { link, passcode, recipient, embeddedLengthMax, server }. The server of a test stands at an address of its own.

import { createInterface } from "node:readline";
import { SHLViewer } from "kill-the-clipboard";

for await (const line of createInterface({ input: process.stdin })) {
  const { link, server, ...asked } = JSON.parse(line);
  const fetchThere = (url, options) => fetch(server + new URL(url).pathname, options);
  try {
    const viewer = new SHLViewer({ shlinkURI: link, fetch: fetchThere });
    const { flag, label, requiresPasscode } = viewer.shl;
    const found = await viewer.resolveSHL(asked);
    console.log(JSON.stringify({ flag, label, requiresPasscode, resources: found.fhirResources }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.constructor.name, message: error.message }));
  }
}
