// A Hardhat project for contracts on a node of this project: `make dev` in one terminal, `npx hardhat test` in another.
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");
require("@parity/hardhat-polkadot");

// Both compilers are those of package.json. Without these two tasks the plugins download others.
subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD).setAction(async ({ solcVersion }) => ({
  compilerPath: require.resolve("solc/soljson.js"),
  isSolcJs: true,
  version: solcVersion,
  longVersion: require("solc").version(),
}));
subtask("compile:solidity:resolc:get-build").setAction(async ({ resolcVersion }) => ({ version: resolcVersion, longVersion: resolcVersion }));

// The two keys with balance that a development chain prints. Everybody knows them.
const accounts = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
];

module.exports = {
  defaultNetwork: "node",
  solidity: require("solc/package.json").version,
  resolc: { version: require("./package.json").dependencies["@parity/resolc"], compilerSource: "npm", settings: { optimizer: { enabled: true } } },
  networks: {
    hardhat: { polkadot: { target: "pvm" } },
    node: { polkadot: { target: "pvm" }, url: process.env.ETH_RPC_URL ?? "http://127.0.0.1:9944", accounts },
  },
};
