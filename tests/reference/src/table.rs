//! The numbers and forms of the instructions: the tables of `docs/spec/instructions.md#instructions`, typed in a second
//! time.

use crate::Isa;

/// A line: for each instruction of the form its name and its numbers in ReviveV1, Latest32, JamV1; a dash for none.
type Line = (&'static str, &'static str);

/// All instructions by form.
const TABLE: &[Line] = &[
    ("N", "trap 0 0 0, fallthrough 1 1 1, memset - 2 -, unlikely - 3 2"),
    ("I", "ecalli 10 10 10"),
    ("O", "jump 40 40 40"),
    ("II", "store_imm_u8 30 30 30, store_imm_u16 31 31 31, store_imm_u32 32 32 32, store_imm_u64 33 - 33"),
    ("RI", "jump_indirect 50 50 50, load_imm 51 51 51, load_u8 52 52 52, load_i8 53 53 53, load_u16 54 54 54"),
    ("RI", "load_i16 55 55 55, load_i32 57 57 57, load_u32 56 - 56, load_u64 58 - 58, store_u8 59 59 59"),
    ("RI", "store_u16 60 60 60, store_u32 61 61 61, store_u64 62 - 62"),
    ("RX", "load_imm64 20 - 20"),
    ("RII", "store_imm_indirect_u8 70 70 70, store_imm_indirect_u16 71 71 71, store_imm_indirect_u32 72 72 72"),
    ("RII", "store_imm_indirect_u64 73 - 73"),
    ("RIO", "load_imm_and_jump 80 80 80, branch_eq_imm 81 81 81, branch_not_eq_imm 82 82 82"),
    ("RIO", "branch_less_unsigned_imm 83 83 83, branch_less_signed_imm 87 87 87"),
    ("RIO", "branch_greater_or_equal_unsigned_imm 85 85 85, branch_greater_or_equal_signed_imm 89 89 89"),
    ("RIO", "branch_less_or_equal_signed_imm 88 88 88, branch_less_or_equal_unsigned_imm 84 84 84"),
    ("RIO", "branch_greater_signed_imm 90 90 90, branch_greater_unsigned_imm 86 86 86"),
    ("RR", "move_reg 100 100 100, sbrk - 101 -, count_leading_zero_bits_32 105 105 104"),
    ("RR", "count_leading_zero_bits_64 104 - 103, count_trailing_zero_bits_32 107 107 106"),
    ("RR", "count_trailing_zero_bits_64 106 - 105, count_set_bits_32 103 103 102"),
    ("RR", "count_set_bits_64 102 - 101, sign_extend_8 108 108 107, sign_extend_16 109 109 108"),
    ("RR", "zero_extend_16 110 110 109, reverse_byte 111 111 110"),
    ("RRI", "store_indirect_u8 120 120 120, store_indirect_u16 121 121 121, store_indirect_u32 122 122 122"),
    ("RRI", "store_indirect_u64 123 - 123, load_indirect_u8 124 124 124, load_indirect_i8 125 125 125"),
    ("RRI", "load_indirect_u16 126 126 126, load_indirect_i16 127 127 127, load_indirect_i32 129 129 129"),
    ("RRI", "load_indirect_u32 128 - 128, load_indirect_u64 130 - 130, add_imm_32 131 131 131"),
    ("RRI", "add_imm_64 149 - 149, and_imm 132 132 132, xor_imm 133 133 133, or_imm 134 134 134"),
    ("RRI", "mul_imm_32 135 135 135, mul_imm_64 150 - 150, set_less_than_unsigned_imm 136 136 136"),
    ("RRI", "set_less_than_signed_imm 137 137 137, shift_logical_left_imm_32 138 138 138"),
    ("RRI", "shift_logical_left_imm_64 151 - 151, shift_logical_right_imm_32 139 139 139"),
    ("RRI", "shift_logical_right_imm_64 152 - 152, shift_arithmetic_right_imm_32 140 140 140"),
    ("RRI", "shift_arithmetic_right_imm_64 153 - 153, negate_and_add_imm_32 141 141 141"),
    ("RRI", "negate_and_add_imm_64 154 - 154, set_greater_than_unsigned_imm 142 142 142"),
    ("RRI", "set_greater_than_signed_imm 143 143 143, shift_logical_right_imm_alt_32 145 145 145"),
    ("RRI", "shift_logical_right_imm_alt_64 156 - 156, shift_arithmetic_right_imm_alt_32 146 146 146"),
    ("RRI", "shift_arithmetic_right_imm_alt_64 157 - 157, shift_logical_left_imm_alt_32 144 144 144"),
    ("RRI", "shift_logical_left_imm_alt_64 155 - 155, cmov_if_zero_imm 147 147 147"),
    ("RRI", "cmov_if_not_zero_imm 148 148 148, rotate_right_imm_32 160 160 160"),
    ("RRI", "rotate_right_imm_alt_32 161 161 161, rotate_right_imm_64 158 - 158"),
    ("RRI", "rotate_right_imm_alt_64 159 - 159"),
    ("RRO", "branch_eq 170 170 170, branch_not_eq 171 171 171, branch_less_unsigned 172 172 172"),
    ("RRO", "branch_less_signed 173 173 173, branch_greater_or_equal_unsigned 174 174 174"),
    ("RRO", "branch_greater_or_equal_signed 175 175 175"),
    ("RRR", "add_32 190 190 190, add_64 200 - 200, sub_32 191 191 191, sub_64 201 - 201, and 210 210 210"),
    ("RRR", "xor 211 211 211, or 212 212 212, mul_32 192 192 192, mul_64 202 - 202"),
    ("RRR", "mul_upper_signed_signed 213 213 213, mul_upper_unsigned_unsigned 214 214 214"),
    ("RRR", "mul_upper_signed_unsigned 215 215 215, set_less_than_unsigned 216 216 216"),
    ("RRR", "set_less_than_signed 217 217 217, shift_logical_left_32 197 197 197"),
    ("RRR", "shift_logical_left_64 207 - 207, shift_logical_right_32 198 198 198"),
    ("RRR", "shift_logical_right_64 208 - 208, shift_arithmetic_right_32 199 199 199"),
    ("RRR", "shift_arithmetic_right_64 209 - 209, div_unsigned_32 193 193 193, div_unsigned_64 203 - 203"),
    ("RRR", "div_signed_32 194 194 194, div_signed_64 204 - 204, rem_unsigned_32 195 195 195"),
    ("RRR", "rem_unsigned_64 205 - 205, rem_signed_32 196 196 196, rem_signed_64 206 - 206"),
    ("RRR", "cmov_if_zero 218 218 218, cmov_if_not_zero 219 219 219, and_inverted 224 224 224"),
    ("RRR", "or_inverted 225 225 225, xnor 226 226 226, maximum 227 227 227, maximum_unsigned 228 228 228"),
    ("RRR", "minimum 229 229 229, minimum_unsigned 230 230 230, rotate_left_32 221 221 221"),
    ("RRR", "rotate_left_64 220 - 220, rotate_right_32 223 223 223, rotate_right_64 222 - 222"),
    ("RRII", "load_imm_and_jump_indirect 180 180 180"),
];

/// The names and forms of an instruction set by number; `None` for numbers it does not have.
pub fn names(isa: Isa) -> Vec<Option<(&'static str, &'static str)>> {
    let mut names = vec![None; 256];
    for (form, line) in TABLE {
        for entry in line.split(", ") {
            let words: Vec<&'static str> = entry.split(' ').collect();
            if let Ok(number) = words[1 + isa as usize].parse::<usize>() {
                names[number] = Some((words[0], *form));
            }
        }
    }
    names
}

/// True if the instruction of this name ends its block.
pub fn ends_block(name: &str) -> bool {
    ["trap", "fallthrough"].contains(&name) || name.starts_with("branch_") || is_jump(name)
}

/// True if control can continue after the instruction of this name.
pub fn falls_through(name: &str) -> bool {
    name != "trap" && !is_jump(name)
}

fn is_jump(name: &str) -> bool {
    ["jump", "jump_indirect", "load_imm_and_jump", "load_imm_and_jump_indirect"].contains(&name)
}
