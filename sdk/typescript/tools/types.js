/**
 * Writes types/: what crosses the wire, from docs/schemas, and the declarations of src/. It checks the types of src/
 * on the way. With --check it writes nothing, and fails where types/ is not what it would write.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";
import ts from "typescript";

const HOME = dirname(dirname(fileURLToPath(import.meta.url)));
const TYPES = join(HOME, "types");
const SCHEMAS = join(HOME, "..", "..", "docs", "schemas");
const INTERNAL = new Set(["work-message.json"]);
const BANNER = "// Made from docs/schemas by `npm run build`; not to be edited.\n\n";

/** Every schema under its title, beside the definitions that they share. */
function definitions() {
  const found = {};
  for (const name of readdirSync(SCHEMAS).sort()) {
    if (!name.endsWith(".json") || INTERNAL.has(name)) continue;
    const { $defs = {}, $schema, ...schema } = JSON.parse(readFileSync(join(SCHEMAS, name), "utf8"));
    Object.assign(found, $defs, { [schema.title ?? titleOf(name)]: schema });
  }
  return { ...found, ...events(found.FlexEvent) };
}

/** `OutputContract` for `output-contract.json`. */
function titleOf(name) {
  return name.replace(".json", "").replace(/(^|-)(.)/g, (_, dash, letter) => letter.toUpperCase());
}

/** One event for each type, with its payload: where the schema has a rule, a program wants a union. */
function events({ allOf, properties, title, description, ...event }) {
  const found = {};
  for (const rule of allOf) {
    const { payload } = rule.then.properties;
    const name = payload.$ref.replace(/.*\//, "").replace("Payload", "Event");
    const own = { type: { const: rule.if.properties.type.const }, payload };
    found[name] = { ...event, properties: { ...properties, ...own } };
  }
  const anyOf = Object.keys(found).map((name) => ({ $ref: `#/$defs/${name}` }));
  return { ...found, [title]: { description, anyOf } };
}

async function wire() {
  const root = { title: "Root", type: "object", additionalProperties: false, $defs: definitions() };
  const options = { bannerComment: "", unreachableDefinitions: true, unknownAny: false, ignoreMinAndMaxItems: true };
  const text = await compile(root, "Root", { ...options, style: { printWidth: 120 } });
  const written = text
    .replace("export interface Root {}\n", "")
    .replaceAll(/^ *\* This interface was referenced by .*\n *\* via the .*\n/gm, "")
    .replaceAll(/^ *\/\*\*\n *\*\/\n/gm, "")
    .replaceAll(/^( *\*)\n( *\*\/)$/gm, "$2");
  return BANNER + written.trimStart();
}

/** What tsc would write, by path; ends the process where a type is wrong. */
function declarations() {
  const config = ts.getParsedCommandLineOfConfigFile(join(HOME, "tsconfig.json"), {}, { ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (problem) => end([problem]) });
  const program = ts.createProgram(config.fileNames, config.options);
  const problems = ts.getPreEmitDiagnostics(program);
  if (problems.length > 0) end(problems);
  const written = new Map();
  program.emit(undefined, (path, text) => written.set(path, text));
  return written;
}

function end(problems) {
  console.error(ts.formatDiagnostics(problems, { getCanonicalFileName: (name) => name, getNewLine: () => "\n",
    getCurrentDirectory: () => HOME }));
  process.exit(1);
}

function differs(path, text) {
  try {
    return readFileSync(path, "utf8") !== text;
  } catch {
    return true;
  }
}

const checks = process.argv.includes("--check");
const wirePath = join(TYPES, "wire.d.ts");
const wireText = await wire();
const stale = differs(wirePath, wireText) ? [wirePath] : [];
if (!checks) {
  mkdirSync(TYPES, { recursive: true });
  writeFileSync(wirePath, wireText);
}
const emitted = declarations();
for (const [path, text] of emitted) {
  if (differs(path, text)) stale.push(path);
  if (!checks) writeFileSync(path, text);
}
const known = new Set([wirePath, ...emitted.keys()]);
for (const name of readdirSync(TYPES)) if (!known.has(join(TYPES, name))) stale.push(join(TYPES, name));
if (checks && stale.length > 0) {
  console.error(`these are not what \`npm run build\` in sdk/typescript writes:\n${stale.join("\n")}`);
  process.exit(1);
}
