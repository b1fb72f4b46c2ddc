// Drives a node with viem: deploys OpenZeppelin's ERC-20, calls it, sends to it, reads receipts and logs.

import { BaseError, ContractFunctionRevertedError, createPublicClient, createWalletClient, defineChain, http, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { KEYS, called, check, contract, finish } from "./report.mjs";

const [url, contracts] = process.argv.slice(2);
const chain = defineChain({
  id: 1337,
  name: "PolkaVM",
  nativeCurrency: { name: "Unit", symbol: "UNIT", decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const transport = http(url, {
  onFetchRequest: async (request) => {
    const body = await request.clone().json();
    (Array.isArray(body) ? body : [body]).forEach(({ method }) => called(method));
  },
  retryCount: 0,
});
const client = createPublicClient({ chain, transport, pollingInterval: 300, cacheTime: 0 });
const [alice, bob] = KEYS.map((key) => privateKeyToAccount(key));
const wallet = createWalletClient({ account: alice, chain, transport });

check("chain id", await client.getChainId(), 1337);
check("balance", (await client.getBalance({ address: alice.address })) > parseEther("1000"), true);
const to = "0x0000000000000000000000000000000000012345";
const had = await client.getBalance({ address: to });
const hash = await wallet.sendTransaction({ to, value: 1_000_000_000_000_000_001n });
const transfer = await client.waitForTransactionReceipt({ hash });
check("transfer: status", transfer.status, "success");
check("transfer: received, to the last wei", (await client.getBalance({ address: to })) - had, 1_000_000_000_000_000_001n);
check("transaction by hash", (await client.getTransaction({ hash })).from, alice.address.toLowerCase());
const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] });
check("fee history", history.baseFeePerGas.length, history.gasUsedRatio.length + 1);

const token = contract(contracts, "Token");
const deployment = await wallet.deployContract({ ...token, args: [1_000_000n] });
const made = await client.waitForTransactionReceipt({ hash: deployment });
check("deployment: status", made.status, "success");
const at = { address: made.contractAddress, abi: token.abi };
check("name", await client.readContract({ ...at, functionName: "name" }), "Solidity Token");
check("code", (await client.getCode({ address: at.address })).length, token.bytecode.length);

const filter = await client.createContractEventFilter({ ...at, eventName: "Transfer" });
const blocks = await client.createBlockFilter();
const { request } = await client.simulateContract({ ...at, account: alice, functionName: "transfer", args: [bob.address, 250n] });
const sent = await client.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
check("transfer of tokens: status", sent.status, "success");
check("balanceOf", await client.readContract({ ...at, functionName: "balanceOf", args: [bob.address] }), 250n);
const logs = await client.getContractEvents({ ...at, eventName: "Transfer", args: { to: bob.address }, fromBlock: made.blockNumber });
check("the log by a filter of topics", logs.map(({ args, transactionHash }) => [args.value, transactionHash]), [[250n, sent.transactionHash]]);
const changes = await client.getFilterChanges({ filter });
check("the log by polling", changes.map(({ args }) => args.value), [250n]);
check("nothing new", await client.getFilterChanges({ filter }), []);
check("blocks by polling", (await client.getFilterChanges({ filter: blocks })).includes(sent.blockHash), true);
check("a filter is removed", [await client.uninstallFilter({ filter }), await client.uninstallFilter({ filter })], [true, false]);
const block = await client.getBlock({ blockNumber: sent.blockNumber, includeTransactions: true });
check("the block has the transaction", block.transactions.map((transaction) => transaction.hash), [sent.transactionHash]);
check("transactions in the block", await client.getBlockTransactionCount({ blockNumber: sent.blockNumber }), 1);

const gas = await client.estimateContractGas({ ...at, account: alice, functionName: "transfer", args: [to, 5n] });
const exact = await wallet.writeContract({ ...at, functionName: "transfer", args: [to, 5n], gas });
check("the estimate suffices", (await client.waitForTransactionReceipt({ hash: exact })).status, "success");

try {
  await client.simulateContract({ ...at, account: bob, functionName: "transfer", args: [to, 1_000_000n] });
  check("a call that reverts", "passed", "reverted");
} catch (error) {
  const revert = error instanceof BaseError && error.walk((inner) => inner instanceof ContractFunctionRevertedError);
  check("a custom error of the contract", revert?.data?.errorName, "ERC20InsufficientBalance");
}
finish("viem");
