/** One attempt that a worker was given: its function, its heartbeats, its lines, and the report at its end. */

import { Context } from "./context.js";
import { CapabilityError, GatewayError, PersonAsked } from "./errors.js";
import { API, isPassing, pause } from "./gateways.js";
import { Lines } from "./lines.js";

/** @import {WorkTask} from "./answers.js" */
/** @import {Capability} from "./capability.js" */
/** @import {Gateways} from "./gateways.js" */
/** @import {Log} from "./worker.js" */

/** @typedef {{what: "complete" | "fail" | "ask", body: string | object}} Report */

const LONGEST_BEAT_SECONDS = 0.8;
const BEATS_PER_LEASE = 4;
const REPORT_SECONDS = 120;
const GRACE_SECONDS = 10;
const MAX_CODE_CHARS = 100;
const MAX_MESSAGE_CHARS = 2_000;
const OVER = new Set([401, 403, 404, 409]);

/** Runs one task of a claim, and reports what it ends with. */
export class Attempt {
  #task;
  #capability;
  #gateways;
  #log;
  #path;
  #lines;
  #work = new AbortController();
  #ended = new AbortController();
  #over = false;
  #stopping = false;
  /** @type {() => void} */
  #leave = () => {};

  /**
   * @param {WorkTask} task
   * @param {Capability} capability
   * @param {Gateways} gateways
   * @param {Log} log
   */
  constructor(task, capability, gateways, log) {
    this.#task = task;
    this.#capability = capability;
    this.#gateways = gateways;
    this.#log = log;
    this.#path = `${API}/work/${task.token}/`;
    this.name = `${task.capabilityId} for node ${task.nodeId} of run ${task.runId}`;
    const lost = (/** @type {unknown} */ error) => log("debug", `a line of ${this.name} is lost: ${error}`);
    this.#lines = new Lines((what, body) => gateways.post(this.#path + what, body), lost);
  }

  /** Run the function to its end. Nothing that it throws comes out of here. */
  async run() {
    const beating = this.#beat();
    try {
      const report = await this.#result();
      if (!this.#over) await this.#lines.flush();
      if (report !== undefined && !this.#over) await this.#report(report);
    } catch (error) {
      this.#log("error", `the attempt of ${this.name} could not be reported: ${error}`);
    } finally {
      this.#lines.close();
      this.#ended.abort();
      await beating;
    }
  }

  /** Give the attempt back: the worker stops. A function that does not heed its signal runs on unheard. */
  stop() {
    this.#stopping = true;
    this.#cancel("the worker stops");
    this.#leave();
  }

  /** @param {string} why */
  #cancel(why) {
    this.#work.abort(new DOMException(why, "AbortError"));
  }

  /** @returns {Promise<Report | undefined>} */
  async #result() {
    const { bundle, deadline } = this.#task;
    const said = { log: this.#lines.line, delta: this.#lines.piece };
    const context = new Context(bundle, { deadline, signal: this.#work.signal }, said);
    try {
      const result = await this.#called(context);
      if (this.#stopping && result === LEFT) return stopped();
      if (this.#over) return undefined;
      const output = this.#capability.outputOf(result);
      const usage = Object.keys(context.used).length > 0 ? `,"usage":${JSON.stringify(context.used)}` : "";
      return { what: "complete", body: `{"output":${output}${usage}}` };
    } catch (error) {
      if (this.#over) return undefined;
      return this.#stopping ? stopped() : this.#failure(error);
    }
  }

  /**
   * What the function returns; LEFT where its end is not waited for: at a stop, or some time after a cancellation.
   * @param {Context} context
   */
  #called(context) {
    const left = new Promise((/** @type {(value: typeof LEFT) => void} */ resolve) => {
      this.#leave = () => resolve(LEFT);
    });
    const call = (async () => this.#capability.run(this.#capability.inputOf(context.bundle), context))();
    return Promise.race([call, left]);
  }

  /**
   * @param {unknown} error
   * @returns {Report}
   */
  #failure(error) {
    if (error instanceof PersonAsked) {
      const { message: question, options, allowFreeForm, additionalContext } = error;
      return { what: "ask", body: { question, options, allowFreeForm, additionalContext } };
    }
    if (error instanceof CapabilityError) return failed(error.code, error.message, error.retryable);
    this.#log("error", `${this.name} has failed: ${error instanceof Error ? error.stack : error}`);
    return failed("capability_error", String(error));
  }

  /** Say each second that the worker lives; end the attempt where it is over. */
  async #beat() {
    const seconds = Math.min(LONGEST_BEAT_SECONDS, this.#task.leaseSeconds / BEATS_PER_LEASE);
    while (!this.#ended.signal.aborted) {
      try {
        await this.#untilNextBeat(seconds);
        const wait = { seconds: Math.max(seconds * 2, 1), signal: this.#ended.signal };
        const answer = await this.#gateways.post(`${this.#path}heartbeat`, {}, wait);
        if (answer.cancelled) return await this.#end("it is cancelled");
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        if (error instanceof GatewayError && OVER.has(error.status)) return await this.#end(error.message);
        this.#log("warning", `no heartbeat for ${this.name}: ${error}`);
      }
    }
  }

  /** @param {number} seconds */
  async #untilNextBeat(seconds) {
    const before = performance.now();
    await pause(seconds, this.#ended.signal);
    const late = (performance.now() - before) / 1000 - seconds;
    if (late > this.#task.leaseSeconds / 2) {
      const words = "no heartbeat could be sent meanwhile. Long computations belong into a worker thread";
      this.#log("warning", `the event loop was blocked for ${late.toFixed(1)} s while ${this.name} ran; ${words}`);
    }
  }

  /** @param {string} why */
  async #end(why) {
    this.#log("info", `${this.name} ends early: ${why}`);
    this.#over = true;
    this.#cancel("nobody waits for this attempt any more");
    try {
      await pause(GRACE_SECONDS, this.#ended.signal);
    } catch {
      return;
    }
    this.#log("warning", `${this.name} runs on, ${GRACE_SECONDS} s after its signal; its slot is free all the same`);
    this.#leave();
  }

  /** @param {Report} report */
  async #report({ what, body }) {
    try {
      const answer = await this.#send(what, body);
      if (answer.status === "output_invalid") this.#log("warning", this.#broken(answer.errors ?? []));
    } catch (error) {
      if (!(error instanceof GatewayError) || isPassing(error)) throw error;
      if (OVER.has(error.status)) {
        this.#log("info", `the report of ${this.name} came too late: ${error.message}`);
        return;
      }
      this.#log("error", `the report of ${this.name} was refused: ${error.message}`);
      const code = error.status === 413 ? "output_too_large" : "output_refused";
      const { what: fail, body: why } = failed(code, error.message, false);
      await this.#send(fail, why);
    }
  }

  /** @param {string} what @param {unknown} body */
  #send(what, body) {
    return this.#gateways.callPatiently("POST", this.#path + what, body, { giveUpSeconds: REPORT_SECONDS });
  }

  /** @param {{instancePath?: string, message?: string}[]} errors */
  #broken(errors) {
    const places = errors.slice(0, 5).map((each) => `${each.instancePath || "/"} ${each.message}`);
    return `the output of ${this.name} breaks its contract: ${places.join("; ")}`;
  }
}

const LEFT = Symbol("left");

/** Another worker takes over at once. */
const stopped = () => failed("worker_stopped", "the worker was stopped; another one takes over");

/**
 * @param {string} code
 * @param {string} message
 * @param {boolean} [retryable]
 * @returns {Report}
 */
function failed(code, message, retryable = true) {
  const words = { code: code.slice(0, MAX_CODE_CHARS) || "capability_error", message: shortened(message), retryable };
  return { what: "fail", body: { error: words } };
}

/** @param {string} message */
function shortened(message) {
  return message.slice(0, MAX_MESSAGE_CHARS).toWellFormed();
}
