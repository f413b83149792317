/** Reading Server-Sent Events, as far as a gateway writes them. */

/** Bytes in, the `data` of each complete event out; other fields are passed over. */
export class SseParser {
  #decoder = new TextDecoder();
  #rest = "";
  /** @type {string[]} */
  #data = [];

  /**
   * The events that `chunk` completes. One that is cut off at the end of the stream is never given.
   * @param {Uint8Array} chunk
   * @returns {string[]}
   */
  feed(chunk) {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    /** @type {string[]} */
    const events = [];
    for (const line of lines) {
      if (line.startsWith("data:")) this.#data.push(line.slice(5).trim());
      else if (line.trim() === "" && this.#data.length > 0) {
        events.push(this.#data.join("\n"));
        this.#data = [];
      }
    }
    return events;
  }
}
