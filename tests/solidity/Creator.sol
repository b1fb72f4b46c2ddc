// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Child} from "./Child.sol";

/// Makes contracts by both ways, and handles their failures.
contract Creator {
    event Made(address child);

    function create(uint256 value) external payable returns (address child) {
        child = address(new Child{value: msg.value}(value));
        emit Made(child);
    }

    function create2(bytes32 salt, uint256 value) external returns (address child) {
        child = address(new Child{salt: salt}(value));
        emit Made(child);
    }

    /// The reason for which a constructor refuses its argument.
    function refused() external returns (string memory reason) {
        try new Child(0) {
            return "made";
        } catch Error(string memory why) {
            return why;
        }
    }

    /// Makes a contract and ends it at once; what it had comes back.
    function createAndEnd() external payable returns (address child, uint256 back) {
        Child made = new Child{value: msg.value}(1);
        made.end(payable(this));
        return (address(made), address(this).balance);
    }

    receive() external payable {}
}
