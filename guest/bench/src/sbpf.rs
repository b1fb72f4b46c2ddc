//! The programs that LLVM can compile for sBPF, as functions of a library; `scripts/build-bench` makes assembly of it.
//!
//! The others it cannot: `library_calls`, `small_copies` and `ed25519` call `memcpy`, `evm` shifts 128-bit numbers, both
//! by functions of the compiler's library, which its BPF has no calls for; in `emulator` a function has more than five
//! arguments.

macro_rules! export {
    ($($initialize:ident = $module:ident, $run:ident = $function:path;)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $initialize() {
            crate::$module::initialize()
        }

        #[unsafe(no_mangle)]
        extern "C" fn $run() -> u64 {
            $function()
        }
    )* };
}

export! {
    sieve_initialize = sieve, sieve_run = crate::sieve::run;
    sha256_initialize = hashes, sha256_run = crate::hashes::sha256;
    keccak_initialize = hashes, keccak_run = crate::hashes::keccak;
    byte_loops_initialize = memory, byte_loops_run = crate::memory::byte_loops;
    stride_sequential_initialize = strides, stride_sequential_run = crate::strides::sequential;
    stride_large_initialize = strides, stride_large_run = crate::strides::large;
    stride_small_initialize = strides, stride_small_run = crate::strides::small;
    pointer_chase_initialize = pointer_chase, pointer_chase_run = crate::pointer_chase::run;
    division_initialize = division, division_run = crate::division::run;
    branches_initialize = branches, branches_run = crate::branches::run;
    calls_initialize = calls, calls_run = crate::calls::run;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
