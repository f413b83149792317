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
    /**
     * @param {Bundle} bundle everything that the node was given
     * @param {{deadline?: string | undefined, signal?: AbortSignal}} [limits]
     * @param {Said} [said]
     */
    constructor(bundle: Bundle, { deadline, signal }?: {
        deadline?: string | undefined;
        signal?: AbortSignal;
    }, said?: Said);
    /** @type {Partial<Usage>} */
    used: Partial<Usage>;
    bundle: Bundle;
    /** When the attempt is cut off. */
    deadline: Date | undefined;
    /** Aborted as soon as this attempt is over: hand it to `fetch` and the like. */
    signal: AbortSignal;
    /** The run that the node is part of; with node and attempt it makes a good idempotency key. */
    get runId(): string;
    /** The node of the run's plan. */
    get nodeId(): string;
    /** 1 for the first start of this node, one more for each further one. */
    get attempt(): number;
    /** What people have answered to the questions of earlier attempts. */
    get answers(): Record<string, any>[];
    /** The seconds until the deadline, never below 0; Infinity where there is none. */
    remainingSeconds(): number;
    /**
     * Write a line into the run's log. It does not wait for it.
     * @param {string} message
     * @param {Level} [level]
     */
    log(message: string, level?: Level): void;
    /**
     * Show a piece of the output that is being made, as text or as `{patch}` (JSON Patch), to those who watch the run.
     * It does not wait for it. None of it is kept: the output is what is returned.
     * @param {string | DeltaBody} piece
     */
    delta(piece: string | DeltaBody): void;
    /**
     * End this attempt with a question to a person; the next attempt finds the answer in `answers`.
     * Throws PersonAsked, always.
     * @param {string} question
     * @param {{options?: readonly HitlOption[], allowFreeForm?: boolean, additionalContext?: any}} [more]
     * @returns {never}
     */
    ask(question: string, more?: {
        options?: readonly HitlOption[];
        allowFreeForm?: boolean;
        additionalContext?: any;
    }): never;
    /**
     * Say what this attempt has used: money in millionths of `currency`. What is said later replaces it.
     * @param {Partial<Usage>} used
     */
    usage(used: Partial<Usage>): void;
    #private;
}
export type Level = "debug" | "info" | "warning" | "error";
/**
 * Where a context sends what is said.
 */
export type Said = {
    log?: (message: string, level: Level) => void;
    delta?: (piece: DeltaBody) => void;
};
import type { Usage } from "../types/wire.js";
import type { Bundle } from "./answers.js";
import type { DeltaBody } from "../types/wire.js";
import type { HitlOption } from "../types/wire.js";
