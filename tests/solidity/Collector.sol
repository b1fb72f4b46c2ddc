// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// A contract that takes tokens of one kind: the other side of a safe transfer.
contract Collector is IERC721Receiver {
    address public immutable kind;
    uint256 public received;

    constructor(address only) {
        kind = only;
    }

    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        require(msg.sender == kind, "another kind");
        received++;
        return IERC721Receiver.onERC721Received.selector;
    }
}
