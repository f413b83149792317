/** Calls to a gateway, or to several of the same installation. There is nothing to close. */
export class Client {
    /**
     * @param {string | readonly string[]} [url]
     * @param {{token?: string, patienceSeconds?: number}} [options] `patienceSeconds`: how long a call is tried again
     *   while no gateway answers
     */
    constructor(url?: string | readonly string[], { token, patienceSeconds }?: {
        token?: string;
        patienceSeconds?: number;
    });
    /**
     * Start a run; its id. It is one run, however often the call has to be repeated.
     * @param {TaskEnvelope} envelope
     * @param {{idempotencyKey?: string}} [options]
     * @returns {Promise<string>}
     */
    submit(envelope: TaskEnvelope, { idempotencyKey }?: {
        idempotencyKey?: string;
    }): Promise<string>;
    /**
     * The frames after `after`, each once and in order, up to `complete`; through restarts of gateways.
     * @param {string} runId
     * @param {StreamOptions} [options]
     * @returns {AsyncGenerator<Frame, void, undefined>}
     */
    stream(runId: string, { after, deltas, signal }?: StreamOptions): AsyncGenerator<Frame, void, undefined>;
    /**
     * The output of the run, as soon as it is complete. Throws RunNotCompleted.
     * @param {string} runId
     * @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<any>}
     */
    result(runId: string, options?: {
        signal?: AbortSignal;
    }): Promise<any>;
    /**
     * The run as it is now: status, nodes, open requests, usage.
     * @param {string} runId
     * @returns {Promise<RunDetail>}
     */
    show(runId: string): Promise<RunDetail>;
    /**
     * What waits for people: in one run, or in all.
     * @param {string} [runId]
     * @returns {Promise<PendingRequest[]>}
     */
    requests(runId?: string): Promise<PendingRequest[]>;
    /**
     * Say yes to what the run asks.
     * @param {string} runId
     * @param {DecisionOptions} [options]
     */
    approve(runId: string, options?: DecisionOptions): Promise<DecisionOutcome>;
    /**
     * Say no.
     * @param {string} runId
     * @param {DecisionOptions} [options]
     */
    reject(runId: string, options?: DecisionOptions): Promise<DecisionOutcome>;
    /**
     * Put `output` (a plan, where a plan is asked about) in the place of what is shown, and approve it so.
     * @param {string} runId
     * @param {unknown} output
     * @param {DecisionOptions} [options]
     */
    edit(runId: string, output: unknown, options?: DecisionOptions): Promise<DecisionOutcome>;
    /**
     * Answer a question in words.
     * @param {string} runId
     * @param {string} text
     * @param {DecisionOptions} [options]
     */
    answer(runId: string, text: string, options?: DecisionOptions): Promise<DecisionOutcome>;
    /**
     * Any response, in the words of `POST /api/hitl/resume`.
     * @param {string} runId
     * @param {HitlResponse} response
     * @param {DecisionOptions} [options]
     * @returns {Promise<DecisionOutcome>}
     */
    respond(runId: string, response: HitlResponse, { requestId, note }?: DecisionOptions): Promise<DecisionOutcome>;
    /**
     * End the run now; what works on it is told within a second.
     * @param {string} runId
     * @param {{reason?: string}} [options]
     * @returns {Promise<RunControlled>}
     */
    abort(runId: string, options?: {
        reason?: string;
    }): Promise<RunControlled>;
    #private;
}
export type StreamOptions = {
    /**
     * the id of the last frame that is known
     */
    after?: number;
    /**
     * show partial output, too: frames `node_delta`, which have no id
     */
    deltas?: boolean;
    /**
     * ends the stream with its reason
     */
    signal?: AbortSignal;
};
export type DecisionOptions = {
    /**
     * needed where the run asks more than one thing
     */
    requestId?: string;
    note?: string;
};
import type { TaskEnvelope } from "../types/wire.js";
import type { Frame } from "./answers.js";
import type { RunDetail } from "./answers.js";
import type { PendingRequest } from "./answers.js";
import type { DecisionOutcome } from "./answers.js";
import type { HitlResponse } from "../types/wire.js";
import type { RunControlled } from "./answers.js";
