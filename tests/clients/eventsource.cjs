// Reads a run with npm's `eventsource`: node eventsource.cjs URL TYPE…; one line of JSON for each event.
const { EventSource } = require("eventsource");

const [url, ...types] = process.argv.slice(2);
const source = new EventSource(url);
for (const type of ["message", ...types]) {
  source.addEventListener(type, (event) => {
    console.log(JSON.stringify([event.lastEventId, event.type, event.data ? JSON.parse(event.data).id : null]));
    if (type === "complete") source.close();
  });
}
