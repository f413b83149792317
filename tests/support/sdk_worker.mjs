// Capabilities for a Node worker of the tests: `node sdk/typescript/src/command.js tests/support/sdk_worker.mjs`.
// Some say on standard error that they are at work, and go on when a file is there.
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { CapabilityError, capability } from "../../sdk/typescript/src/index.js";

const say = (words) => console.error(`TEST ${words}`);

export const sum = capability({
  id: "test.sum",
  run({ numbers }, context) {
    context.log("working");
    context.delta("1 + 2");
    context.usage({ seconds: 0.25, model: "abacus" });
    return numbers.reduce((total, each) => total + each, 0);
  },
});

export const fails = capability({
  id: "test.fails",
  run() {
    throw new CapabilityError("too_many", "too many numbers", { retryable: false });
  },
});

export const raises = capability({ id: "test.raises", run: (input) => input.nothing.at(0) });

export const nothing = capability({ id: "test.nothing", run: () => ({ at: [1, NaN] }) });

export const broken = capability({ id: "test.broken", run: () => "half a character: \ud800" });

export const shows = capability({
  id: "test.shows",
  async run({ go }, context) {
    context.delta("one ");
    context.delta("two");
    while (!existsSync(go)) await pause(5);
    return "one two";
  },
});

export const asks = capability({
  id: "test.asks",
  run(_, context) {
    if (context.answers.length === 0) context.ask("Which base?", { options: [{ id: "ten", label: "Ten" }] });
    return context.answers[0];
  },
});

export const waits = capability({
  id: "test.waits",
  async run(_, context) {
    say(`waits ${context.attempt}`);
    await pause(60_000, undefined, { signal: context.signal }).catch(() => say("heeds the signal"));
    context.signal.throwIfAborted();
  },
});

export const deaf = capability({
  id: "test.deaf",
  async run({ go }) {
    say("is deaf");
    while (!existsSync(go)) await pause(5);
    return "done";
  },
});

export const paced = capability({
  id: "test.paced",
  heartbeatSeconds: 2,
  async run({ seconds = 0 }, context) {
    say(`paced ${context.attempt}`);
    if (context.attempt === 1) await pause(seconds * 1000, undefined, { signal: context.signal });
    return context.attempt;
  },
});

export const blocks = capability({
  id: "test.blocks",
  heartbeatSeconds: 1,
  run({ go }, context) {
    say(`blocks ${context.attempt}`);
    while (context.attempt === 1 && !existsSync(go));
    return context.attempt;
  },
});
