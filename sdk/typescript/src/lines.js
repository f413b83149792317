/** What an attempt says while it runs: lines for the run's log, and pieces of its output, sent one after the other. */

import { pause } from "./gateways.js";

/** @import {DeltaBody, LogBody} from "../types/wire.js" */
/** @import {Level} from "./context.js" */

const MAX_WAITING = 200;
const MAX_MESSAGE_CHARS = 2_000;
const MAX_PIECE_CHARS = 60_000;
const FLUSH_SECONDS = 10;
/** The pause after a piece of partial output: a gateway shows ten in a second. */
const PIECE_SECONDS = 0.1;

/** A queue. What finds no place in it is left out, and so is what no gateway takes. */
export class Lines {
  #send;
  #lost;
  /** @type {(LogBody | DeltaBody | typeof TEXT)[]} */
  #waiting = [];
  #text = "";
  /** @type {Promise<void> | undefined} */
  #sending;
  #closed = new AbortController();

  /**
   * @param {(what: "log" | "delta", body: LogBody | DeltaBody) => Promise<unknown>} send
   * @param {(error: unknown) => void} lost
   */
  constructor(send, lost) {
    this.#send = send;
    this.#lost = lost;
  }

  /** @type {(message: string, level: Level) => void} */
  line = (message, level) => {
    const text = String(message).slice(0, MAX_MESSAGE_CHARS).toWellFormed();
    this.#put({ message: text || " ", level });
  };

  /**
   * Pieces of text that come while one is sent go together.
   * @type {(piece: DeltaBody) => void}
   */
  piece = (piece) => {
    if (piece.patch) this.#put(piece);
    if (!piece.text) return;
    if (this.#text === "") this.#put(TEXT);
    this.#text += piece.text;
  };

  /** Wait until everything is sent, for a while. */
  async flush() {
    if (this.#sending === undefined) return;
    const end = new AbortController();
    const patience = pause(FLUSH_SECONDS, end.signal).catch(() => {});
    await Promise.race([this.#sending, patience]);
    end.abort();
  }

  /** Take nothing more, and forget what waits. */
  close() {
    this.#closed.abort();
    this.#waiting = [];
  }

  /** @param {LogBody | DeltaBody | typeof TEXT} what */
  #put(what) {
    if (this.#closed.signal.aborted || this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(what);
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll() {
    await undefined; // what is said in one go goes together
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const body = next === TEXT ? { text: this.#takeText() } : next;
      const what = "message" in body ? "log" : "delta";
      try {
        await this.#send(what, body);
        if (what === "delta") await pause(PIECE_SECONDS, this.#closed.signal);
      } catch (error) {
        if (!this.#closed.signal.aborted) this.#lost(error);
      }
    }
  }

  #takeText() {
    const splits = isHighSurrogate(this.#text.charCodeAt(MAX_PIECE_CHARS - 1));
    const end = splits ? MAX_PIECE_CHARS - 1 : MAX_PIECE_CHARS;
    const piece = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    if (this.#text !== "") this.#waiting.push(TEXT);
    return piece;
  }
}

/** Stands for the text that has come together until its turn. */
const TEXT = Symbol("text");

/** @param {number} code */
function isHighSurrogate(code) {
  return code >= 0xd800 && code <= 0xdbff;
}
