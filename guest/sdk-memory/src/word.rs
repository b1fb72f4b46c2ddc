//! Words of the machine, loaded from and stored to any address.

/// An unsigned integer of register width. Generic, so that the code for either width can be tested on any machine.
pub trait Word: Copy + Ord {
    /// Its size in bytes.
    const SIZE: usize;
    /// Returns the word with this byte in all positions.
    fn splat(byte: u8) -> Self;
    /// Zero-extends 32 bits.
    fn from_u32(value: u32) -> Self;
    /// Returns the lowest 32 bits.
    fn low(self) -> u32;
    /// Zero-extends 16 bits.
    fn from_u16(value: u16) -> Self;
    /// Returns the bits that differ: zero if the two are equal.
    fn difference(self, other: Self) -> Self;
    /// Bitwise or.
    fn or(self, other: Self) -> Self;
    /// True if all bits are zero.
    fn is_zero(self) -> bool;
    /// Reverses the bytes: the results compare as the words' bytes in memory do.
    fn swap_bytes(self) -> Self;
}

macro_rules! word {
    ($name:ty) => {
        impl Word for $name {
            const SIZE: usize = size_of::<$name>();
            #[inline(always)]
            fn splat(byte: u8) -> Self {
                (<$name>::MAX / 0xff).wrapping_mul(<$name>::from(byte))
            }
            #[inline(always)]
            fn from_u32(value: u32) -> Self {
                value.into()
            }
            #[inline(always)]
            fn low(self) -> u32 {
                self as u32
            }
            #[inline(always)]
            fn from_u16(value: u16) -> Self {
                value.into()
            }
            #[inline(always)]
            fn difference(self, other: Self) -> Self {
                self ^ other
            }
            #[inline(always)]
            fn or(self, other: Self) -> Self {
                self | other
            }
            #[inline(always)]
            fn is_zero(self) -> bool {
                self == 0
            }
            #[inline(always)]
            fn swap_bytes(self) -> Self {
                <$name>::swap_bytes(self)
            }
        }
    };
}

word!(u32);
word!(u64);

/// The word of the target machine.
#[cfg(target_pointer_width = "64")]
pub type Native = u64;
/// The word of the target machine.
#[cfg(target_pointer_width = "32")]
pub type Native = u32;

/// Returns the address through an optimization barrier.
///
/// A loop whose counter goes through here is left as written: not unrolled, whatever flags the program is compiled with
/// (the iterations are long enough), and not given more counters than there are registers.
#[inline(always)]
pub fn opaque(address: *const u8) -> *const u8 {
    #[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
    // SAFETY: there is no instruction.
    unsafe {
        let same;
        core::arch::asm!("/* {0} */", inlateout(reg) address => same, options(pure, nomem, nostack, preserves_flags));
        same
    }
    #[cfg(not(any(target_arch = "riscv32", target_arch = "riscv64")))]
    address
}

/// A value at any address, aligned or not.
///
/// Not `read_unaligned`: without optimization that is a call of `memcpy`.
#[repr(C, packed)]
struct Unaligned<T: Copy>(T);

/// Loads from `from + offset`.
///
/// # Safety
/// The bytes there must be valid for reads.
#[inline(always)]
pub unsafe fn load<T: Copy>(from: *const u8, offset: usize) -> T {
    // SAFETY: by the contract of this function; a packed structure has no alignment.
    unsafe { (*from.wrapping_add(offset).cast::<Unaligned<T>>()).0 }
}

/// Stores to `to + offset`.
///
/// # Safety
/// The bytes there must be valid for writes.
#[inline(always)]
pub unsafe fn store<T: Copy>(to: *mut u8, offset: usize, value: T) {
    // SAFETY: by the contract of this function; a packed structure has no alignment.
    unsafe { (*to.wrapping_add(offset).cast::<Unaligned<T>>()).0 = value }
}

/// Loads four words from `from` on.
///
/// # Safety
/// The bytes there must be valid for reads.
#[inline(always)]
pub unsafe fn load_four<W: Word>(from: *const u8) -> [W; 4] {
    // SAFETY: by the contract of this function.
    unsafe { [load(from, 0), load(from, W::SIZE), load(from, 2 * W::SIZE), load(from, 3 * W::SIZE)] }
}

/// Stores four words to `to` and on.
///
/// # Safety
/// The bytes there must be valid for writes.
#[inline(always)]
pub unsafe fn store_four<W: Word>(to: *mut u8, [a, b, c, d]: [W; 4]) {
    // SAFETY: by the contract of this function.
    unsafe {
        store(to, 0, a);
        store(to, W::SIZE, b);
        store(to, 2 * W::SIZE, c);
        store(to, 3 * W::SIZE, d);
    }
}
