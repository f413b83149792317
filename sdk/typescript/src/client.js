/** A client of flexrun: submit a run, follow it without missing a frame, decide what it asks, end it. */

import { randomUUID } from "node:crypto";
import { GatewayError, GatewayUnreachable, RunNotCompleted } from "./errors.js";
import { API, DEFAULT_URL, Gateways, isPassing, pause, pauseSeconds, problemOf, reasonOf } from "./gateways.js";
import { SseParser } from "./sse.js";

/** @import {HitlResponse, TaskEnvelope} from "../types/wire.js" */
/** @import {Frame, PendingRequest, DecisionOutcome, RunControlled, RunDetail} from "./answers.js" */

/**
 * @typedef {object} StreamOptions
 * @property {number} [after] the id of the last frame that is known
 * @property {boolean} [deltas] show partial output, too: frames `node_delta`, which have no id
 * @property {AbortSignal} [signal] ends the stream with its reason
 */

/**
 * @typedef {object} DecisionOptions
 * @property {string} [requestId] needed where the run asks more than one thing
 * @property {string} [note]
 */

/** Four missed comments of a quiet stream: the connection is taken for dead, and made again. */
const SILENCE_SECONDS = 60;
const PATIENCE_SECONDS = 60;
const NO_CONTENT = 204;

/** Calls to a gateway, or to several of the same installation. There is nothing to close. */
export class Client {
  #gateways;
  #patienceSeconds;

  /**
   * @param {string | readonly string[]} [url]
   * @param {{token?: string, patienceSeconds?: number}} [options] `patienceSeconds`: how long a call is tried again
   *   while no gateway answers
   */
  constructor(url = DEFAULT_URL, { token, patienceSeconds = PATIENCE_SECONDS } = {}) {
    this.#gateways = new Gateways(url, token);
    this.#patienceSeconds = patienceSeconds;
  }

  /**
   * Start a run; its id. It is one run, however often the call has to be repeated.
   * @param {TaskEnvelope} envelope
   * @param {{idempotencyKey?: string}} [options]
   * @returns {Promise<string>}
   */
  async submit(envelope, { idempotencyKey = randomUUID() } = {}) {
    const headers = { "Idempotency-Key": idempotencyKey };
    return (await this.#call("POST", `${API}/runs`, envelope, headers)).runId;
  }

  /**
   * The frames after `after`, each once and in order, up to `complete`; through restarts of gateways.
   * @param {string} runId
   * @param {StreamOptions} [options]
   * @returns {AsyncGenerator<Frame, void, undefined>}
   */
  async *stream(runId, { after = 0, deltas = false, signal } = {}) {
    const query = deltas ? "?deltas=true" : "";
    const path = `${API}/runs/${encodeURIComponent(runId)}/events${query}`;
    let cursor = after;
    for (let fruitless = 0; ; fruitless += 1) {
      try {
        for await (const frame of this.#streamOnce(path, cursor, signal)) {
          if (frame === NOTHING_FOLLOWS) return;
          fruitless = 0;
          if ("id" in frame) cursor = Number(frame.id);
          yield frame;
          if (frame.type === "complete") return;
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (!isPassing(error)) throw error;
      }
      await pause(pauseSeconds(fruitless), signal);
    }
  }

  /**
   * The output of the run, as soon as it is complete. Throws RunNotCompleted.
   * @param {string} runId
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<any>}
   */
  async result(runId, options) {
    for await (const frame of this.stream(runId, options)) {
      if (frame.type !== "complete") continue;
      const { status, output, error, erased } = frame.payload;
      if (erased !== undefined) throw new RunNotCompleted(runId, "erased", erased);
      if (status !== "completed") throw new RunNotCompleted(runId, status, error ?? {});
      return output;
    }
    throw new RunNotCompleted(runId, "unknown", {});
  }

  /**
   * The run as it is now: status, nodes, open requests, usage.
   * @param {string} runId
   * @returns {Promise<RunDetail>}
   */
  show(runId) {
    return this.#call("GET", `${API}/runs/${encodeURIComponent(runId)}`);
  }

  /**
   * What waits for people: in one run, or in all.
   * @param {string} [runId]
   * @returns {Promise<PendingRequest[]>}
   */
  async requests(runId) {
    const query = runId === undefined ? "" : `?runId=${encodeURIComponent(runId)}`;
    return (await this.#call("GET", `/api/hitl/pending${query}`)).requests;
  }

  /**
   * Say yes to what the run asks.
   * @param {string} runId
   * @param {DecisionOptions} [options]
   */
  approve(runId, options) {
    return this.respond(runId, { approved: true }, options);
  }

  /**
   * Say no.
   * @param {string} runId
   * @param {DecisionOptions} [options]
   */
  reject(runId, options) {
    return this.respond(runId, { approved: false }, options);
  }

  /**
   * Put `output` (a plan, where a plan is asked about) in the place of what is shown, and approve it so.
   * @param {string} runId
   * @param {unknown} output
   * @param {DecisionOptions} [options]
   */
  edit(runId, output, options) {
    return this.respond(runId, { responseType: "edit", editedOutput: output }, options);
  }

  /**
   * Answer a question in words.
   * @param {string} runId
   * @param {string} text
   * @param {DecisionOptions} [options]
   */
  answer(runId, text, options) {
    return this.respond(runId, { freeformText: text }, options);
  }

  /**
   * Any response, in the words of `POST /api/hitl/resume`.
   * @param {string} runId
   * @param {HitlResponse} response
   * @param {DecisionOptions} [options]
   * @returns {Promise<DecisionOutcome>}
   */
  async respond(runId, response, { requestId, note } = {}) {
    const request = requestId ?? (await this.#onlyRequest(runId));
    const body = { runId, requestId: request, responses: [response], ...(note !== undefined && { note }) };
    return this.#call("POST", "/api/hitl/resume", body);
  }

  /**
   * End the run now; what works on it is told within a second.
   * @param {string} runId
   * @param {{reason?: string}} [options]
   * @returns {Promise<RunControlled>}
   */
  abort(runId, options = {}) {
    return this.#call("POST", `${API}/runs/${encodeURIComponent(runId)}/abort`, options);
  }

  /** @param {string} runId */
  async #onlyRequest(runId) {
    const found = await this.requests(runId);
    if (found.length === 1 && found[0] !== undefined) return found[0].requestId;
    const detail = `${found.length} requests of run ${runId} are open; name one.`;
    if (found.length === 0) throw new GatewayError(404, { code: "request_unknown", detail });
    throw new GatewayError(409, { code: "request_ambiguous", detail });
  }

  /**
   * One call, again while no gateway answers. Only what may be repeated comes here.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {Record<string, string>} [headers]
   */
  #call(method, path, body, headers = {}) {
    return this.#gateways.callPatiently(method, path, body, { headers, giveUpSeconds: this.#patienceSeconds });
  }

  /**
   * The frames of one connection.
   * @param {string} path
   * @param {number} after
   * @param {AbortSignal | undefined} signal
   * @returns {AsyncGenerator<Frame | typeof NOTHING_FOLLOWS, void, undefined>}
   */
  async *#streamOnce(path, after, signal) {
    const { url } = this.#gateways;
    const cut = new AbortController();
    const end = () => cut.abort(signal?.reason);
    const silent = () => cut.abort(new Error(`nothing came for ${SILENCE_SECONDS} s`));
    const timer = setTimeout(silent, SILENCE_SECONDS * 1000);
    try {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(after) };
      const answer = await this.#gateways.open(url + path, { headers, cut, signal });
      if (answer.status === NO_CONTENT) return yield NOTHING_FOLLOWS;
      if (!answer.ok) throw new GatewayError(answer.status, await problemOf(answer));
      signal?.addEventListener("abort", end, { once: true });
      signal?.throwIfAborted();
      const parser = new SseParser();
      for await (const chunk of answer.body ?? []) {
        timer.refresh();
        for (const data of parser.feed(chunk)) yield JSON.parse(data);
      }
    } catch (error) {
      this.#gateways.leave(url);
      if (error instanceof GatewayError) throw error;
      throw new GatewayUnreachable(`${url} does not answer: ${reasonOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      cut.abort();
    }
  }
}

/** Everything of a finished run was read. */
const NOTHING_FOLLOWS = Symbol("nothing follows");
