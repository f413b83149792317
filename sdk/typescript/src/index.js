/**
 * Bring your own functions to flexrun: `capability` makes one of a function, `Worker` runs such functions for a gateway,
 * `Client` submits runs and follows them.
 */

/** @typedef {import("../types/wire.js").CapabilityDescriptor} CapabilityDescriptor */
/** @typedef {import("../types/wire.js").FlexEvent} FlexEvent */
/** @typedef {import("../types/wire.js").NodeDelta} NodeDelta */
/** @typedef {import("../types/wire.js").HitlOption} HitlOption */
/** @typedef {import("../types/wire.js").HitlResponse} HitlResponse */
/** @typedef {import("../types/wire.js").OutputContract} OutputContract */
/** @typedef {import("../types/wire.js").TaskEnvelope} TaskEnvelope */
/** @typedef {import("../types/wire.js").Usage} Usage */
/** @typedef {import("./answers.js").Bundle} Bundle */
/** @typedef {import("./answers.js").Frame} Frame */
/** @typedef {import("./answers.js").PendingRequest} PendingRequest */
/** @typedef {import("./answers.js").RunDetail} RunDetail */
/** @typedef {import("./worker.js").WorkerOptions} WorkerOptions */

export { Capability, capability } from "./capability.js";
export { Client } from "./client.js";
export { Context } from "./context.js";
export {
  CapabilityError,
  CapabilityMistake,
  GatewayError,
  GatewayUnreachable,
  PersonAsked,
  RunNotCompleted,
} from "./errors.js";
export { Worker } from "./worker.js";
