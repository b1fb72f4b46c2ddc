//! SplitMix64, and the random distributions of tests.

/// Random number generator (SplitMix64) whose sequence for a seed never changes.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Creates a generator from a seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// Draws 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next_u64() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Draws an index of a list of this length, which must not be 0.
    pub fn index(&mut self, length: usize) -> usize {
        ((u128::from(self.next_u64()) * length as u128) >> 64) as usize
    }

    /// True with this probability.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Picks an item of a list, which must not be empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u32) as usize]
    }

    /// Draws random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next_u64() as u8).collect()
    }

    /// Draws a register value, biased towards edges and addresses.
    pub fn value(&mut self) -> u64 {
        match self.below(6) {
            0 => self.next_u64(),
            1 => self.next_u64() >> self.below(64),
            2 => self.pick(&[0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, 0xffff_ffff, 0xffff_0000]),
            3 => u64::from(self.below(40)),
            4 => u64::from(self.address()) | self.next_u64() << 32,
            _ => u64::from(self.address()),
        }
    }

    /// Draws an address in or near a region of the generated programs, or near an end of the address space.
    pub fn address(&mut self) -> u32 {
        const BASES: [u32; 10] = [
            0x1_0000,
            0x1_1000,
            0x3_0000,
            0x3_1000,
            0x3_2000,
            0x3_2000,
            0xfffd_e000,
            0xfffd_f000,
            0xfffe_0000,
            0xffff_0000,
        ];
        let base = if self.chance(3) { 0 } else { self.pick(&BASES) };
        let distance = self.pick(&[8, 16, 256, 5000]);
        base.wrapping_add(self.below(2 * distance)).wrapping_sub(distance)
    }

    /// Draws an immediate, biased towards edges and addresses.
    pub fn immediate(&mut self) -> i32 {
        match self.below(5) {
            0 => self.next_u64() as i32,
            1 => self.next_u64() as i32 >> self.below(32),
            2 => self.pick(&[0, 1, -1, i32::MIN, i32::MAX, 127, -128, 128, 32767, -32768]),
            3 => self.address() as i32,
            _ => self.below(16) as i32 - 4,
        }
    }
}
