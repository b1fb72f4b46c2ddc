// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Made by another contract.
contract Child {
    uint256 public immutable value;
    address public immutable maker;

    constructor(uint256 initial) payable {
        require(initial != 0, "zero is no value");
        value = initial;
        maker = msg.sender;
    }

    function end(address payable heir) external {
        require(msg.sender == maker, "not my maker");
        // The compiler has no SELFDESTRUCT; the chain's system builtin ends a contract.
        (bool done,) = address(0x900).call(abi.encodeWithSignature("terminate(address)", heir));
        require(done, "the end was refused");
    }

    /// What the chain tells of itself.
    function block_() external view returns (uint256 number, uint256 time, bytes32 parent, uint256 chain, address author) {
        return (block.number, block.timestamp, blockhash(block.number - 1), block.chainid, block.coinbase);
    }
}
