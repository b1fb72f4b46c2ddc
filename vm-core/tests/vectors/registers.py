#!/usr/bin/env python3
"""Writes registers.txt: what every register-only instruction does with edge-case operands.

The model below is a second opinion on the instruction set: it works with unbounded integers, is written from the
specification alone and shares nothing with the virtual machine. Run `python3 registers.py > registers.txt` after a
change; the result is committed, so that the tests need no Python.
"""

M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def quotient(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def div_u(bits):
    return lambda a, b: a // b if b else (1 << bits) - 1


def rem_u(a, b):
    return a % b if b else a


def div_s(bits):
    return lambda a, b: quotient(signed(a, bits), signed(b, bits)) if b else -1


def rem_s(bits):
    def rem(a, b):
        a, b = signed(a, bits), signed(b, bits)
        return a - quotient(a, b) * b if b else a

    return rem


def rotate_left(bits):
    def rotate(a, n):
        n %= bits
        return a << n | a >> (bits - n)

    return rotate


def rotate_right(bits):
    def rotate(a, n):
        n %= bits
        return a >> n | a << (bits - n)

    return rotate


# Of two operands that are first reduced to so many bits; the result is sign-extended from as many.
def pair(bits):
    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div_unsigned": div_u(bits),
        "div_signed": div_s(bits),
        "rem_unsigned": rem_u,
        "rem_signed": rem_s(bits),
        "shift_logical_left": lambda a, n: a << n % bits,
        "shift_logical_right": lambda a, n: a >> n % bits,
        "shift_arithmetic_right": lambda a, n: signed(a, bits) >> n % bits,
        "rotate_left": rotate_left(bits),
        "rotate_right": rotate_right(bits),
    }


# Of two operands of full width.
def wide(xlen):
    s = lambda value: signed(value, xlen)
    return {
        "and": lambda a, b: a & b,
        "or": lambda a, b: a | b,
        "xor": lambda a, b: a ^ b,
        "and_inverted": lambda a, b: a & ~b,
        "or_inverted": lambda a, b: a | ~b,
        "xnor": lambda a, b: ~(a ^ b),
        "maximum": lambda a, b: max(s(a), s(b)),
        "maximum_unsigned": max,
        "minimum": lambda a, b: min(s(a), s(b)),
        "minimum_unsigned": min,
        "set_less_than_unsigned": lambda a, b: int(a < b),
        "set_less_than_signed": lambda a, b: int(s(a) < s(b)),
        "mul_upper_signed_signed": lambda a, b: s(a) * s(b) >> xlen,
        "mul_upper_unsigned_unsigned": lambda a, b: a * b >> xlen,
        "mul_upper_signed_unsigned": lambda a, b: s(a) * b >> xlen,
    }


def leading(bits):
    return lambda a: bits - a.bit_length()


def trailing(bits):
    return lambda a: (a & -a).bit_length() - 1 if a else bits


def ones(a):
    return bin(a).count("1")


OLD = 0x0DD  # what the destination held before


def rows(xlen):
    """(mnemonic, operand kinds, function, shift amounts as second operand)"""
    mask = (1 << xlen) - 1
    s = lambda value: signed(value, xlen)
    sizes = [32] if xlen == 32 else [32, 64]
    for bits in sizes:
        low = lambda value, bits=bits: value & ((1 << bits) - 1)
        ops = pair(bits)
        for name, f in ops.items():
            shift = name.startswith(("shift", "rotate"))
            g = lambda a, b, f=f, low=low, bits=bits: signed(f(low(a), low(b)), bits)
            yield f"{name}_{bits}", "rr", g, shift
            if name == "add" or name == "mul" or (shift and name != "rotate_left"):
                yield f"{name}_imm_{bits}", "ri", g, shift
            if shift and name != "rotate_left":
                yield f"{name}_imm_alt_{bits}", "ri", lambda a, b, g=g: g(b, a), "alt"
        yield f"negate_and_add_imm_{bits}", "ri", lambda a, b, low=low, bits=bits: signed(b - a, bits), False
        for name, f in (
            ("count_leading_zero_bits", leading(bits)),
            ("count_trailing_zero_bits", trailing(bits)),
            ("count_set_bits", ones),
        ):
            yield f"{name}_{bits}", "r", lambda a, f=f, low=low: f(low(a)), False
    for name, f in wide(xlen).items():
        yield name, "rr", f, False
        if name in ("and", "or", "xor", "set_less_than_unsigned", "set_less_than_signed"):
            base = name
            yield f"{base}_imm", "ri", f, False
    yield "set_greater_than_unsigned_imm", "ri", lambda a, b: int(a > b), False
    yield "set_greater_than_signed_imm", "ri", lambda a, b: int(s(a) > s(b)), False
    yield "cmov_if_zero", "rr", lambda a, b: a if b == 0 else OLD, False
    yield "cmov_if_not_zero", "rr", lambda a, b: a if b != 0 else OLD, False
    yield "cmov_if_zero_imm", "ri", lambda a, b: b if a == 0 else OLD, False
    yield "cmov_if_not_zero_imm", "ri", lambda a, b: b if a != 0 else OLD, False
    yield "sign_extend_8", "r", lambda a: signed(a, 8), False
    yield "sign_extend_16", "r", lambda a: signed(a, 16), False
    yield "zero_extend_16", "r", lambda a: a & 0xFFFF, False
    yield "reverse_byte", "r", lambda a: int.from_bytes((a & mask).to_bytes(xlen // 8, "little"), "big"), False
    yield "move_reg", "r", lambda a: a, False
    yield "load_imm", "i", lambda a: a, False
    if xlen == 64:
        yield "load_imm64", "x", lambda a: a, False
    for name, f in (
        ("eq", lambda a, b: a == b),
        ("not_eq", lambda a, b: a != b),
        ("less_unsigned", lambda a, b: a < b),
        ("less_signed", lambda a, b: s(a) < s(b)),
        ("greater_or_equal_unsigned", lambda a, b: a >= b),
        ("greater_or_equal_signed", lambda a, b: s(a) >= s(b)),
    ):
        yield f"branch_{name}", "brr", f, False
        yield f"branch_{name}_imm", "bri", f, False
    for name, f in (
        ("less_or_equal_unsigned", lambda a, b: a <= b),
        ("less_or_equal_signed", lambda a, b: s(a) <= s(b)),
        ("greater_unsigned", lambda a, b: a > b),
        ("greater_signed", lambda a, b: s(a) > s(b)),
    ):
        yield f"branch_{name}_imm", "bri", f, False


def edges(xlen):
    top = 1 << (xlen - 1)
    values = [0, 1, 2, 0x7F, 0x80, 0xFFFF, top - 1, top, (1 << xlen) - 1, (1 << xlen) - 2, 0x12345678 | top]
    if xlen == 64:
        values += [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFF80000000, 0x123456789ABCDEF0]
    return values


IMMEDIATES = [0, 1, -1, 0x7F, -0x80, 0x8000, -0x800000, 0x7FFFFFFF, -0x80000000]
AMOUNTS = [0, 1, 7, 31, 32, 33, 63, 64, 65, 0xFF, -1]


def pairs(first, second):
    """Every value of both, paired so that each meets several of the other."""
    result = []
    for index, a in enumerate(first):
        for step in (0, 3):
            result.append((a, second[(index + step) % len(second)]))
    for a in first:
        if a in second:
            result.append((a, a))
    return sorted(set(result), key=result.index)


def main():
    print("# What every instruction that only changes registers (or only compares them) does, one line each:")
    print("# register width, mnemonic, operands, `=`, result. All numbers are hexadecimal register contents, immediates")
    print("# included. The destination held dd before. Of a branch the result is whether it is taken.")
    print("# Written by registers.py, a model that shares nothing with the virtual machine.")
    for xlen in (64, 32):
        mask = (1 << xlen) - 1
        values, imms = edges(xlen), [imm & mask for imm in IMMEDIATES]
        amounts = [amount & mask for amount in AMOUNTS]
        for name, kind, f, shift in rows(xlen):
            if kind == "r":
                operands = [(value,) for value in values]
            elif kind == "i":
                operands = [(imm,) for imm in imms]
            elif kind == "x":
                operands = [(value,) for value in values]
            elif shift == "alt":
                operands = pairs(amounts, imms)
            elif shift:
                operands = pairs(values, amounts)
            elif kind in ("rr", "brr"):
                operands = pairs(values, values)
            else:
                operands = pairs(values, imms)
            for args in operands:
                result = int(f(*args)) & mask
                print(xlen, name, *(f"{arg & mask:x}" for arg in args), "=", f"{result:x}")


if __name__ == "__main__":
    main()
