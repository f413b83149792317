// The client of the SDK for Node in the tests: `node sdk_client.mjs WHAT URL ENVELOPE ENVELOPE` (for `deltas`: a run, and the
// file that lets its node go on) prints what it has seen, as JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { Client, GatewayError, RunNotCompleted } from "../../sdk/typescript/src/index.js";

const [what, url, variants, approval] = process.argv.slice(2);
const client = new Client(url);
const envelope = (path) => JSON.parse(readFileSync(path, "utf8"));

async function thrown(promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof GatewayError) return [error.status, error.code];
    if (error instanceof RunNotCompleted) return [error.status, error.error.code];
    throw error;
  }
  return "nothing";
}

async function untilAsked(runId) {
  for await (const frame of client.stream(runId)) if (frame.type === "hitl_request") return frame.payload.requestId;
  throw new Error("the run asks nobody");
}

const SCENARIOS = {
  async stream() {
    const frames = [];
    for await (const frame of client.stream(await client.submit(envelope(variants)))) frames.push(frame);
    return frames;
  },

  async decisions() {
    const submit = () => client.submit(envelope(approval));
    const [approved, rejected, aborted] = await Promise.all([submit(), submit(), submit()]);
    const asked = [];
    for (const runId of [approved, rejected, aborted]) asked.push(await untilAsked(runId));
    const open = await client.requests(approved);
    await client.approve(approved, { note: "good" });
    await client.reject(rejected);
    await client.abort(aborted, { reason: "no longer needed" });
    return {
      open: open.map((each) => each.requestId),
      asked: asked.slice(0, 1),
      approved: await client.result(approved),
      again: await thrown(client.approve(approved)),
      rejected: await thrown(client.result(rejected)),
      aborted: await thrown(client.result(aborted)),
      shown: (await client.show(rejected)).status,
    };
  },

  async deltas() {
    let text = "";
    const types = [];
    for await (const frame of client.stream(variants, { deltas: true })) {
      if (frame.type !== "node_delta") types.push(frame.type);
      else if ((text += frame.payload.text ?? "") === "one two") writeFileSync(approval, "");
    }
    return { text, last: types.at(-1) };
  },

  async ends() {
    const idempotencyKey = `twice-${process.pid}`;
    const first = await client.submit(envelope(variants), { idempotencyKey });
    const second = await client.submit(envelope(variants), { idempotencyKey });
    let last = 0;
    for await (const frame of client.stream(first)) last = Number(frame.id);
    let more = 0;
    for await (const _ of client.stream(first, { after: last })) more += 1;
    const waiting = await client.submit(envelope(approval));
    const signal = AbortSignal.timeout(200);
    let ended = "";
    try {
      for await (const _ of client.stream(waiting, { signal }));
    } catch (error) {
      ended = error.name;
    }
    await client.abort(waiting);
    const refused = await thrown(client.submit({ objective: "" }));
    return { same: first === second, more, ended, refused, unknown: await thrown(client.show("nothing")) };
  },
};

console.log(JSON.stringify(await SCENARIOS[what]()));
