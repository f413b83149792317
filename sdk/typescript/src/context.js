/** What a capability may know of its attempt, and do during it. */

import { PersonAsked } from "./errors.js";

/** @import {DeltaBody, HitlOption, Usage} from "../types/wire.js" */
/** @import {Bundle} from "./answers.js" */

/** @typedef {"debug" | "info" | "warning" | "error"} Level */

/**
 * Where a context sends what is said.
 * @typedef {object} Said
 * @property {(message: string, level: Level) => void} [log]
 * @property {(piece: DeltaBody) => void} [delta]
 */

/** The second argument of a capability's function. */
export class Context {
  #said;
  /** @type {Partial<Usage>} */
  used = {};

  /**
   * @param {Bundle} bundle everything that the node was given
   * @param {{deadline?: string | undefined, signal?: AbortSignal}} [limits]
   * @param {Said} [said]
   */
  constructor(bundle, { deadline, signal } = {}, said = {}) {
    this.bundle = bundle;
    /** When the attempt is cut off. */
    this.deadline = deadline === undefined ? undefined : new Date(deadline);
    /** Aborted as soon as this attempt is over: hand it to `fetch` and the like. */
    this.signal = signal ?? new AbortController().signal;
    this.#said = said;
  }

  /** The run that the node is part of; with node and attempt it makes a good idempotency key. */
  get runId() {
    return this.bundle.runId;
  }

  /** The node of the run's plan. */
  get nodeId() {
    return this.bundle.nodeId;
  }

  /** 1 for the first start of this node, one more for each further one. */
  get attempt() {
    return this.bundle.attempt;
  }

  /** What people have answered to the questions of earlier attempts. */
  get answers() {
    return this.bundle.answers ?? [];
  }

  /** The seconds until the deadline, never below 0; Infinity where there is none. */
  remainingSeconds() {
    if (this.deadline === undefined) return Infinity;
    return Math.max(0, (this.deadline.getTime() - Date.now()) / 1000);
  }

  /**
   * Write a line into the run's log. It does not wait for it.
   * @param {string} message
   * @param {Level} [level]
   */
  log(message, level = "info") {
    this.#said.log?.(message, level);
  }

  /**
   * Show a piece of the output that is being made, as text or as `{patch}` (JSON Patch), to those who watch the run.
   * It does not wait for it. None of it is kept: the output is what is returned.
   * @param {string | DeltaBody} piece
   */
  delta(piece) {
    this.#said.delta?.(typeof piece === "string" ? { text: piece } : piece);
  }

  /**
   * End this attempt with a question to a person; the next attempt finds the answer in `answers`.
   * Throws PersonAsked, always.
   * @param {string} question
   * @param {{options?: readonly HitlOption[], allowFreeForm?: boolean, additionalContext?: any}} [more]
   * @returns {never}
   */
  ask(question, more) {
    throw new PersonAsked(question, more);
  }

  /**
   * Say what this attempt has used: money in millionths of `currency`. What is said later replaces it.
   * @param {Partial<Usage>} used
   */
  usage(used) {
    Object.assign(this.used, used);
  }
}
