// Reads {schema, document} lines, writes {valid, errors} lines: what Ajv says, all errors.
const Ajv7 = require("ajv").default
const Ajv2019 = require("ajv/dist/2019").default
const Ajv2020 = require("ajv/dist/2020").default
const addFormats = require("ajv-formats").default
const options = { allErrors: true, strict: false, logger: false }
const made = new Map()
function ajvFor(schema) {
  const dialect = (schema && schema.$schema) || ""
  const Ajv = dialect.includes("draft-07") ? Ajv7 : dialect.includes("2019") ? Ajv2019 : Ajv2020
  if (!made.has(Ajv)) made.set(Ajv, addFormats(new Ajv(options)))
  return made.get(Ajv)
}
const out = []
for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
  if (!line) continue
  const { schema, document } = JSON.parse(line)
  const ajv = ajvFor(schema)
  try {
    const validate = ajv.compile(schema)
    const valid = validate(document)
    out.push({ valid, errors: validate.errors || [] })
  } catch (error) {
    out.push({ refused: String(error.message) })
  }
}
process.stdout.write(out.map((each) => JSON.stringify(each) + "\n").join(""))
