#!/usr/bin/env node
/** `flexrun-worker greetings.mjs`: a worker for the capabilities that files export. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { CapabilityMistake, GatewayError } from "./errors.js";
import { DEFAULT_URL } from "./gateways.js";
import { Worker } from "./worker.js";

const USAGE = `usage: flexrun-worker FILE… [--url URL] [--slots N] [--worker-id NAME] [--drain-seconds N]
                      [--replace]

Runs the capabilities that the files export as a worker.

  --url URL         the gateway, or several with commas between them (FLEXRUN_URL; ${DEFAULT_URL})
  --slots N         attempts at the same time (10)
  --worker-id NAME  the name that the registry shows
  --drain-seconds N how long a stop waits for what runs (10)
  --replace         register anew what is registered in other words

A token, if one is needed, is in FLEXRUN_TOKEN.`;
const REFUSED = 2;

async function main() {
  const { values, positionals } = said();
  if (values.help || positionals.length === 0) {
    console.log(USAGE);
    return values.help ? 0 : REFUSED;
  }
  try {
    const files = await Promise.all(positionals.map(load));
    const worker = new Worker(files, {
      url: values.url ?? process.env["FLEXRUN_URL"] ?? DEFAULT_URL,
      slots: Number(values.slots),
      drainSeconds: Number(values["drain-seconds"]),
      replaces: values.replace,
      ...(process.env["FLEXRUN_TOKEN"] && { token: process.env["FLEXRUN_TOKEN"] }),
      ...(values["worker-id"] && { workerId: values["worker-id"] }),
    });
    // One attempt's forgotten promise must not end the others.
    process.on("unhandledRejection", (error) => console.error("a promise was rejected that nothing waits for:", error));
    await worker.run();
  } catch (error) {
    console.error(`this worker cannot start: ${wordsOf(error)}`);
    return REFUSED;
  }
  return 0;
}

/** @param {string} file */
function load(file) {
  if (!existsSync(file)) throw new CapabilityMistake(`there is no file ${file}`);
  return import(pathToFileURL(resolve(file)).href);
}

/** @param {unknown} error */
function wordsOf(error) {
  if (error instanceof GatewayError && error.code === "version_registered") {
    const words = "its facets get it, too. While you develop, --replace registers a changed descriptor, but no changed facet";
    return `${error.message}\ngive the capability a new version; ${words}`;
  }
  if (error instanceof CapabilityMistake || error instanceof GatewayError || error instanceof RangeError) return error.message;
  return error instanceof Error ? error.stack : error;
}

function said() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        url: { type: "string" },
        slots: { type: "string", default: "10" },
        "worker-id": { type: "string" },
        "drain-seconds": { type: "string", default: "10" },
        replace: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\n\n${USAGE}`);
    process.exit(REFUSED);
  }
}

process.exit(await main());
