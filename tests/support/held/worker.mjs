// Two functions for a worker in Node: `flexrun-worker tests/support/held/worker.mjs`. What steps.py says, it does.
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { capability } from "../../../sdk/typescript/src/index.js";

const folder = process.env.HELD_FOLDER;
const text = {
  type: "object",
  required: ["text"],
  properties: { text: { type: "string" } },
  additionalProperties: false,
};

async function take(given) {
  appendFileSync(join(folder, "worker.calls"), `${process.pid}\n`);
  while (!existsSync(join(folder, "worker.go"))) await pause(20);
  return { text: `${given.text}, worker` };
}

// It may run again.
export const draft = capability({
  id: "held.worker",
  facetsIn: "account",
  facetsOut: "draft",
  facets: { draft: text },
  heartbeatSeconds: 2,
  run: ({ account }) => take(account),
});

// It must not run twice.
export const draftOnce = capability({
  id: "held.worker.once",
  facetsIn: "ticket",
  facetsOut: "draft_once",
  facets: { draft_once: text },
  heartbeatSeconds: 2,
  idempotent: false,
  run: ({ ticket }) => take(ticket),
});
