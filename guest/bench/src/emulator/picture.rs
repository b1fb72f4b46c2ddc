//! The picture processor (PPU): draws one dot at a time from tiles, a scroll position and sprites.

use crate::mix;

/// Dots per line, of which 256 are visible.
const DOTS: u16 = 341;
/// Lines per frame, of which 240 are visible.
const LINES: u16 = 262;
const WIDTH: usize = 256;
const HEIGHT: usize = 240;

/// A sprite that is on the line being drawn: its column, the two bit planes of its row, and its attributes.
#[derive(Clone, Copy)]
struct Active {
    x: u8,
    planes: [u8; 2],
    attributes: u8,
}

/// Registers, memory and screen.
pub(super) struct Picture {
    dot: u16,
    line: u16,
    frames: u64,
    control: u8,
    interrupt: bool,
    latch: bool,
    address: u16,
    scroll: [u8; 2],
    sprite_zero_hit: bool,
    /// 32 by 30 tile numbers and 64 attribute bytes, twice.
    tables: [u8; 0x800],
    palette: [u8; 32],
    sprites: [u8; 256],
    patterns: [[u8; 16]; 256],
    active: [Active; 8],
    active_count: usize,
    /// Two bit planes and two attribute planes, shifted by one bit per dot.
    shift: [u16; 4],
    screen: [[u8; WIDTH]; HEIGHT],
}

impl Picture {
    /// Makes a processor that is switched off.
    pub(super) const fn new() -> Self {
        Picture {
            dot: 0,
            line: 0,
            frames: 0,
            control: 0,
            interrupt: false,
            latch: false,
            address: 0,
            scroll: [0; 2],
            sprite_zero_hit: false,
            tables: [0; 0x800],
            palette: [0; 32],
            sprites: [0; 256],
            patterns: [[0; 16]; 256],
            active: [Active { x: 0, planes: [0; 2], attributes: 0 }; 8],
            active_count: 0,
            shift: [0; 4],
            screen: [[0; WIDTH]; HEIGHT],
        }
    }

    /// Switches it on in the initial state, with a computed character set. In place, as it is too big for the stack.
    pub(super) fn reset(&mut self) {
        (self.dot, self.line, self.frames, self.control, self.address) = (0, 0, 0, 0, 0);
        (self.interrupt, self.latch, self.sprite_zero_hit) = (false, false, false);
        (self.scroll, self.shift, self.active_count) = ([0; 2], [0; 4], 0);
        self.tables.fill(0);
        self.palette.fill(0);
        self.sprites.fill(0);
        let mut random = crate::Random::new(0x0070_1c7e);
        for bits in self.patterns.as_flattened_mut() {
            *bits = random.next_u64() as u8;
        }
    }

    /// Frames drawn so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// True if the processor should be interrupted: once per frame, if the program enabled it.
    pub(super) fn interrupt(&mut self) -> bool {
        core::mem::take(&mut self.interrupt)
    }

    /// Returns a checksum of the screen.
    pub(super) fn checksum(&self) -> u64 {
        self.screen.iter().flatten().fold(0, |sum, dot| mix(sum, u64::from(*dot)))
    }

    /// Reads a register.
    pub(super) fn read(&mut self, register: u16) -> u8 {
        match register {
            2 => {
                self.latch = false;
                u8::from(self.line >= 241) << 7 | u8::from(self.sprite_zero_hit) << 6
            }
            7 => {
                let value = self.tables[usize::from(self.address) % 0x800];
                self.advance_address();
                value
            }
            _ => 0,
        }
    }

    /// Writes a register.
    pub(super) fn write(&mut self, register: u16, value: u8) {
        match register {
            0 => self.control = value,
            5 => {
                self.scroll[usize::from(self.latch)] = value;
                self.latch = !self.latch;
            }
            6 => {
                let [low, high] = self.address.to_le_bytes();
                self.address = u16::from_le_bytes(if self.latch { [value, high] } else { [low, value] });
                self.latch = !self.latch;
            }
            7 => {
                match self.address {
                    0x3f00..=0x3fff => self.palette[usize::from(self.address) % 32] = value & 63,
                    address => self.tables[usize::from(address) % 0x800] = value,
                }
                self.advance_address();
            }
            _ => {}
        }
    }

    /// Writes a byte of sprite memory.
    pub(super) fn set_sprite_byte(&mut self, index: u8, value: u8) {
        self.sprites[usize::from(index)] = value;
    }

    fn advance_address(&mut self) {
        self.address = self.address.wrapping_add(if self.control & 4 != 0 { 32 } else { 1 });
    }

    /// Draws a dot and advances to the next.
    pub(super) fn dot(&mut self) {
        if self.line < HEIGHT as u16 {
            if self.dot == 0 {
                self.find_sprites();
            }
            // The tile of a dot is fetched eight dots before it is visible; that of the first dot at the line's start.
            if self.dot.is_multiple_of(8) && self.dot <= WIDTH as u16 {
                if self.dot == 0 {
                    self.fetch_tile(0);
                    self.shift = self.shift.map(|plane| plane << 8);
                }
                self.fetch_tile(self.dot + 8);
            }
            if self.dot < WIDTH as u16 {
                self.draw();
            }
        }
        self.dot += 1;
        if self.dot < DOTS {
            return;
        }
        self.dot = 0;
        self.line += 1;
        if self.line == 241 {
            self.interrupt = self.control & 0x80 != 0;
        } else if self.line == LINES {
            self.line = 0;
            self.frames += 1;
            self.sprite_zero_hit = false;
        }
    }

    /// Loads the low halves of the shift registers with the tile at this dot of the line.
    fn fetch_tile(&mut self, dot: u16) {
        let x = dot + u16::from(self.scroll[0]);
        let y = (self.line + u16::from(self.scroll[1])) % HEIGHT as u16;
        let (column, row) = (x / 8 % 64, y / 8);
        let table = usize::from(column / 32) * 0x400;
        let column = usize::from(column % 32);
        let tile = self.tables[table + usize::from(row) * 32 + column];
        let attributes = self.tables[table + 0x3c0 + usize::from(row / 4) * 8 + column / 4];
        let quarter = attributes >> ((row & 2 | (column as u16 >> 1) & 1) * 2);
        let pattern = &self.patterns[usize::from(tile)];
        let line = usize::from(y % 8);
        let halves =
            [pattern[line], pattern[line + 8], 0_u8.wrapping_sub(quarter & 1), 0_u8.wrapping_sub(quarter >> 1 & 1)];
        for (plane, half) in self.shift.iter_mut().zip(halves) {
            *plane = *plane & 0xff00 | u16::from(half);
        }
    }

    /// Finds the first eight sprites on this line.
    fn find_sprites(&mut self) {
        self.active_count = 0;
        for sprite in self.sprites.as_chunks::<4>().0 {
            let [y, tile, attributes, x] = *sprite;
            let row = self.line.wrapping_sub(u16::from(y));
            if row >= 8 || self.active_count == self.active.len() {
                continue;
            }
            let row = usize::from(if attributes & 0x80 != 0 { 7 - row } else { row });
            let pattern = &self.patterns[usize::from(tile)];
            let mut planes = [pattern[row], pattern[row + 8]];
            if attributes & 0x40 != 0 {
                planes = planes.map(u8::reverse_bits);
            }
            self.active[self.active_count] = Active { x, planes, attributes };
            self.active_count += 1;
        }
    }

    /// Draws one dot on the screen.
    fn draw(&mut self) {
        let bit = 15 - u32::from(self.scroll[0] % 8);
        let mut background = 0;
        for (place, plane) in self.shift.iter_mut().enumerate() {
            background |= (*plane >> bit & 1) << place;
            *plane <<= 1;
        }
        let mut color = if background & 3 == 0 { 0 } else { background as usize };
        for (order, sprite) in self.active[..self.active_count].iter().enumerate() {
            let offset = self.dot.wrapping_sub(u16::from(sprite.x));
            if offset >= 8 {
                continue;
            }
            let bit = 7 - offset;
            let value = sprite.planes[0] >> bit & 1 | (sprite.planes[1] >> bit & 1) << 1;
            if value == 0 {
                continue;
            }
            self.sprite_zero_hit |= order == 0 && background & 3 != 0;
            if sprite.attributes & 0x20 == 0 || background & 3 == 0 {
                color = 16 | usize::from((sprite.attributes & 3) << 2 | value);
            }
            break;
        }
        self.screen[usize::from(self.line)][usize::from(self.dot)] = self.palette[color];
    }
}
