/** A queue. What finds no place in it is left out, and so is what no gateway takes. */
export class Lines {
    /**
     * @param {(what: "log" | "delta", body: LogBody | DeltaBody) => Promise<unknown>} send
     * @param {(error: unknown) => void} lost
     */
    constructor(send: (what: "log" | "delta", body: LogBody | DeltaBody) => Promise<unknown>, lost: (error: unknown) => void);
    /** @type {(message: string, level: Level) => void} */
    line: (message: string, level: Level) => void;
    /**
     * Pieces of text that come while one is sent go together.
     * @type {(piece: DeltaBody) => void}
     */
    piece: (piece: DeltaBody) => void;
    /** Wait until everything is sent, for a while. */
    flush(): Promise<void>;
    /** Take nothing more, and forget what waits. */
    close(): void;
    #private;
}
import type { Level } from "./context.js";
import type { DeltaBody } from "../types/wire.js";
import type { LogBody } from "../types/wire.js";
