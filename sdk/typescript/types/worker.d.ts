/** Runs capabilities for gateways. Throws CapabilityMistake for what is no capability. */
export class Worker {
    /**
     * @param {unknown} capabilities one, several, or a module with some among its exports
     * @param {WorkerOptions} [options]
     */
    constructor(capabilities: unknown, options?: WorkerOptions);
    /** @type {Map<string, Capability>} */
    capabilities: Map<string, Capability>;
    workerId: string;
    /** Serve until SIGTERM or Ctrl-C. Throws GatewayError where the gateway refuses what this worker is. */
    run(): Promise<void>;
    /** Register, and work until `stop`. */
    serve(): Promise<void>;
    /** Take nothing new, and let `serve` end. */
    stop(): void;
    #private;
}
export type Log = (level: Level, message: string) => void;
export type WorkerOptions = {
    /**
     * the gateway, or several of the same installation
     */
    url?: string | readonly string[];
    /**
     * needed where the installation has tokens
     */
    token?: string;
    /**
     * attempts at the same time
     */
    slots?: number;
    /**
     * the name that the registry shows
     */
    workerId?: string;
    /**
     * how long a stop waits for what runs, before it gives the rest back
     */
    drainSeconds?: number;
    /**
     * for development: register anew what is registered in other words
     */
    replaces?: boolean;
    log?: Log;
};
import type { Capability } from "./capability.js";
import type { Level } from "./context.js";
