// A program as a user of the SDK writes it, to be type-checked strictly against, and run with, the packed package.
import { capability, Client, Worker, type Bundle, type Frame, type TaskEnvelope, type Usage } from "flexrun-sdk";

type Person = { name: string };

const greet = capability({
  id: "acme.greet",
  facetsIn: ["person", { name: "note", required: false, many: true }],
  facetsOut: "greeting",
  facets: { greeting: { type: "object", required: ["text"] } },
  limits: { maxConcurrent: 2 },
  async run({ person }: { person: Person; note?: string[] }, context) {
    const used: Partial<Usage> = { inputTokens: 3, model: "m" };
    context.usage(used);
    context.log("greeting", "debug");
    context.delta({ patch: [{ op: "add", path: "/text", value: "Hel" }] });
    await fetch("http://127.0.0.1:9/", { signal: context.signal }).catch(() => undefined);
    const bundle: Bundle = context.bundle;
    return { text: `Hello, ${person.name}, at ${bundle.attempt}!` };
  },
});

capability({ id: "acme.first", run: ({ numbers }) => numbers[0] });
export function wrong() {
  // @ts-expect-error: an attempt has a function
  capability({ id: "acme.nothing" });
  // @ts-expect-error: a word that no descriptor has
  capability({ id: "acme.wrong", run: () => 1, facetIn: "person" });
}

const envelope: TaskEnvelope = { objective: "x", outputContract: { mode: "facets", facets: ["greeting"] } };
// @ts-expect-error: an envelope has an objective
export const smaller: TaskEnvelope = { outputContract: { mode: "facets", facets: ["greeting"] } };

export async function follow(client: Client): Promise<string> {
  const runId: string = await client.submit(envelope, { idempotencyKey: "once" });
  for await (const frame of client.stream(runId, { deltas: true })) {
    const known: Frame = frame;
    if (known.type === "node_delta") console.log(known.payload.text);
    if (known.type === "complete") return known.payload.status;
    if (known.type === "hitl_request") await client.approve(runId, { requestId: known.payload.requestId });
  }
  await client.abort(runId, { reason: "no longer needed" });
  return (await client.show(runId)).status;
}

export const worker = new Worker([greet], { url: ["http://127.0.0.1:9"], slots: 2, drainSeconds: 0.1 });
console.log(worker.workerId !== "", greet.descriptor.label);
