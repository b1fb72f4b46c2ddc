// Drives a node with ethers 6: deploys OpenZeppelin's ERC-20, calls it, sends to it, reads receipts and logs.

import {
  Contract, ContractFactory, JsonRpcProvider, Transaction, Wallet, WebSocketProvider, getBytes, isError, keccak256, parseEther,
} from "ethers";
import { KEYS, called, check, contract, finish } from "./report.mjs";

const [url, contracts] = process.argv.slice(2);

class Counted extends JsonRpcProvider {
  async _send(payload) {
    (Array.isArray(payload) ? payload : [payload]).forEach(({ method }) => called(method));
    return super._send(payload);
  }
}

const provider = new Counted(url, undefined, { pollingInterval: 300, cacheTimeout: -1 });
const [alice, bob] = KEYS.map((key) => new Wallet(key, provider));

/** The error that something fails with. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

check("chain id", (await provider.getNetwork()).chainId, 1337n);
check("no accounts of the node's", await provider.listAccounts(), []);
check("balance", (await provider.getBalance(alice.address)) > parseEther("1000"), true);
const nonceBefore = await alice.getNonce();

// A plain transfer, and what it costs.
const before = await provider.getBalance(alice.address);
const receiver = Wallet.createRandom().address;
const transfer = await (await alice.sendTransaction({ to: receiver, value: 12345678901234567n })).wait();
check("transfer: status", transfer.status, 1);
check("transfer: received, to the last wei", await provider.getBalance(receiver), 12345678901234567n);
const paid = before - (await provider.getBalance(alice.address)) - 12345678901234567n;
const difference = paid - transfer.gasUsed * transfer.gasPrice;
check("transfer: gas used times price is what was paid, within one gas", difference <= 0n && -difference < transfer.gasPrice, true);
for (const [kind, fees] of [[0, { gasPrice: (await provider.getFeeData()).gasPrice }], [1, { gasPrice: (await provider.getFeeData()).gasPrice, accessList: [] }], [2, {}]]) {
  const sent = await alice.sendTransaction({ to: receiver, value: 1n, type: kind, ...fees });
  const receipt = await sent.wait();
  check(`a transaction of type ${kind}`, [receipt.status, receipt.type], [1, kind]);
  const found = await provider.getTransaction(sent.hash);
  check(`found again by hash, type ${kind}`, [found.hash, found.from, found.to], [sent.hash, alice.address, receiver]);
}

// The token.
const token = contract(contracts, "Token");
const factory = new ContractFactory(token.abi, token.bytecode, alice);
const deployed = await factory.deploy(1_000_000n);
await deployed.waitForDeployment();
const address = await deployed.getAddress();
check("there is code", (await provider.getCode(address)).length, token.bytecode.length);
check("name", await deployed.name(), "Solidity Token");
check("totalSupply", await deployed.totalSupply(), 1_000_000n);
const sent = await deployed.transfer(bob.address, 250n);
const receipt = await sent.wait();
check("transfer of tokens: status", receipt.status, 1);
check("balanceOf", await deployed.balanceOf(bob.address), 250n);
check("an event in the receipt", receipt.logs.map((log) => [log.fragment.name, ...log.args]), [["Transfer", alice.address, bob.address, 250n]]);
const logs = await deployed.queryFilter(deployed.filters.Transfer(null, bob.address), receipt.blockNumber, "latest");
check("the log by a filter of topics", logs.map((log) => [log.transactionHash, log.args.value]), [[receipt.hash, 250n]]);
check("no log of another receiver", await deployed.queryFilter(deployed.filters.Transfer(null, receiver), receipt.blockNumber), []);
const block = await provider.getBlock(receipt.blockNumber, true);
check("the block has the transaction", block.prefetchedTransactions.map(({ hash }) => hash), [receipt.hash]);
check("the block by its hash", (await provider.getBlock(receipt.blockHash)).number, receipt.blockNumber);
const blockAsSent = await provider.send("eth_getBlockByHash", [receipt.blockHash, false]);
const receiptAsSent = await provider.send("eth_getTransactionReceipt", [receipt.hash]);
/** Ethereum's bloom filter over addresses and topics: three bits for each. */
function bloom(items) {
  const bits = new Uint8Array(256);
  for (const hash of items.map((item) => getBytes(keccak256(item)))) {
    for (const at of [0, 2, 4]) {
      const bit = ((hash[at] << 8) | hash[at + 1]) & 0x7ff;
      bits[255 - (bit >> 3)] |= 1 << (bit & 7);
    }
  }
  return "0x" + Buffer.from(bits).toString("hex");
}
const expected = bloom([address, ...receipt.logs[0].topics]);
check("blooms of the block and the receipt", [blockAsSent.logsBloom, receiptAsSent.logsBloom], [expected, expected]);
check("past state", await deployed.balanceOf(bob.address, { blockTag: receipt.blockNumber - 1 }), 0n);
check("storage: the supply", BigInt(await provider.getStorage(address, 2)), 1_000_000n);

// Gas: exactly the estimate suffices.
const estimate = await deployed.transfer.estimateGas(receiver, 5n);
const exact = await (await deployed.transfer(receiver, 5n, { gasLimit: estimate })).wait();
check("the estimate suffices", [exact.status, exact.gasUsed <= estimate], [1, true]);

// Errors are where ethers looks for them.
const short = await failure(deployed.connect(bob).transfer.staticCall(alice.address, 1_000_000n));
check("a custom error of the contract", [short.code, short.revert?.name], ["CALL_EXCEPTION", "ERC20InsufficientBalance"]);
const unsent = await failure(deployed.connect(bob).transfer(alice.address, 1_000_000n));
const selector = deployed.interface.getError("ERC20InsufficientBalance").selector;
check("the same by an estimate", [unsent.code, unsent.data?.slice(0, 10)], ["CALL_EXCEPTION", selector]);
const reverted = await deployed.connect(bob).transfer(alice.address, 1_000_000n, { gasLimit: 500_000n });
const lost = await failure(reverted.wait());
check("a transaction that reverts has a receipt of status 0", [lost.code, lost.receipt?.status], ["CALL_EXCEPTION", 0]);
const poor = Wallet.createRandom().connect(provider);
const broke = await failure(poor.sendTransaction({ to: receiver, value: 1n, gasLimit: 100_000n }));
check("a sender without money", isError(broke, "INSUFFICIENT_FUNDS"), true);
const old = await failure(alice.sendTransaction({ to: receiver, value: 1n, nonce: nonceBefore, gasLimit: 100_000n }));
check("a nonce of the past", isError(old, "NONCE_EXPIRED"), true);
const raw = await alice.signTransaction({ ...(await alice.populateTransaction({ to: receiver, value: 1n })), chainId: 1n });
const foreign = await failure(provider.broadcastTransaction(raw));
check("another chain's id", /invalid chain id/.test(foreign.error?.message ?? foreign.message), true);
const garbage = await failure(provider.send("eth_sendRawTransaction", ["0xdeadbeef"]));
check("no transaction", garbage !== undefined, true);

// Several at once: the pool's nonces count.
const nonce = await alice.getNonce("pending");
const many = await Promise.all([0, 1, 2].map((add) => alice.sendTransaction({ to: receiver, value: 1n, nonce: nonce + add, gasLimit: 100_000n })));
check("nonces while transactions wait", await alice.getNonce("pending"), nonce + 3);
const waiting = await provider.getTransaction(many[2].hash);
check("a transaction is found while it waits", waiting?.hash, many[2].hash);
const all = await Promise.all(many.map((one) => one.wait()));
check("all of them are mined", all.map(({ status }) => status), [1, 1, 1]);
check("a transaction is parsed as it was sent", Transaction.from(raw).chainId, 1n);

// Subscriptions.
const socket = new WebSocketProvider(url.replace("http", "ws"));
socket.websocket.onerror = () => {};
const listening = new Contract(address, token.abi, socket);
const heard = new Promise((resolve) => listening.on("Transfer", (from, to, value) => resolve([from, to, value])));
const head = new Promise((resolve) => socket.on("block", resolve));
called("eth_subscribe");
await new Promise((resolve) => setTimeout(resolve, 500));
await (await deployed.transfer(bob.address, 77n)).wait();
check("an event by subscription", await heard, [alice.address, bob.address, 77n]);
check("a block by subscription", (await head) > receipt.blockNumber, true);
await socket.destroy();
finish("ethers");
