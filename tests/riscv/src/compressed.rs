//! Expands compressed instructions to their 32-bit forms.

fn field(half: u32, high: u32, low: u32) -> u32 {
    half >> low & ((1 << (high - low + 1)) - 1)
}

fn i_type(opcode: u32, funct3: u32, rd: u32, rs1: u32, imm: i32) -> u32 {
    (imm as u32) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}

fn s_type(funct3: u32, rs1: u32, rs2: u32, imm: u32) -> u32 {
    (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | 0x23
}

fn r_type(opcode: u32, funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32) -> u32 {
    funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}

fn sign(value: u32, bits: u32) -> i32 {
    ((value << (32 - bits)) as i32) >> (32 - bits)
}

/// Returns the 32-bit form, if the instruction is valid.
pub(crate) fn expand(half: u32, wide: bool) -> Option<u32> {
    let bit = |at: u32| half >> at & 1;
    let (rd, rs2) = (field(half, 11, 7), field(half, 6, 2));
    let (low, high) = (8 + field(half, 4, 2), 8 + field(half, 9, 7));
    let imm6 = sign(bit(12) << 5 | rs2, 6);
    let shift = bit(12) << 5 | rs2;
    let word_at = bit(5) << 6 | field(half, 12, 10) << 3 | bit(6) << 2;
    let double_at = field(half, 6, 5) << 6 | field(half, 12, 10) << 3;
    let jump = |link: u32| {
        let offset = sign(
            bit(12) << 11
                | bit(8) << 10
                | field(half, 10, 9) << 8
                | bit(6) << 7
                | bit(7) << 6
                | bit(2) << 5
                | bit(11) << 4
                | field(half, 5, 3) << 1,
            12,
        ) as u32;
        (offset >> 20 & 1) << 31
            | (offset >> 1 & 0x3ff) << 21
            | (offset >> 11 & 1) << 20
            | (offset >> 12 & 0xff) << 12
            | link << 7
            | 0x6f
    };
    Some(match (half & 3, half >> 13 & 7) {
        (0, 0) => {
            let imm = field(half, 10, 7) << 6 | field(half, 12, 11) << 4 | bit(5) << 3 | bit(6) << 2;
            if imm == 0 {
                return None;
            }
            i_type(0x13, 0, low, 2, imm as i32)
        }
        (0, 2) => i_type(0x03, 2, low, high, word_at as i32),
        (0, 3) if wide => i_type(0x03, 3, low, high, double_at as i32),
        (0, 6) => s_type(2, high, low, word_at),
        (0, 7) if wide => s_type(3, high, low, double_at),
        (1, 0) => i_type(0x13, 0, rd, rd, imm6),
        (1, 1) if wide => i_type(0x1b, 0, rd, rd, imm6),
        (1, 1) => jump(1),
        (1, 2) => i_type(0x13, 0, rd, 0, imm6),
        (1, 3) if rd == 2 => {
            let imm = bit(12) << 9 | field(half, 4, 3) << 7 | bit(5) << 6 | bit(2) << 5 | bit(6) << 4;
            i_type(0x13, 0, 2, 2, sign(imm, 10))
        }
        (1, 3) => (imm6 as u32) << 12 | rd << 7 | 0x37,
        (1, 4) => match field(half, 11, 10) {
            0 => i_type(0x13, 5, high, high, shift as i32),
            1 => i_type(0x13, 5, high, high, (0x400 | shift) as i32),
            2 => i_type(0x13, 7, high, high, imm6),
            _ => match (bit(12), field(half, 6, 5)) {
                (0, 0) => r_type(0x33, 0x20, 0, high, high, low),
                (0, 1) => r_type(0x33, 0, 4, high, high, low),
                (0, 2) => r_type(0x33, 0, 6, high, high, low),
                (0, 3) => r_type(0x33, 0, 7, high, high, low),
                (1, 0) => r_type(0x3b, 0x20, 0, high, high, low),
                (1, 1) => r_type(0x3b, 0, 0, high, high, low),
                _ => return None,
            },
        },
        (1, 5) => jump(0),
        (1, way @ (6 | 7)) => {
            let offset = sign(
                bit(12) << 8 | field(half, 6, 5) << 6 | bit(2) << 5 | field(half, 11, 10) << 3 | field(half, 4, 3) << 1,
                9,
            ) as u32;
            (offset >> 12 & 1) << 31
                | (offset >> 5 & 0x3f) << 25
                | high << 15
                | (way - 6) << 12
                | (offset >> 1 & 15) << 8
                | (offset >> 11 & 1) << 7
                | 0x63
        }
        (2, 0) => i_type(0x13, 1, rd, rd, shift as i32),
        (2, 2) => i_type(0x03, 2, rd, 2, (field(half, 3, 2) << 6 | bit(12) << 5 | field(half, 6, 4) << 2) as i32),
        (2, 3) if wide => {
            i_type(0x03, 3, rd, 2, (field(half, 4, 2) << 6 | bit(12) << 5 | field(half, 6, 5) << 3) as i32)
        }
        (2, 4) => match (bit(12), rs2) {
            (0, 0) => i_type(0x67, 0, 0, rd, 0),
            (0, _) => r_type(0x33, 0, 0, rd, 0, rs2),
            (_, 0) => i_type(0x67, 0, 1, rd, 0),
            _ => r_type(0x33, 0, 0, rd, rd, rs2),
        },
        (2, 6) => s_type(2, 2, rs2, field(half, 8, 7) << 6 | field(half, 12, 9) << 2),
        (2, 7) if wide => s_type(3, 2, rs2, field(half, 9, 7) << 6 | field(half, 12, 10) << 3),
        _ => return None,
    })
}
