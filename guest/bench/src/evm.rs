//! A stack machine of 256-bit words with those of Ethereum's instructions, and their encoding, that its program needs.

use ruint::aliases::U256;

/// The machine's program: Fibonacci numbers and a chain of modular products and quotients, kept in memory.
const PROGRAM: &[u8] = &[
    0x60, 1, 0x60, 0, 0x52, // mstore(0, 1)
    0x60, 1, 0x60, 32, 0x52, // mstore(32, 1)
    0x60, 3, 0x60, 64, 0x52, // mstore(64, 3)
    0x61, 0x03, 0xe8, // push 1000: the counter
    0x5b, // 18: the loop
    0x60, 0, 0x51, 0x80, 0x60, 32, 0x51, 0x01, // f0, f0 + f1
    0x60, 0, 0x52, // f0 = f0 + f1
    0x60, 32, 0x52, // f1 = the old f0
    0x6b, 0xff, 0xff, 0xff, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, // push a modulus of 96 bits
    0x60, 64, 0x51, 0x80, 0x02, // the square of the number at 64
    0x60, 0, 0x51, 0x18, // xor f0
    0x06, 0x60, 64, 0x52, // modulo, stored
    0x60, 64, 0x51, 0x60, 0, 0x51, 0x04, // f0 / the number at 64
    0x60, 96, 0x51, 0x01, 0x60, 96, 0x52, // added up at 96
    0x60, 96, 0x51, 0x60, 13, 0x1b, 0x60, 96, 0x51, 0x60, 51, 0x1c, 0x16, 0x60, 128, 0x52, // shifts
    0x60, 1, 0x90, 0x03, // counter - 1
    0x80, 0x60, 18, 0x57, // again, unless it is zero
    0x50, 0x00,
];

/// Does nothing.
pub fn initialize() {}

/// Runs the program on a fresh machine; returns a checksum of its memory.
pub fn run() -> u64 {
    let mut machine = Machine { stack: [U256::ZERO; 64], depth: 0, memory: [U256::ZERO; 8] };
    match machine.run(core::hint::black_box(PROGRAM)) {
        Ok(()) => machine.memory.iter().flat_map(|word| word.as_limbs()).fold(0, |sum, limb| crate::mix(sum, *limb)),
        Err(Fault) => 0,
    }
}

/// Fault of the interpreted program.
struct Fault;

struct Machine {
    stack: [U256; 64],
    depth: usize,
    /// Memory in words: the program only uses multiples of 32.
    memory: [U256; 8],
}

impl Machine {
    fn push(&mut self, word: U256) -> Result<(), Fault> {
        *self.stack.get_mut(self.depth).ok_or(Fault)? = word;
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) -> Result<U256, Fault> {
        self.depth = self.depth.checked_sub(1).ok_or(Fault)?;
        self.stack.get(self.depth).copied().ok_or(Fault)
    }

    fn binary(&mut self, operation: impl FnOnce(U256, U256) -> U256) -> Result<(), Fault> {
        let (a, b) = (self.pop()?, self.pop()?);
        self.push(operation(a, b))
    }

    /// Pops the address of a word; returns its index.
    fn address(&mut self) -> Result<usize, Fault> {
        let index = usize::try_from(self.pop()?).map_err(|_| Fault)? / 32;
        if index < self.memory.len() { Ok(index) } else { Err(Fault) }
    }

    fn run(&mut self, program: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        loop {
            let opcode = *program.get(at).unwrap_or(&0);
            at += 1;
            match opcode {
                0x00 => return Ok(()),
                0x01 => self.binary(|a, b| a.wrapping_add(b))?,
                0x02 => self.binary(|a, b| a.wrapping_mul(b))?,
                0x03 => self.binary(|a, b| a.wrapping_sub(b))?,
                0x04 => self.binary(|a, b| a.checked_div(b).unwrap_or(U256::ZERO))?,
                0x06 => self.binary(|a, b| a.checked_rem(b).unwrap_or(U256::ZERO))?,
                0x10 => self.binary(|a, b| U256::from(u8::from(a < b)))?,
                0x11 => self.binary(|a, b| U256::from(u8::from(a > b)))?,
                0x14 => self.binary(|a, b| U256::from(u8::from(a == b)))?,
                0x15 => {
                    let word = self.pop()?;
                    self.push(U256::from(u8::from(word.is_zero())))?;
                }
                0x16 => self.binary(|a, b| a & b)?,
                0x17 => self.binary(|a, b| a | b)?,
                0x18 => self.binary(|a, b| a ^ b)?,
                0x1b => self.binary(|bits, word| usize::try_from(bits).map_or(U256::ZERO, |bits| word << bits))?,
                0x1c => self.binary(|bits, word| usize::try_from(bits).map_or(U256::ZERO, |bits| word >> bits))?,
                0x50 => drop(self.pop()?),
                0x51 => {
                    let address = self.address()?;
                    self.push(self.memory[address])?;
                }
                0x52 => {
                    let address = self.address()?;
                    let word = self.pop()?;
                    self.memory[address] = word;
                }
                0x57 => {
                    let (target, condition) = (self.pop()?, self.pop()?);
                    if !condition.is_zero() {
                        at = usize::try_from(target).map_err(|_| Fault)?;
                        if program.get(at) != Some(&0x5b) {
                            return Err(Fault);
                        }
                    }
                }
                0x5b => {}
                0x60..=0x7f => {
                    let length = usize::from(opcode - 0x5f);
                    let bytes = program.get(at..at + length).ok_or(Fault)?;
                    self.push(U256::try_from_be_slice(bytes).ok_or(Fault)?)?;
                    at += length;
                }
                0x80..=0x8f => {
                    let from = self.depth.checked_sub(usize::from(opcode - 0x7f)).ok_or(Fault)?;
                    let word = *self.stack.get(from).ok_or(Fault)?;
                    self.push(word)?;
                }
                0x90..=0x9f => {
                    let top = self.depth.checked_sub(1).ok_or(Fault)?;
                    let other = top.checked_sub(usize::from(opcode - 0x8f)).ok_or(Fault)?;
                    self.stack.swap(top, other);
                }
                _ => return Err(Fault),
            }
        }
    }
}
