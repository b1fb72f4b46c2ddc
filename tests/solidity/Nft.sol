// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// OpenZeppelin's ERC-721: the owner makes tokens, one after the other.
contract Nft is ERC721, Ownable {
    uint256 public made;

    constructor() ERC721("Solidity Things", "THING") Ownable(msg.sender) {}

    function mint(address to) external onlyOwner returns (uint256 id) {
        id = ++made;
        _safeMint(to, id);
    }
}
