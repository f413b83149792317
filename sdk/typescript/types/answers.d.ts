/**
 * One attempt that a claim has got. Its token is the right to report on it.
 */
export type WorkTask = {
    token: string;
    runId: string;
    nodeId: string;
    attempt: number;
    capabilityId: string;
    capabilityVersion?: string | null;
    bundle: Bundle;
    leaseSeconds: number;
    deadline: string;
};
/**
 * What a capability is given; docs/capabilities/bundle.md describes each key.
 */
export type Bundle = {
    runId: string;
    nodeId: string;
    attempt: number;
    objective: string;
    facets?: Record<string, any>;
    inputs?: Record<string, any>;
    dependencies?: Record<string, any>;
    answers?: Record<string, any>[];
    previousErrors?: Record<string, any>[];
    previousError?: {
        code: string;
        message: string;
    };
    [key: string]: any;
};
/**
 * A run as it is now.
 */
export type RunDetail = {
    runId: string;
    status: string;
    lastEventId: string;
    output?: any;
    error?: ErrorInfo | null;
    nodes: NodeDetail[];
    pendingRequests: HitlRequest[];
    [key: string]: any;
};
/**
 * A node of a run.
 */
export type NodeDetail = {
    id: string;
    capabilityId: string;
    capabilityVersion?: string | null;
    label: string;
    status: string;
    attempt: number;
    output?: any;
    error?: ErrorInfo | null;
    [key: string]: any;
};
/**
 * Something that waits for a person.
 */
export type PendingRequest = {
    runId: string;
    requestId: string;
    nodeId?: string | null;
    question: string;
    objective: string;
    [key: string]: any;
};
/**
 * The run after a decision; `pendingRequestId` is the next question that waits, if there is one.
 */
export type DecisionOutcome = {
    runId: string;
    pendingRequestId?: string | null;
    [key: string]: any;
};
/**
 * A run after it was paused, resumed or aborted.
 */
export type RunControlled = {
    runId: string;
    status: string;
    lastEventId: string;
};
/**
 * A frame of a stream: an event of the run's log, or, where they are asked for, a piece of partial output.
 */
export type Frame = FlexEvent | NodeDelta;
import type { ErrorInfo } from "../types/wire.js";
import type { HitlRequest } from "../types/wire.js";
import type { FlexEvent } from "../types/wire.js";
import type { NodeDelta } from "../types/wire.js";
