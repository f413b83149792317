/** What a capability may throw, what is wrong with how one is declared, and how a call of a gateway goes wrong. */

/** @import {HitlOption, ProblemDetail} from "../types/wire.js" */

/** A failure with a code. `retryable` is false where a further attempt would fail the same way. */
export class CapabilityError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{retryable?: boolean}} [options]
   */
  constructor(code, message, { retryable = true } = {}) {
    super(message);
    this.name = "CapabilityError";
    this.code = code;
    this.retryable = retryable;
  }
}

/** The attempt ends here, with a question to a person; `context.ask` throws it. */
export class PersonAsked extends Error {
  /**
   * @param {string} question
   * @param {{options?: readonly HitlOption[], allowFreeForm?: boolean, additionalContext?: any}} [more]
   */
  constructor(question, { options = [], allowFreeForm = true, additionalContext = null } = {}) {
    super(question);
    this.name = "PersonAsked";
    this.options = [...options];
    this.allowFreeForm = allowFreeForm;
    this.additionalContext = additionalContext;
  }
}

/** Something cannot be a capability as it is declared; the message says what to change. */
export class CapabilityMistake extends TypeError {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "CapabilityMistake";
  }
}

/** A gateway has refused a call. `code` is the problem's, `errors` are the places that are wrong. */
export class GatewayError extends Error {
  /**
   * @param {number} status
   * @param {{code?: string, detail?: string, errors?: ProblemDetail[] | null}} problem
   */
  constructor(status, problem) {
    const code = problem.code ?? `http_${status}`;
    const errors = problem.errors ?? [];
    const places = errors.slice(0, 10).map((each) => `\n  ${each.pointer}: ${each.message}`);
    super(`${code}: ${problem.detail ?? `HTTP ${status}`}${places.join("")}`);
    this.name = "GatewayError";
    this.status = status;
    this.code = code;
    this.errors = errors;
  }
}

/** No gateway answers, or the answer was cut off. */
export class GatewayUnreachable extends Error {
  /** @param {string} message @param {{cause?: unknown}} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = "GatewayUnreachable";
  }
}

/** The run has ended without an output; `error` is what it says of it. */
export class RunNotCompleted extends Error {
  /**
   * @param {string} runId
   * @param {string} status
   * @param {{code?: string, message?: string, [key: string]: any}} error
   */
  constructor(runId, status, error) {
    super(`run ${runId} is ${status}: ${error.message || error.code || "no reason"}`);
    this.name = "RunNotCompleted";
    this.runId = runId;
    this.status = status;
    this.error = error;
  }
}
