/** A worker: claims work at a gateway for functions of this process, runs them, and reports what they give. */

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Attempt } from "./attempt.js";
import { capabilitiesIn } from "./capability.js";
import { CapabilityMistake, GatewayError } from "./errors.js";
import { API, DEFAULT_URL, Gateways, isPassing, messageOf, pause, pauseSeconds } from "./gateways.js";

/** @import {WorkTask} from "./answers.js" */
/** @import {Capability} from "./capability.js" */
/** @import {Level} from "./context.js" */

/** @typedef {(level: Level, message: string) => void} Log */

/**
 * @typedef {object} WorkerOptions
 * @property {string | readonly string[]} [url] the gateway, or several of the same installation
 * @property {string} [token] needed where the installation has tokens
 * @property {number} [slots] attempts at the same time
 * @property {string} [workerId] the name that the registry shows
 * @property {number} [drainSeconds] how long a stop waits for what runs, before it gives the rest back
 * @property {boolean} [replaces] for development: register anew what is registered in other words
 * @property {Log} [log]
 */

const MAX_SLOTS = 100;
const WAIT_SECONDS = 20;
const ANSWER_SECONDS = 10;
const CANCEL_SECONDS = 2;
const SIGNALS = /** @type {const} */ (["SIGTERM", "SIGINT"]);
const ASKED_TWICE = 130;

/** Runs capabilities for gateways. Throws CapabilityMistake for what is no capability. */
export class Worker {
  /** @type {Map<string, Capability>} */
  capabilities;
  workerId;
  #gateways;
  #slots;
  #drainSeconds;
  #replaces;
  #log;
  /** @type {Map<Promise<void>, Attempt>} */
  #attempts = new Map();
  #stopping = new AbortController();
  /** Ends the wait for a free slot. */
  #wake = () => {};

  /**
   * @param {unknown} capabilities one, several, or a module with some among its exports
   * @param {WorkerOptions} [options]
   */
  constructor(capabilities, options = {}) {
    const { url = DEFAULT_URL, token, slots = 10, workerId, drainSeconds = 10, replaces = false } = options;
    this.capabilities = byId(capabilitiesIn(capabilities));
    if (!Number.isInteger(slots) || slots < 1 || slots > MAX_SLOTS) {
      throw new RangeError(`slots are from 1 to ${MAX_SLOTS}, not ${slots}`);
    }
    if (!(drainSeconds >= 0)) throw new RangeError(`drainSeconds are 0 or more, not ${drainSeconds}`);
    this.workerId = workerId ?? `${hostname()}:${process.pid}:${randomBytes(3).toString("hex")}`;
    this.#gateways = new Gateways(url, token);
    this.#slots = slots;
    this.#drainSeconds = drainSeconds;
    this.#replaces = replaces;
    this.#log = options.log ?? write;
  }

  /** Serve until SIGTERM or Ctrl-C. Throws GatewayError where the gateway refuses what this worker is. */
  async run() {
    const onSignal = () => {
      if (this.#stopping.signal.aborted) process.exit(ASKED_TWICE);
      this.stop();
    };
    for (const name of SIGNALS) process.on(name, onSignal);
    try {
      await this.serve();
    } finally {
      for (const name of SIGNALS) process.off(name, onSignal);
    }
  }

  /** Register, and work until `stop`. */
  async serve() {
    const { signal } = this.#stopping;
    try {
      await this.#patiently(() => this.#register());
      this.#log("info", `worker ${this.workerId} serves ${[...this.capabilities.keys()].sort().join(", ")}`);
      await this.#claim();
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
    } finally {
      await this.#drain();
    }
  }

  /** Take nothing new, and let `serve` end. */
  stop() {
    this.#stopping.abort();
    this.#wake();
  }

  /**
   * Call until a gateway takes it. Throws GatewayError where it is refused.
   * @param {() => Promise<void>} call
   */
  async #patiently(call) {
    for (let failures = 0; ; failures += 1) {
      try {
        return await call();
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#log(failures > 0 ? "info" : "warning", `waiting for a gateway: ${messageOf(error)}`);
      }
      await pause(pauseSeconds(failures), this.#stopping.signal);
    }
  }

  async #register() {
    for (const each of this.capabilities.values()) {
      try {
        for (const facet of each.facets) await this.#post("/facets", facet);
        await this.#registerOne(each);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== "not_permitted") throw error;
        this.#log("warning", `${each.id} is not registered by this worker: ${error.message}`);
      }
    }
  }

  /** @param {Capability} capability */
  async #registerOne({ id, version, descriptor }) {
    try {
      await this.#post("/capabilities/register", descriptor);
    } catch (error) {
      const registered = error instanceof GatewayError && error.code === "version_registered";
      if (!registered || !this.#replaces) throw error;
      const one = `${API}/capabilities/${id}?version=${encodeURIComponent(version)}`;
      await this.#gateways.call("DELETE", one, undefined, { signal: this.#stopping.signal });
      await this.#post("/capabilities/register", descriptor);
    }
  }

  /** Claim as much as there is room for, again and again. */
  async #claim() {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const free = this.#slots - this.#attempts.size;
      if (free <= 0) {
        await new Promise((resolve) => {
          this.#wake = () => resolve(undefined);
        });
        continue;
      }
      try {
        for (const task of await this.#claimOnce(free)) this.#begin(task);
        failures = 0;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        await this.#after(error, failures);
        failures += 1;
      }
    }
  }

  /**
   * @param {number} free
   * @returns {Promise<WorkTask[]>}
   */
  async #claimOnce(free) {
    const served = [...this.capabilities.values()].map(({ id, version }) => ({ id, version }));
    const body = { workerId: this.workerId, capabilities: served, slots: free, waitSeconds: WAIT_SECONDS };
    return (await this.#post("/work/claim", body, WAIT_SECONDS + ANSWER_SECONDS)).tasks;
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {number} [seconds]
   */
  #post(path, body, seconds) {
    const { signal } = this.#stopping;
    return this.#gateways.post(API + path, body, { signal, ...(seconds !== undefined && { seconds }) });
  }

  /**
   * @param {unknown} error
   * @param {number} failures
   */
  async #after(error, failures) {
    if (error instanceof GatewayError && error.code === "capability_unknown") {
      await this.#patiently(() => this.#register());
    } else if (!isPassing(error) && !(error instanceof GatewayError && error.status >= 500)) {
      throw error;
    }
    this.#log(failures > 0 ? "info" : "warning", `no work can be claimed: ${messageOf(error)}`);
    await pause(pauseSeconds(failures), this.#stopping.signal);
  }

  /** @param {WorkTask} task */
  #begin(task) {
    const capability = /** @type {Capability} */ (this.capabilities.get(task.capabilityId));
    const attempt = new Attempt(task, capability, this.#gateways, this.#log);
    const running = attempt.run().finally(() => {
      this.#attempts.delete(running);
      this.#wake();
    });
    this.#attempts.set(running, attempt);
  }

  /** Wait for what runs, then give the rest back. */
  async #drain() {
    if (this.#attempts.size === 0) return;
    this.#log("info", `stopping: ${this.#attempts.size} attempt(s) still run`);
    await within(this.#drainSeconds, [...this.#attempts.keys()]);
    for (const attempt of this.#attempts.values()) attempt.stop();
    await within(CANCEL_SECONDS, [...this.#attempts.keys()]);
  }
}

/** @param {Capability[]} given */
function byId(given) {
  if (given.length === 0) throw new CapabilityMistake("there is nothing to do: no capability is exported");
  /** @type {Map<string, Capability>} */
  const found = new Map();
  for (const each of given) {
    if ((found.get(each.id) ?? each) !== each) throw new CapabilityMistake(`there are two capabilities ${each.id}`);
    found.set(each.id, each);
  }
  return found;
}

/**
 * Wait for all of them, for so long at most.
 * @param {number} seconds
 * @param {Promise<void>[]} running
 */
async function within(seconds, running) {
  const end = new AbortController();
  await Promise.race([Promise.all(running), pause(seconds, end.signal).catch(() => {})]);
  end.abort();
}

/** @type {Log} */
function write(level, message) {
  if (level !== "debug") console.error(`${new Date().toISOString()} ${level.toUpperCase()} ${message}`);
}
