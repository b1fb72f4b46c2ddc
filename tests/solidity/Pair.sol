// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What a pair needs of a token.
interface IToken {
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// A pool of two tokens, traded at a constant product, as Uniswap's second version has it: shares are minted for what
/// was sent in, burned for what goes out, and a swap has to leave the product no smaller, less a fee of 0.3 %.
contract Pair {
    uint256 private constant MINIMUM = 1000;

    address public immutable factory;
    address public token0;
    address public token1;
    uint112 private reserve0;
    uint112 private reserve1;
    uint32 private lastTime;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    bool private locked;

    event Mint(address indexed sender, uint256 amount0, uint256 amount1);
    event Burn(address indexed sender, uint256 amount0, uint256 amount1, address indexed to);
    event Swap(
        address indexed sender, uint256 in0, uint256 in1, uint256 out0, uint256 out1, address indexed to
    );
    event Sync(uint112 reserve0, uint112 reserve1);
    event Transfer(address indexed from, address indexed to, uint256 value);

    modifier lock() {
        require(!locked, "locked");
        locked = true;
        _;
        locked = false;
    }

    constructor() {
        factory = msg.sender;
    }

    function initialize(address first, address second) external {
        require(msg.sender == factory, "forbidden");
        token0 = first;
        token1 = second;
    }

    function getReserves() external view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, lastTime);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }

    function mint(address to) external lock returns (uint256 shares) {
        (uint256 balance0, uint256 balance1) = balances();
        uint256 amount0 = balance0 - reserve0;
        uint256 amount1 = balance1 - reserve1;
        if (totalSupply == 0) {
            shares = sqrt(amount0 * amount1) - MINIMUM;
            give(address(0), MINIMUM);
        } else {
            uint256 by0 = amount0 * totalSupply / reserve0;
            uint256 by1 = amount1 * totalSupply / reserve1;
            shares = by0 < by1 ? by0 : by1;
        }
        require(shares > 0, "nothing minted");
        give(to, shares);
        update(balance0, balance1);
        emit Mint(msg.sender, amount0, amount1);
    }

    function burn(address to) external lock returns (uint256 amount0, uint256 amount1) {
        (uint256 balance0, uint256 balance1) = balances();
        uint256 shares = balanceOf[address(this)];
        amount0 = shares * balance0 / totalSupply;
        amount1 = shares * balance1 / totalSupply;
        require(amount0 > 0 && amount1 > 0, "nothing burned");
        balanceOf[address(this)] -= shares;
        totalSupply -= shares;
        emit Transfer(address(this), address(0), shares);
        send(token0, to, amount0);
        send(token1, to, amount1);
        (balance0, balance1) = balances();
        update(balance0, balance1);
        emit Burn(msg.sender, amount0, amount1, to);
    }

    function swap(uint256 out0, uint256 out1, address to) external lock {
        require(out0 > 0 || out1 > 0, "nothing asked for");
        require(out0 < reserve0 && out1 < reserve1, "not enough there");
        if (out0 > 0) send(token0, to, out0);
        if (out1 > 0) send(token1, to, out1);
        (uint256 balance0, uint256 balance1) = balances();
        uint256 in0 = balance0 > reserve0 - out0 ? balance0 - (reserve0 - out0) : 0;
        uint256 in1 = balance1 > reserve1 - out1 ? balance1 - (reserve1 - out1) : 0;
        require(in0 > 0 || in1 > 0, "nothing paid");
        uint256 paid0 = balance0 * 1000 - in0 * 3;
        uint256 paid1 = balance1 * 1000 - in1 * 3;
        require(paid0 * paid1 >= uint256(reserve0) * reserve1 * 1000 ** 2, "K");
        update(balance0, balance1);
        emit Swap(msg.sender, in0, in1, out0, out1, to);
    }

    function balances() private view returns (uint256, uint256) {
        return (IToken(token0).balanceOf(address(this)), IToken(token1).balanceOf(address(this)));
    }

    function update(uint256 balance0, uint256 balance1) private {
        require(balance0 <= type(uint112).max && balance1 <= type(uint112).max, "overflow");
        reserve0 = uint112(balance0);
        reserve1 = uint112(balance1);
        lastTime = uint32(block.timestamp);
        emit Sync(reserve0, reserve1);
    }

    /// Tokens that return nothing are fine, as they are with Uniswap.
    function send(address token, address to, uint256 amount) private {
        (bool done, bytes memory data) = token.call(abi.encodeWithSelector(IToken.transfer.selector, to, amount));
        require(done && (data.length == 0 || abi.decode(data, (bool))), "transfer failed");
    }

    function give(address to, uint256 shares) private {
        totalSupply += shares;
        balanceOf[to] += shares;
        emit Transfer(address(0), to, shares);
    }

    function sqrt(uint256 square) private pure returns (uint256 root) {
        root = square;
        uint256 next = square / 2 + 1;
        while (next < root) {
            root = next;
            next = (square / next + next) / 2;
        }
    }
}
