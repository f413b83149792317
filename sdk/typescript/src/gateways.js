/** Calls of a gateway: of one of several, with pauses that grow while none answers. */

import { GatewayError, GatewayUnreachable } from "./errors.js";

export const API = "/api/v1/flex";
export const DEFAULT_URL = "http://127.0.0.1:8080";
const FIRST_PAUSE_SECONDS = 0.1;
const LONGEST_PAUSE_SECONDS = 5;
const ANSWER_SECONDS = 30;
const PASSING = new Set([408, 425, 429, 502, 503, 504]);

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
export function pauseSeconds(failures) {
  const longest = Math.min(FIRST_PAUSE_SECONDS * 2 ** Math.min(failures, 10), LONGEST_PAUSE_SECONDS);
  return longest * (0.5 + Math.random() / 2);
}

/**
 * Wait. Rejects with the reason of `signal` as soon as that is aborted.
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/**
 * Whether the same call may succeed a little later.
 * @param {unknown} error
 * @returns {boolean}
 */
export function isPassing(error) {
  return error instanceof GatewayUnreachable || (error instanceof GatewayError && PASSING.has(error.status));
}

/** One installation. What one gateway cannot answer now is asked of the next. */
export class Gateways {
  #urls;
  #turn = 0;
  #headers;

  /**
   * @param {string | readonly string[]} url
   * @param {string} [token]
   */
  constructor(url, token) {
    const given = typeof url === "string" ? url.split(",") : [...url];
    this.#urls = given.map((each) => each.trim().replace(/\/+$/, "")).filter((each) => each !== "");
    if (this.#urls.length === 0) throw new RangeError(`name at least one gateway, such as ${DEFAULT_URL}`);
    for (const each of this.#urls) {
      if (!/^https?:\/\//.test(each) || !URL.canParse(each)) throw new RangeError(`${each} is no http:// address`);
    }
    /** @type {Record<string, string>} */
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  /** The gateway that is asked now. */
  get url() {
    return /** @type {string} */ (this.#urls[this.#turn % this.#urls.length]);
  }

  /**
   * Ask another one than `url` from now on.
   * @param {string} url
   */
  leave(url) {
    if (this.url === url) this.#turn += 1;
  }

  /**
   * POST once; see `call`.
   * @param {string} path
   * @param {unknown} body
   * @param {CallOptions} [options]
   */
  post(path, body, options) {
    return this.call("POST", path, body, options);
  }

  /**
   * Call once; the JSON of the answer. A `body` that is a string is JSON already.
   * Throws GatewayError, GatewayUnreachable, and the reason of `signal`.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async call(method, path, body, { headers = {}, seconds = ANSWER_SECONDS, signal } = {}) {
    const url = this.url;
    const cut = new AbortController();
    const timer = setTimeout(() => cut.abort(new Error(`no answer within ${seconds} s`)), seconds * 1000);
    try {
      const answer = await this.open(url + path, { method, body, headers, cut, signal });
      if (answer.ok) return await answer.json();
      const problem = await problemOf(answer);
      if (PASSING.has(answer.status)) this.leave(url);
      throw new GatewayError(answer.status, problem);
    } catch (error) {
      if (error instanceof GatewayError || signal?.aborted) throw error;
      this.leave(url);
      throw new GatewayUnreachable(`${url} does not answer: ${reasonOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Send a request; the answer as soon as it begins. From then on `signal` has no say: what a gateway has begun to
   * hand out is taken. `cut` ends the request and the reading of its answer.
   * @param {string} address
   * @param {{method?: string, body?: unknown, headers?: Record<string, string>, cut: AbortController,
   *   signal?: AbortSignal | undefined}} request
   */
  async open(address, { method = "GET", body, headers = {}, cut, signal }) {
    const end = () => cut.abort(signal?.reason);
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end, { once: true });
    try {
      return await fetch(address, {
        method,
        body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
        headers: { ...this.#headers, ...headers },
        redirect: "manual",
        signal: cut.signal,
      });
    } finally {
      signal?.removeEventListener("abort", end);
    }
  }

  /**
   * Call until a gateway takes it, for `giveUpSeconds` at most. Throws what the last call has thrown.
   * @param {string} method
   * @param {string} path
   * @param {unknown} body
   * @param {CallOptions & {giveUpSeconds: number}} options
   */
  async callPatiently(method, path, body, { giveUpSeconds, ...options }) {
    const giveUpAt = performance.now() + giveUpSeconds * 1000;
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.call(method, path, body, options);
      } catch (error) {
        if (!isPassing(error) || performance.now() >= giveUpAt) throw error;
      }
      await pause(pauseSeconds(failures), options.signal);
    }
  }
}

/**
 * The problem document of an answer; {} where it is none.
 * @param {Response} answer
 */
export async function problemOf(answer) {
  const text = await answer.text();
  try {
    const found = JSON.parse(text);
    return typeof found === "object" && found !== null ? found : {};
  } catch {
    return {};
  }
}

/**
 * What an error says, without its name.
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * What a failed fetch has to say: "fetch failed" itself tells nothing.
 * @param {unknown} error
 * @returns {string}
 */
export function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  const { cause } = /** @type {{cause?: {code?: string, message?: string}}} */ (error);
  return cause?.code || cause?.message || error.message;
}
