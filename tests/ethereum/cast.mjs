// Drives a node with Foundry's cast: sends, deploys, calls, reads receipts, logs and traces.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { KEYS, check, contract, counted, finish, program } from "./report.mjs";

const [url, contracts] = process.argv.slice(2);
const proxy = await counted(url);
const cast = program("@foundry-rs/cast", "cast");

/** The output of a command of cast's, or the error that it prints. */
async function run(...args) {
  try {
    const { stdout } = await promisify(execFile)(cast, args, {
      env: { ...process.env, ETH_RPC_URL: proxy.url, NO_COLOR: "1" }, maxBuffer: 1 << 26,
    });
    return stdout.trim();
  } catch (error) {
    return error.stderr ?? String(error);
  }
}
const parsed = async (...args) => {
  const text = await run(...args);
  try {
    return JSON.parse(text);
  } catch {
    return { error: text };
  }
};
/** Sends as the first key; returns the receipt. */
const send = (...args) => parsed("send", "--json", "--private-key", KEYS[0], ...args);

check("chain id", await run("chain-id"), "1337");
check("block number", /^\d+$/.test(await run("block-number")), true);
check("client", await run("client"), "node-template/v0.1.0");
const alice = await run("wallet", "address", KEYS[0]);
const bob = await run("wallet", "address", KEYS[1]);
check("balance", BigInt(await run("balance", alice)) > 10n ** 21n, true);
check("gas price and base fee", await run("gas-price"), await run("base-fee"));
const nonce = Number(await run("nonce", alice));

const receiver = (await parsed("wallet", "new", "--json"))[0].address;
for (const flags of [[], ["--legacy"], ["--async"]]) {
  const sent = await run("send", "--json", "--private-key", KEYS[0], ...flags, receiver, "--value", "7wei");
  const hash = flags[0] === "--async" ? sent : JSON.parse(sent).transactionHash;
  check(`send ${flags}: status`, await run("receipt", hash, "status"), flags[0] === "--async" ? await run("receipt", hash, "status") : "true");
}
check("received", await run("balance", receiver), "21");
check("nonce", Number(await run("nonce", alice)), nonce + 3);

// The token.
const token = contract(contracts, "Token");
const made = await send("--create", token.bytecode, "constructor(uint256)", "1000000");
const address = made.contractAddress;
check("deployed", made.status, "0x1");
check("the address is the sender's and its nonce's", address?.toLowerCase(), (await run("compute-address", alice, "--nonce", String(nonce + 3))).split(" ").at(-1).toLowerCase());
check("code", (await run("code", address)).length, token.bytecode.length);
check("name", await run("call", address, "name()(string)"), '"Solidity Token"');
check("storage: the supply", BigInt(await run("storage", address, "2")), 1_000_000n);
const moved = await send(address, "transfer(address,uint256)", bob, "250");
check("transfer of tokens", moved.status, "0x1");
check("balanceOf", (await run("call", address, "balanceOf(address)(uint256)", bob)).split(" ")[0], "250");
const before = String(Number(moved.blockNumber) - 1);
check("past state", (await run("call", "--block", before, address, "balanceOf(address)(uint256)", bob)).split(" ")[0], "0");
const logs = await parsed("logs", "--json", "--address", address, "--from-block", String(Number(moved.blockNumber)), "Transfer(address indexed,address indexed,uint256)");
check("logs", logs.map?.(({ transactionHash, data }) => [transactionHash, BigInt(data)]), [[moved.transactionHash, 250n]]);
const estimate = await run("estimate", "--from", alice, address, "transfer(address,uint256)", bob, "5");
const exact = await send("--gas-limit", estimate, address, "transfer(address,uint256)", bob, "5");
check("exactly the estimate suffices", [exact.status, Number(exact.gasUsed) <= Number(estimate)], ["0x1", true]);
const block = await parsed("block", "--json", String(Number(moved.blockNumber)));
check("the block has the transaction", block.transactions, [moved.transactionHash]);
check("the transaction", (await parsed("tx", "--json", moved.transactionHash)).hash, moved.transactionHash);
check("no access list is needed", (await run("access-list", "--from", alice, address, "name()")).includes("access list"), true);

// Errors.
const refused = await run("call", "--from", receiver, address, "transfer(address,uint256)", bob, "1");
const selector = (await run("sig", "ERC20InsufficientBalance(address,uint256,uint256)")).trim();
check("a custom error of the contract", refused.includes(selector), true);
check("proofs are refused by name", (await run("proof", address, "2")).includes("eth_getProof is not supported"), true);
check("no signed transaction", (await run("publish", "0xdeadbeef")).startsWith("Error"), true);

// Traces.
const options = '{"tracer":"callTracer"}';
const traced = await parsed("rpc", "debug_traceTransaction", moved.transactionHash, options);
check("trace of a transaction", [traced.type, traced.from, traced.to, traced.gasUsed, BigInt(traced.output ?? 0)], ["CALL", alice.toLowerCase(), address?.toLowerCase(), moved.gasUsed, 1n]);
const made2 = await parsed("rpc", "debug_traceTransaction", made.transactionHash, options);
check("trace of a deployment", [made2.type, made2.to], ["CREATE", address?.toLowerCase()]);
const whole = await parsed("rpc", "debug_traceBlockByNumber", moved.blockNumber, options);
check("trace of its block", whole, [{ txHash: moved.transactionHash, result: traced }]);
const data = await run("calldata", "transfer(address,uint256)", bob, "1");
const reverted = await parsed("rpc", "debug_traceCall", JSON.stringify({ from: receiver, to: address, data }), "latest", options);
check("trace of a call that reverts", [reverted.error, reverted.output?.slice(0, 10)], ["execution reverted", selector]);
check("no trace of EVM steps", (await run("rpc", "debug_traceTransaction", moved.transactionHash)).includes("callTracer"), true);

proxy.stop();
finish("cast");
