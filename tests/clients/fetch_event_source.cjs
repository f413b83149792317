// Reads a run with `@microsoft/fetch-event-source`: node fetch_event_source.cjs URL [BODY KEY]; one line of JSON for
// each event. With a body it posts it, once more for each broken connection, as that library does.
globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = require("@microsoft/fetch-event-source");

const [url, body, key] = process.argv.slice(2);
const stop = new AbortController();
fetchEventSource(url, {
  ...(body ? { method: "POST", body, headers: { "Idempotency-Key": key } } : {}),
  signal: stop.signal,
  openWhenHidden: true,
  onmessage(event) {
    console.log(JSON.stringify([event.id, event.event, event.data ? JSON.parse(event.data).id : null]));
    if (event.event === "complete") stop.abort();
  },
  onclose() {
    if (!stop.signal.aborted) throw new Error("the stream ended before the run did");
  },
  onerror() {}, // comes back after the time that `retry:` says
});
