/** What gateways answer, as far as programs mostly read it; all of it is in the gateway's `/openapi.json`. */

/** @import {ErrorInfo, FlexEvent, HitlRequest, NodeDelta} from "../types/wire.js" */

/**
 * One attempt that a claim has got. Its token is the right to report on it.
 * @typedef {{
 *   token: string,
 *   runId: string,
 *   nodeId: string,
 *   attempt: number,
 *   capabilityId: string,
 *   capabilityVersion?: string | null,
 *   bundle: Bundle,
 *   leaseSeconds: number,
 *   deadline: string,
 * }} WorkTask
 */

/**
 * What a capability is given; docs/capabilities/bundle.md describes each key.
 * @typedef {{
 *   runId: string,
 *   nodeId: string,
 *   attempt: number,
 *   objective: string,
 *   facets?: Record<string, any>,
 *   inputs?: Record<string, any>,
 *   dependencies?: Record<string, any>,
 *   answers?: Record<string, any>[],
 *   previousErrors?: Record<string, any>[],
 *   previousError?: {code: string, message: string},
 *   [key: string]: any,
 * }} Bundle
 */

/**
 * A run as it is now.
 * @typedef {{
 *   runId: string,
 *   status: string,
 *   lastEventId: string,
 *   output?: any,
 *   error?: ErrorInfo | null,
 *   nodes: NodeDetail[],
 *   pendingRequests: HitlRequest[],
 *   [key: string]: any,
 * }} RunDetail
 */

/**
 * A node of a run.
 * @typedef {{
 *   id: string,
 *   capabilityId: string,
 *   capabilityVersion?: string | null,
 *   label: string,
 *   status: string,
 *   attempt: number,
 *   output?: any,
 *   error?: ErrorInfo | null,
 *   [key: string]: any,
 * }} NodeDetail
 */

/**
 * Something that waits for a person.
 * @typedef {{
 *   runId: string,
 *   requestId: string,
 *   nodeId?: string | null,
 *   question: string,
 *   objective: string,
 *   [key: string]: any,
 * }} PendingRequest
 */

/**
 * The run after a decision; `pendingRequestId` is the next question that waits, if there is one.
 * @typedef {{
 *   runId: string,
 *   pendingRequestId?: string | null,
 *   [key: string]: any,
 * }} DecisionOutcome
 */

/**
 * A run after it was paused, resumed or aborted.
 * @typedef {{
 *   runId: string,
 *   status: string,
 *   lastEventId: string,
 * }} RunControlled
 */

/**
 * A frame of a stream: an event of the run's log, or, where they are asked for, a piece of partial output.
 * @typedef {FlexEvent | NodeDelta} Frame
 */

export {};
