// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A number in storage, a constant from the constructor (which resolc keeps as immutable data), an event, and one
/// revert of each kind.
contract Storage {
    uint256 private value;
    address public immutable owner;

    event Changed(address indexed by, uint256 oldValue, uint256 newValue);

    error NotOwner(address caller);

    constructor(uint256 initial) {
        owner = msg.sender;
        value = initial;
    }

    function store(uint256 newValue) external {
        emit Changed(msg.sender, value, newValue);
        value = newValue;
    }

    function retrieve() external view returns (uint256) {
        return value;
    }

    /// Panics above the largest number.
    function add(uint256 amount) external {
        value += amount;
    }

    function reset() external {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        value = 0;
    }

    function requireLess(uint256 limit) external view {
        require(value < limit, "value is not less");
    }
}
