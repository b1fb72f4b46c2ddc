//! Register map: guest registers to native ones. Used by everything in `jit`; the numbers are the protocol's.

use pvm_assembler::Reg as Native;
use pvm_zygote::protocol::{NATIVE_GAS, NATIVE_REGS, NATIVE_SCRATCH};
use vm_core::isa::Reg;

/// The scratch register. Dead between guest instructions.
pub(super) const SCRATCH: Native = Native::ALL[NATIVE_SCRATCH as usize];

/// Gas left. Never below zero while guest code runs, if gas is metered.
pub(super) const GAS: Native = Native::ALL[NATIVE_GAS as usize];

const MAP: [Native; Reg::COUNT] = {
    let mut map = [Native::Rax; Reg::COUNT];
    let mut index = 0;
    while index < Reg::COUNT {
        map[index] = Native::ALL[NATIVE_REGS[index] as usize];
        index += 1;
    }
    map
};

/// The native register of a guest register.
#[inline(always)]
pub(super) const fn native(reg: Reg) -> Native {
    MAP[reg as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_register_is_used_twice() {
        let mut used = vec![SCRATCH, GAS, Native::Rsp];
        for reg in Reg::ALL {
            assert!(!used.contains(&native(reg)), "{reg:?}");
            used.push(native(reg));
        }
        assert_eq!(used.len(), 16);
    }
}
