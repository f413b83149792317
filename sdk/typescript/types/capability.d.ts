/**
 * Make a capability of a function. Throws CapabilityMistake for what cannot be one.
 * @template [Input=any]
 * @template [Output=any]
 * @param {CapabilityOptions<Input, Output>} options
 * @returns {Capability}
 */
export function capability<Input = any, Output = any>(options: CapabilityOptions<Input, Output>): Capability;
/**
 * The capabilities in what an author has given: one, several, or a module with some among its exports.
 * @param {unknown} given
 * @returns {Capability[]}
 */
export function capabilitiesIn(given: unknown): Capability[];
/** What `capability` makes: the function, its descriptor, and the facets that it describes, in wire form. */
export class Capability {
    /** @param {CapabilityOptions} options */
    constructor(options: CapabilityOptions);
    run: (input: any, context: Context) => any;
    id: string;
    version: string;
    /** @type {FacetInput[] | undefined} */
    facetsIn: FacetInput[] | undefined;
    facetsOut: string[];
    /** @type {CapabilityDescriptor} */
    descriptor: CapabilityDescriptor;
    /** @type {FacetBody[]} */
    facets: FacetBody[];
    /**
     * What the function is called with. Throws CapabilityError where the bundle does not have what is needed.
     * @param {Bundle} bundle
     */
    inputOf(bundle: Bundle): Record<string, any>;
    /**
     * The JSON text of what the function has returned. Throws CapabilityError for what JSON cannot hold.
     * @param {unknown} result
     * @returns {string}
     */
    outputOf(result: unknown): string;
    #private;
}
/**
 * The words of a descriptor that a capability of this SDK may say; its home is the worker.
 */
export type Described = Partial<Pick<CapabilityDescriptor, "version" | "label" | "description" | "kind" | "agentType" | "inputSchema" | "outputSchema" | "cost" | "limits" | "timeoutSeconds" | "heartbeatSeconds" | "idempotent" | "tags" | "metadata">>;
/**
 * With `facetsIn` the function gets an object with those facets, else it gets the inputs of the run. With one facet in
 * `facetsOut` it returns that facet, with several an object keyed by facet. `facets` describes those that are its own:
 * a JSON Schema for each name.
 */
export type CapabilityOptions<Input = any, Output = any> = Described & {
    id: string;
    facetsIn?: string | readonly (string | FacetInput)[];
    facetsOut?: string | readonly string[];
    facets?: Record<string, Record<string, any>>;
    run: (input: Input, context: Context) => Output | Promise<Output>;
};
import type { Context } from "./context.js";
import type { FacetInput } from "../types/wire.js";
import type { CapabilityDescriptor } from "../types/wire.js";
import type { FacetBody } from "../types/wire.js";
import type { Bundle } from "./answers.js";
