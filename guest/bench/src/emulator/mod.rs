//! A games console of the eighties: a 6502 processor, a picture processor that draws every dot, and a cartridge.
//!
//! The processor is the crate `mos6502`, in the variant that the NES had; picture processor and cartridge are ours, with
//! the NES's shape (scrolled tiles, 64 sprites, 341 dots in each of 262 lines, an interrupt per frame) but simplified.

mod cartridge;
mod picture;

use crate::region::Region;
use cartridge::ROM;
use mos6502::{cpu::CPU, instruction::Ricoh2a03, memory::Bus};
use picture::Picture;

/// Number of frames in one run.
pub const FRAMES: u64 = 3;

static BOARD: Region<Board> = Region::new(Board { ram: [0; 0x800], picture: Picture::new() });

/// Does nothing: every run starts the console again.
pub fn initialize() {}

/// Switches the console on and runs [`FRAMES`] frames; returns a checksum of the last picture.
pub fn run() -> u64 {
    BOARD.with(|board| {
        board.ram.fill(0);
        board.picture.reset();
        let mut cpu = CPU::new(Wiring(board), Ricoh2a03);
        cpu.reset();
        while cpu.memory.0.picture.frames() < FRAMES {
            let before = cpu.cycles;
            cpu.single_step();
            // Three dots for each cycle of the processor.
            for _ in 0..(cpu.cycles - before) * 3 {
                cpu.memory.0.picture.dot();
            }
        }
        cpu.memory.0.picture.checksum()
    })
}

/// Address space of the processor.
struct Board {
    ram: [u8; 0x800],
    picture: Picture,
}

/// The board, as borrowed by the processor.
struct Wiring<'a>(&'a mut Board);

impl Bus for Wiring<'_> {
    fn get_byte(&mut self, address: u16) -> u8 {
        match address {
            0x0000..=0x1fff => self.0.ram[usize::from(address) % 0x800],
            0x2000..=0x3fff => self.0.picture.read(address % 8),
            0x8000..=0xffff => ROM[usize::from(address) % ROM.len()],
            _ => 0,
        }
    }

    fn set_byte(&mut self, address: u16, value: u8) {
        match address {
            0x0000..=0x1fff => self.0.ram[usize::from(address) % 0x800] = value,
            0x2000..=0x3fff => self.0.picture.write(address % 8, value),
            0x4014 => {
                // Sprites are copied from a page of memory.
                for low in 0..=255 {
                    let byte = self.get_byte(u16::from_le_bytes([low, value % 8]));
                    self.0.picture.set_sprite_byte(low, byte);
                }
            }
            _ => {}
        }
    }

    fn nmi_pending(&mut self) -> bool {
        self.0.picture.interrupt()
    }
}
