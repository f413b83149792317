/** Reading Server-Sent Events, as far as a gateway writes them. */
/** Bytes in, the `data` of each complete event out; other fields are passed over. */
export class SseParser {
    /**
     * The events that `chunk` completes. One that is cut off at the end of the stream is never given.
     * @param {Uint8Array} chunk
     * @returns {string[]}
     */
    feed(chunk: Uint8Array): string[];
    #private;
}
