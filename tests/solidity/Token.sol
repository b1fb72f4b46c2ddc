// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token as most of them are written: OpenZeppelin's ERC-20, everything to the deployer.
contract Token is ERC20 {
    constructor(uint256 initialSupply) ERC20("Solidity Token", "SOL") {
        _mint(msg.sender, initialSupply);
    }
}
