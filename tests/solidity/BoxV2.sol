// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {BoxV1} from "./BoxV1.sol";

/// The second program: it can do more with the same storage.
contract BoxV2 is BoxV1 {
    function increment() external {
        value++;
    }

    function version() external pure override returns (string memory) {
        return "two";
    }
}
