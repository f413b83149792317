/** What a capability may throw, what is wrong with how one is declared, and how a call of a gateway goes wrong. */
/** @import {HitlOption, ProblemDetail} from "../types/wire.js" */
/** A failure with a code. `retryable` is false where a further attempt would fail the same way. */
export class CapabilityError extends Error {
    /**
     * @param {string} code
     * @param {string} message
     * @param {{retryable?: boolean}} [options]
     */
    constructor(code: string, message: string, { retryable }?: {
        retryable?: boolean;
    });
    code: string;
    retryable: boolean;
}
/** The attempt ends here, with a question to a person; `context.ask` throws it. */
export class PersonAsked extends Error {
    /**
     * @param {string} question
     * @param {{options?: readonly HitlOption[], allowFreeForm?: boolean, additionalContext?: any}} [more]
     */
    constructor(question: string, { options, allowFreeForm, additionalContext }?: {
        options?: readonly HitlOption[];
        allowFreeForm?: boolean;
        additionalContext?: any;
    });
    options: HitlOption[];
    allowFreeForm: boolean;
    additionalContext: any;
}
/** Something cannot be a capability as it is declared; the message says what to change. */
export class CapabilityMistake extends TypeError {
    /** @param {string} message */
    constructor(message: string);
}
/** A gateway has refused a call. `code` is the problem's, `errors` are the places that are wrong. */
export class GatewayError extends Error {
    /**
     * @param {number} status
     * @param {{code?: string, detail?: string, errors?: ProblemDetail[] | null}} problem
     */
    constructor(status: number, problem: {
        code?: string;
        detail?: string;
        errors?: ProblemDetail[] | null;
    });
    status: number;
    code: string;
    errors: ProblemDetail[];
}
/** No gateway answers, or the answer was cut off. */
export class GatewayUnreachable extends Error {
    /** @param {string} message @param {{cause?: unknown}} [options] */
    constructor(message: string, options?: {
        cause?: unknown;
    });
}
/** The run has ended without an output; `error` is what it says of it. */
export class RunNotCompleted extends Error {
    /**
     * @param {string} runId
     * @param {string} status
     * @param {{code?: string, message?: string, [key: string]: any}} error
     */
    constructor(runId: string, status: string, error: {
        code?: string;
        message?: string;
        [key: string]: any;
    });
    runId: string;
    status: string;
    error: {
        [key: string]: any;
        code?: string;
        message?: string;
    };
}
import type { HitlOption } from "../types/wire.js";
import type { ProblemDetail } from "../types/wire.js";
