// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Calls Ethereum's precompiles and compares with known answers.
contract Builtins {
    function recovers(bytes32 hash, uint8 v, bytes32 r, bytes32 s) external pure returns (address) {
        return ecrecover(hash, v, r, s);
    }

    function hashes() external pure returns (bool) {
        return sha256("abc") == 0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
            && ripemd160("abc") == bytes20(hex"8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
    }

    function identity() external view returns (bool) {
        (bool done, bytes memory data) = address(4).staticcall("anything");
        return done && keccak256(data) == keccak256("anything");
    }

    function modexp(uint256 base, uint256 exponent, uint256 modulus) external view returns (uint256) {
        bytes memory input = abi.encode(uint256(32), uint256(32), uint256(32), base, exponent, modulus);
        (bool done, bytes memory data) = address(5).staticcall(input);
        require(done, "modexp failed");
        return abi.decode(data, (uint256));
    }

    /// Whether P + P is 2 P.
    function curve() external view returns (bool) {
        uint256[4] memory twice = [uint256(1), 2, 1, 2];
        (bool added, bytes memory sum) = address(6).staticcall(abi.encode(twice));
        (bool multiplied, bytes memory product) = address(7).staticcall(abi.encode(uint256(1), uint256(2), uint256(2)));
        return added && multiplied && keccak256(sum) == keccak256(product) && sum.length == 64;
    }

    /// Whether e(P, Q) e(-P, Q) is one.
    function pairing() external view returns (bool) {
        uint256[12] memory input = [
            1,
            2,
            0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2,
            0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed,
            0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b,
            0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa,
            1,
            0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45,
            0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2,
            0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed,
            0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b,
            0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa
        ];
        (bool done, bytes memory data) = address(8).staticcall(abi.encode(input));
        return done && abi.decode(data, (uint256)) == 1;
    }

    /// BLAKE2b of "abc" by its compression function.
    function blake() external view returns (bool) {
        bytes memory input = abi.encodePacked(
            uint32(12),
            hex"48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5",
            hex"d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b",
            hex"6162630000000000000000000000000000000000000000000000000000000000",
            new bytes(96),
            hex"03000000000000000000000000000000",
            uint8(1)
        );
        (bool done, bytes memory data) = address(9).staticcall(input);
        return done
            && keccak256(data)
                == keccak256(
                    hex"ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
                );
    }
}
