/** A capability: a function, and the descriptor that it registers with. */

import { CapabilityError, CapabilityMistake } from "./errors.js";

/** @import {CapabilityDescriptor, FacetBody, FacetInput} from "../types/wire.js" */
/** @import {Bundle} from "./answers.js" */
/** @import {Context} from "./context.js" */

/**
 * The words of a descriptor that a capability of this SDK may say; its home is the worker.
 * @typedef {Partial<Pick<CapabilityDescriptor, "version" | "label" | "description" | "kind" | "agentType" | "inputSchema"
 *   | "outputSchema" | "cost" | "limits" | "timeoutSeconds" | "heartbeatSeconds" | "idempotent" | "tags" | "metadata">>
 * } Described
 */

/**
 * With `facetsIn` the function gets an object with those facets, else it gets the inputs of the run. With one facet in
 * `facetsOut` it returns that facet, with several an object keyed by facet. `facets` describes those that are its own:
 * a JSON Schema for each name.
 * @template [Input=any]
 * @template [Output=any]
 * @typedef {Described & {
 *   id: string,
 *   facetsIn?: string | readonly (string | FacetInput)[],
 *   facetsOut?: string | readonly string[],
 *   facets?: Record<string, Record<string, any>>,
 *   run: (input: Input, context: Context) => Output | Promise<Output>,
 * }} CapabilityOptions
 */

const MARK = Symbol.for("flexrun.capability");
const WORDS = new Set([
  "id", "version", "label", "description", "kind", "agentType", "facetsIn", "facetsOut", "facets", "inputSchema",
  "outputSchema", "cost", "limits", "timeoutSeconds", "heartbeatSeconds", "idempotent", "tags", "metadata", "run",
]);

/** What `capability` makes: the function, its descriptor, and the facets that it describes, in wire form. */
export class Capability {
  /** @param {CapabilityOptions} options */
  constructor(options) {
    check(options);
    const { facets = {}, facetsIn, facetsOut, run, ...words } = options;
    this.run = run;
    this.id = options.id;
    this.version = options.version ?? "1.0.0";
    /** @type {FacetInput[] | undefined} */
    this.facetsIn = facetsIn === undefined ? undefined : listed(facetsIn).map(facetInput);
    this.facetsOut = facetsOut === undefined ? [] : listed(facetsOut);
    /** @type {CapabilityDescriptor} */
    this.descriptor = {
      label: labelOf(options.id),
      agentType: "service",
      ...words,
      version: this.version,
      ...(this.facetsIn && { facetsIn: this.facetsIn }),
      ...(this.facetsOut.length > 0 && { facetsOut: this.facetsOut }),
      home: { type: "worker" },
    };
    /** @type {FacetBody[]} */
    this.facets = Object.entries(facets).map(([name, schema]) => facetBody(name, this.version, schema));
    Object.defineProperty(this, MARK, { value: true });
  }

  /**
   * What the function is called with. Throws CapabilityError where the bundle does not have what is needed.
   * @param {Bundle} bundle
   */
  inputOf(bundle) {
    if (this.facetsIn === undefined) return bundle.inputs ?? {};
    /** @type {Record<string, any>} */
    const input = {};
    for (const { name, required = true, many = false } of this.facetsIn) {
      const given = bundle.facets ?? {};
      if (Object.hasOwn(given, name)) {
        input[name] = many && !Array.isArray(given[name]) ? [given[name]] : given[name];
      } else if (required) {
        const message = `The bundle has no facet "${name}", which ${this.id} needs.`;
        throw new CapabilityError("facet_missing", message, { retryable: false });
      }
    }
    return input;
  }

  /**
   * The JSON text of what the function has returned. Throws CapabilityError for what JSON cannot hold.
   * @param {unknown} result
   * @returns {string}
   */
  outputOf(result) {
    let text;
    try {
      text = JSON.stringify(result, refuseNumbers);
    } catch (error) {
      const message = `What ${this.id} returned cannot be written as JSON: ${/** @type {Error} */ (error).message}`;
      throw new CapabilityError("output_not_json", message);
    }
    if (text === undefined) {
      const message = `${this.id} returned ${typeof result}, which is nothing that JSON has. null is an output, too.`;
      throw new CapabilityError("output_not_json", message);
    }
    if (this.facetsOut.length > 1) this.#checkFacets(result);
    return text;
  }

  /** @param {unknown} result */
  #checkFacets(result) {
    const members = typeof result === "object" && result !== null ? result : {};
    const missing = this.facetsOut.filter((name) => !Object.hasOwn(members, name));
    if (missing.length > 0) {
      const message = `${this.id} gives several facets, as an object keyed by facet; it left out ${missing.join(", ")}.`;
      throw new CapabilityError("output_invalid", message);
    }
  }
}

/**
 * Make a capability of a function. Throws CapabilityMistake for what cannot be one.
 * @template [Input=any]
 * @template [Output=any]
 * @param {CapabilityOptions<Input, Output>} options
 * @returns {Capability}
 */
export function capability(options) {
  return new Capability(options);
}

/**
 * The capabilities in what an author has given: one, several, or a module with some among its exports.
 * @param {unknown} given
 * @returns {Capability[]}
 */
export function capabilitiesIn(given) {
  if (isCapability(given)) return [given];
  if (typeof given === "object" && given !== null) {
    if (Symbol.iterator in given) return [.../** @type {Iterable<unknown>} */ (given)].flatMap(capabilitiesIn);
    if (/** @type {any} */ (given)[Symbol.toStringTag] === "Module") {
      return [...new Set(Object.values(given).filter(isCapability))];
    }
  }
  throw new CapabilityMistake(`${String(given)} is no capability: make one of it with capability({id, run, …})`);
}

/**
 * @param {any} value
 * @returns {value is Capability}
 */
function isCapability(value) {
  return typeof value === "object" && value !== null && value[MARK] === true;
}

/** @param {CapabilityOptions} options */
function check(options) {
  if (typeof options?.id !== "string" || options.id === "") throw new CapabilityMistake("a capability needs an id");
  const wrong = (/** @type {string} */ what) => new CapabilityMistake(`${options.id} cannot be a capability: ${what}`);
  if (typeof options.run !== "function") throw wrong("run must be the function that does the work");
  for (const word of Object.keys(options)) {
    if (!WORDS.has(word)) throw wrong(`there is no ${word}; there are ${[...WORDS].join(", ")}`);
  }
  const names = new Set([
    ...listed(options.facetsOut ?? []),
    ...listed(options.facetsIn ?? []).map((each) => facetInput(each).name),
  ]);
  for (const name of Object.keys(options.facets ?? {})) {
    if (!names.has(name)) throw wrong(`facets describes ${name}, which is neither in facetsIn nor in facetsOut`);
  }
}

/**
 * @template T
 * @param {string | T | readonly T[]} given
 * @returns {(string | T)[]}
 */
function listed(given) {
  return Array.isArray(given) ? [...given] : [/** @type {string | T} */ (given)];
}

/**
 * @param {string | FacetInput} given
 * @returns {FacetInput}
 */
function facetInput(given) {
  return typeof given === "string" ? { name: given } : given;
}

/**
 * @param {string} name
 * @param {string} version
 * @param {Record<string, any>} schema
 * @returns {FacetBody}
 */
function facetBody(name, version, schema) {
  return { name, version, description: schema["description"] || `The facet ${name}.`, schema };
}

/** @param {string} id */
function labelOf(id) {
  const last = (id.split(".").at(-1) || id).replaceAll(/[_-]+/g, " ");
  return last.charAt(0).toUpperCase() + last.slice(1);
}

/**
 * JSON.stringify writes NaN and the infinities as null, which would hide a mistake.
 * @param {string} key
 * @param {unknown} value
 */
function refuseNumbers(key, value) {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${key || "it"} is ${value}`);
  return value;
}
