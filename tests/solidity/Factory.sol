// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Pair} from "./Pair.sol";

/// Makes pairs, at addresses that follow from their tokens.
contract Factory {
    mapping(address => mapping(address => address)) public getPair;
    address[] public allPairs;

    event PairCreated(address indexed token0, address indexed token1, address pair, uint256 count);

    function createPair(address a, address b) external returns (address pair) {
        require(a != b, "the same token");
        (address token0, address token1) = a < b ? (a, b) : (b, a);
        require(token0 != address(0), "no token");
        require(getPair[token0][token1] == address(0), "there is a pair");
        pair = address(new Pair{salt: keccak256(abi.encodePacked(token0, token1))}());
        Pair(pair).initialize(token0, token1);
        getPair[token0][token1] = pair;
        getPair[token1][token0] = pair;
        allPairs.push(pair);
        emit PairCreated(token0, token1, pair, allPairs.length);
    }
}
