// A run through openapi-fetch with the types that openapi-typescript has made: `node program.mts URL ENVELOPE`.
// Prints the statuses and the types of events that it saw, as JSON.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./flexrun.d.ts";

type Envelope = components["schemas"]["TaskEnvelope"];
type FlexEvent = components["schemas"]["FlexEvent"];

const [url, envelopePath] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: url });
const envelope: Envelope = JSON.parse(readFileSync(envelopePath, "utf8"));
// The least that is sent: all else may be left out, in the types too.
const smallest: Envelope = { objective: "x", outputContract: { schema: { type: "strin" } } };

function ok<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

function frames(stream: string): FlexEvent[] {
  const data = stream.split("\n").filter((line) => line.startsWith("data: "));
  return data.map((line) => JSON.parse(line.slice("data: ".length)));
}

const text = { parseAs: "text" } as const;
const begun = frames(ok(await client.POST("/api/v1/flex/run.stream", { body: envelope, ...text })));
const runId = begun[0]!.runId;
const path = { run_id: runId };

const listed = ok(await client.GET("/api/v1/flex/runs"));
const waiting = ok(await client.GET("/api/v1/flex/runs/{run_id}", { params: { path } }));
const pending = ok(await client.GET("/api/hitl/pending", { params: { query: { runId } } }));
const requestId = pending.requests[0]!.requestId;
const outcome = ok(
  await client.POST("/api/hitl/resume", {
    body: { runId, requestId, operator: "ada", responses: [{ responseType: "approval", approved: true }] },
  }),
);

const headers = { Accept: "text/event-stream" };
const events = "/api/v1/flex/runs/{run_id}/events";
const stream: string = ok(await client.GET(events, { params: { path }, headers, ...text }));
const page = ok(await client.GET(events, { params: { path } }));
const done = ok(await client.GET("/api/v1/flex/runs/{run_id}", { params: { path } }));

const refused = await client.POST("/api/v1/flex/runs", { body: smallest });
const resumed = { ...envelope, constraints: { resumeRunId: runId } };
const another = ok(await client.POST("/api/v1/flex/runs", { body: resumed }));
console.log(
  JSON.stringify({
    runId,
    listed: listed.runs.map((each) => each.runId),
    waiting: waiting.status,
    asked: JSON.stringify(waiting.pendingRequests.map((each) => each.requestId)) === JSON.stringify([requestId]),
    decided: outcome.runId,
    stream: frames(stream).map((event) => event.type),
    page: typeof page === "string" ? page : page.events.map((event) => event.type),
    done: done.status,
    output: done.output,
    refused: refused.error?.code,
    resumed: another.runId,
  }),
);
