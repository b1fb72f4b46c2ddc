// What the clients' scripts have in common: checks, and a count of the methods that each client has called.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";

/** The keys that a development node prints, with balance. */
export const KEYS = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
];

const calls = new Map();
let failures = 0;

/** Counts a call of a method. An error that a check wants is an answer as well. */
export function called(method) {
  calls.set(method, (calls.get(method) ?? 0) + 1);
}

const plain = (value) => JSON.stringify(value, (_, part) => (typeof part === "bigint" ? part.toString() : part));

/** Fails the run unless both are the same. */
export function check(what, actual, expected) {
  if (isDeepStrictEqual(actual, expected)) {
    console.log(`  ok    ${what}`);
  } else {
    failures += 1;
    console.log(`  WRONG ${what}: ${plain(actual)}, expected ${plain(expected)}`);
  }
}

/** A program with its ABI, as scripts/build-solidity leaves them. */
export function contract(folder, name) {
  const abi = JSON.parse(readFileSync(`${folder}/${name}.abi`, "utf8"));
  return { abi, bytecode: "0x" + readFileSync(`${folder}/${name}.polkavm`).toString("hex") };
}

/** An address that leads to `url`, and counts the methods which clients call there that are programs of their own. */
export async function counted(url) {
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    try {
      [JSON.parse(body)].flat().forEach(({ method }) => called(method));
      const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(Buffer.from(await answer.arrayBuffer()));
    } catch (error) {
      response.writeHead(502);
      response.end(String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

/** The path of a program whose package has a package of its own for each platform. */
export function program(family, name) {
  const cpu = { x64: "amd64" }[process.arch] ?? process.arch;
  const manifest = createRequire(import.meta.url).resolve(`${family}-${process.platform}-${cpu}/package.json`);
  return join(dirname(manifest), "bin", name);
}

/** Prints the table and ends the process. */
export function finish(client) {
  for (const [method, count] of [...calls].sort()) {
    console.log(`${client}\t${method}\t${count}`);
  }
  console.log(failures === 0 ? `${client}: all is as it should be` : `${client}: ${failures} checks FAILED`);
  process.exit(failures === 0 ? 0 : 1);
}
