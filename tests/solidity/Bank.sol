// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// Keeps what is paid in. One way to get it back is careless, the other has a guard, which is in transient storage.
contract Bank is ReentrancyGuardTransient {
    mapping(address => uint256) public balanceOf;

    event Paid(address indexed who, uint256 amount);

    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
        emit Paid(msg.sender, msg.value);
    }

    /// Sends before it forgets.
    function withdrawCareless() external {
        pay();
    }

    function withdraw() external nonReentrant {
        pay();
    }

    /// Ends the bank, by the chain's system builtin. What it has goes to the heir.
    function close(address heir) external {
        (bool done,) = address(0x900).call(abi.encodeWithSignature("terminate(address)", heir));
        require(done, "the end was refused");
    }

    function pay() private {
        uint256 amount = balanceOf[msg.sender];
        (bool done,) = msg.sender.call{value: amount}("");
        require(done, "the receiver failed");
        balanceOf[msg.sender] = 0;
    }
}
