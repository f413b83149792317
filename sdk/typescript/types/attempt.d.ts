/** Runs one task of a claim, and reports what it ends with. */
export class Attempt {
    /**
     * @param {WorkTask} task
     * @param {Capability} capability
     * @param {Gateways} gateways
     * @param {Log} log
     */
    constructor(task: WorkTask, capability: Capability, gateways: Gateways, log: Log);
    name: string;
    /** Run the function to its end. Nothing that it throws comes out of here. */
    run(): Promise<void>;
    /** Give the attempt back: the worker stops. A function that does not heed its signal runs on unheard. */
    stop(): void;
    #private;
}
export type Report = {
    what: "complete" | "fail" | "ask";
    body: string | object;
};
import type { WorkTask } from "./answers.js";
import type { Capability } from "./capability.js";
import type { Gateways } from "./gateways.js";
import type { Log } from "./worker.js";
