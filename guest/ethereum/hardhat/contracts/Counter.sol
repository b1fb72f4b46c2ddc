// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// Counts up; only its owner may count down.
contract Counter is Ownable {
    uint256 public count;

    event Counted(address indexed by, uint256 count);

    error BelowZero(uint256 count, uint256 step);

    constructor(uint256 first) Ownable(msg.sender) {
        count = first;
    }

    function up(uint256 step) external {
        count += step;
        emit Counted(msg.sender, count);
    }

    function down(uint256 step) external onlyOwner {
        if (step > count) revert BelowZero(count, step);
        count -= step;
        emit Counted(msg.sender, count);
    }
}
