/**
 * @typedef {object} CallOptions
 * @property {Record<string, string>} [headers]
 * @property {number} [seconds] how long the whole answer may take
 * @property {AbortSignal} [signal] ends the call as long as no answer has begun
 */
/**
 * The pause after so many failures in a row: it doubles, and no two callers pause alike.
 * @param {number} failures
 */
export function pauseSeconds(failures: number): number;
/**
 * Wait. Rejects with the reason of `signal` as soon as that is aborted.
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(seconds: number, signal?: AbortSignal): Promise<void>;
/**
 * Whether the same call may succeed a little later.
 * @param {unknown} error
 * @returns {boolean}
 */
export function isPassing(error: unknown): boolean;
/**
 * The problem document of an answer; {} where it is none.
 * @param {Response} answer
 */
export function problemOf(answer: Response): Promise<any>;
/**
 * What an error says, without its name.
 * @param {unknown} error
 */
export function messageOf(error: unknown): string;
/**
 * What a failed fetch has to say: "fetch failed" itself tells nothing.
 * @param {unknown} error
 * @returns {string}
 */
export function reasonOf(error: unknown): string;
export const API: "/api/v1/flex";
export const DEFAULT_URL: "http://127.0.0.1:8080";
/** One installation. What one gateway cannot answer now is asked of the next. */
export class Gateways {
    /**
     * @param {string | readonly string[]} url
     * @param {string} [token]
     */
    constructor(url: string | readonly string[], token?: string);
    /** The gateway that is asked now. */
    get url(): string;
    /**
     * Ask another one than `url` from now on.
     * @param {string} url
     */
    leave(url: string): void;
    /**
     * POST once; see `call`.
     * @param {string} path
     * @param {unknown} body
     * @param {CallOptions} [options]
     */
    post(path: string, body: unknown, options?: CallOptions): Promise<any>;
    /**
     * Call once; the JSON of the answer. A `body` that is a string is JSON already.
     * Throws GatewayError, GatewayUnreachable, and the reason of `signal`.
     * @param {string} method
     * @param {string} path
     * @param {unknown} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<any>}
     */
    call(method: string, path: string, body?: unknown, { headers, seconds, signal }?: CallOptions): Promise<any>;
    /**
     * Send a request; the answer as soon as it begins. From then on `signal` has no say: what a gateway has begun to
     * hand out is taken. `cut` ends the request and the reading of its answer.
     * @param {string} address
     * @param {{method?: string, body?: unknown, headers?: Record<string, string>, cut: AbortController,
     *   signal?: AbortSignal | undefined}} request
     */
    open(address: string, { method, body, headers, cut, signal }: {
        method?: string;
        body?: unknown;
        headers?: Record<string, string>;
        cut: AbortController;
        signal?: AbortSignal | undefined;
    }): Promise<Response>;
    /**
     * Call until a gateway takes it, for `giveUpSeconds` at most. Throws what the last call has thrown.
     * @param {string} method
     * @param {string} path
     * @param {unknown} body
     * @param {CallOptions & {giveUpSeconds: number}} options
     */
    callPatiently(method: string, path: string, body: unknown, { giveUpSeconds, ...options }: CallOptions & {
        giveUpSeconds: number;
    }): Promise<any>;
    #private;
}
export type CallOptions = {
    headers?: Record<string, string>;
    /**
     * how long the whole answer may take
     */
    seconds?: number;
    /**
     * ends the call as long as no answer has begun
     */
    signal?: AbortSignal;
};
