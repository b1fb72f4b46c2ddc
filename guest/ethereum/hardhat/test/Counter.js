const assert = require("node:assert");
const { BrowserProvider, ContractFactory } = require("ethers");
const hre = require("hardhat");

describe("Counter", function () {
  this.timeout(120_000);
  let owner, other, counter;

  before(async () => {
    // Hardhat's network is an EIP-1193 provider, as a wallet in the browser is.
    const provider = new BrowserProvider(hre.network.provider, undefined, { cacheTimeout: -1, pollingInterval: 300 });
    [owner, other] = await provider.listAccounts();
    const { abi, bytecode } = await hre.artifacts.readArtifact("Counter");
    counter = await new ContractFactory(abi, bytecode, owner).deploy(5n);
    await counter.waitForDeployment();
  });

  it("has the count of its constructor", async () => {
    assert.equal(await counter.count(), 5n);
    assert.equal(await counter.owner(), owner.address);
  });

  it("counts up for everybody, with an event", async () => {
    const receipt = await (await counter.connect(other).up(3n)).wait();
    assert.equal(receipt.status, 1);
    assert.deepEqual(receipt.logs.map(({ fragment, args }) => [fragment.name, ...args]), [["Counted", other.address, 8n]]);
    assert.equal(await counter.count(), 8n);
  });

  it("counts down for its owner alone", async () => {
    await (await counter.down(2n)).wait();
    assert.equal(await counter.count(), 6n);
    await assert.rejects(counter.connect(other).down.staticCall(1n), ({ revert }) => revert?.name === "OwnableUnauthorizedAccount");
  });

  it("does not count below zero", async () => {
    await assert.rejects(counter.down.staticCall(7n), ({ revert }) => revert?.name === "BelowZero" && revert.args.count === 6n);
  });

  it("is estimated so that the estimate suffices", async () => {
    const gasLimit = await counter.up.estimateGas(1n);
    const receipt = await (await counter.up(1n, { gasLimit })).wait();
    assert.equal(receipt.status, 1);
  });
});
