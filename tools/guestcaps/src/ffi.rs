// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What neither kvm-ioctls nor the language has a safe function for.

#![allow(unsafe_code)]

use std::os::fd::AsRawFd;

use kvm_bindings::KVMIO;
use vmm_sys_util::{
    errno::Error,
    ioctl::{ioctl_with_mut_ref, ioctl_with_val},
    ioctl_io_nr, ioctl_iowr_nr,
};

use crate::uapi::{
    kvm_guest_cap, kvm_guest_caps, KVM_CAP_GUEST_CAPS, KVM_GUEST_CAPS_CHECK, KVM_GUEST_CAPS_LIST,
};

ioctl_io_nr!(KVM_CHECK_EXTENSION, KVMIO, 0x03);
ioctl_iowr_nr!(KVM_GUEST_CAPS, KVMIO, 0xd6, kvm_guest_caps);

/// What is asked for.
#[cfg(target_arch = "aarch64")]
pub use crate::uapi::kvm_guest_caps_reg as Asked;
/// What is asked for.
#[cfg(target_arch = "x86_64")]
pub use kvm_bindings::kvm_cpuid_entry2 as Asked;

/// Whether KVM, or a VM, has KVM_GUEST_CAPS with the operations that are called here.
pub fn has_guest_caps(fd: &impl AsRawFd) -> bool {
    const WANTED: i32 = 1 << KVM_GUEST_CAPS_LIST | 1 << KVM_GUEST_CAPS_CHECK;
    // SAFETY: No memory is handed over.
    let ops = unsafe { ioctl_with_val(fd, KVM_CHECK_EXTENSION(), KVM_CAP_GUEST_CAPS.into()) };

    ops > 0 && ops & WANTED == WANTED
}

/// Calls KVM_GUEST_CAPS of a VM, with as much room as it needs.
pub fn guest_caps(
    fd: &impl AsRawFd,
    op: u32,
    asked: &[Asked],
) -> Result<Vec<kvm_guest_cap>, Error> {
    let mut caps = vec![kvm_guest_cap::default(); 1024];
    loop {
        let room = caps.len();
        let mut query = kvm_guest_caps {
            op,
            // An empty slice has an address as well.
            asked: if asked.is_empty() {
                0
            } else {
                asked.as_ptr() as u64
            },
            nr_asked: asked.len().try_into().unwrap_or(u32::MAX),
            caps: caps.as_mut_ptr() as u64,
            nr_caps: room.try_into().unwrap_or(u32::MAX),
            cap_size: size_of::<kvm_guest_cap>() as u32,
            ..Default::default()
        };
        // SAFETY: KVM reads `nr_asked` elements of `asked`, whose type it takes there, and writes no more than `nr_caps`
        // elements of `caps`; both are alive, and as long as that.
        let failed = unsafe { ioctl_with_mut_ref(fd, KVM_GUEST_CAPS(), &mut query) } != 0;
        let error = Error::last();
        let wanted = query.nr_caps as usize;
        match failed {
            false => {
                caps.truncate(wanted);
                return Ok(caps);
            }
            true if error.errno() == E2BIG && wanted > room => {
                caps.resize(wanted, Default::default());
            }
            true => return Err(error),
        }
    }
}

/// There was not enough room.
const E2BIG: i32 = 7;

#[cfg(target_arch = "aarch64")]
pub use arm64::writable_masks;

#[cfg(target_arch = "aarch64")]
mod arm64 {
    use super::*;
    use vmm_sys_util::ioctl_ior_nr;

    /// `struct reg_mask_range` of linux/kvm.h.
    #[repr(C)]
    pub struct RegMaskRange {
        addr: u64,
        range: u32,
        reserved: [u32; 13],
    }

    ioctl_ior_nr!(KVM_ARM_GET_REG_WRITABLE_MASKS, KVMIO, 0xb6, RegMaskRange);

    /// Registers in range 0: op1 0, 1 and 3, CRm 0 to 7, op2 0 to 7.
    pub const NR_MASKS: usize = 3 * 8 * 8;

    /// Which bits of each register userspace may change, in the order of range 0.
    pub fn writable_masks(vm: &impl AsRawFd) -> Result<[u64; NR_MASKS], Error> {
        let mut masks = [0; NR_MASKS];
        let mut range = RegMaskRange {
            addr: masks.as_mut_ptr() as u64,
            range: 0,
            reserved: [0; 13],
        };
        // SAFETY: KVM writes the words of range 0 to `addr`, and `masks` has room for them.
        match unsafe { ioctl_with_mut_ref(vm, KVM_ARM_GET_REG_WRITABLE_MASKS(), &mut range) } {
            0 => Ok(masks),
            _ => Err(Error::last()),
        }
    }
}

extern "C" {
    fn sched_getcpu() -> i32;
    fn sched_setaffinity(pid: i32, size: usize, mask: *const u64) -> i32;
}

/// Has this thread stay on the processor that it is on: no two are quite the same.
pub fn stay() -> Result<(), Error> {
    let mut mask = [0_u64; 128];
    // SAFETY: It takes nothing.
    let cpu = unsafe { sched_getcpu() };
    if let Some(word) = usize::try_from(cpu)
        .ok()
        .and_then(|cpu| mask.get_mut(cpu / 64))
    {
        *word = 1 << (cpu % 64);
    }
    // SAFETY: The kernel reads as many bytes of `mask` as it has.
    match unsafe { sched_setaffinity(0, size_of_val(&mask), mask.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::last()),
    }
}

/// What this processor's CPUID returns.
#[cfg(target_arch = "x86_64")]
pub fn cpuid(function: u32, index: u32) -> std::arch::x86_64::CpuidResult {
    // SAFETY: All processors of 64 bits have the instruction.
    #[allow(unused_unsafe)]
    unsafe {
        std::arch::x86_64::__cpuid_count(function, index)
    }
}

#[cfg(target_arch = "aarch64")]
mod mrs {
    use std::arch::asm;

    extern "C" {
        fn getauxval(kind: u64) -> u64;
    }

    const AT_HWCAP: u64 = 16;
    const HWCAP_CPUID: u64 = 1 << 11;

    macro_rules! mrs {
        ($name:expr) => {{
            let value: u64;
            // SAFETY: Without HWCAP_CPUID nobody comes here; with it, whoever runs on EL0 may read the register.
            unsafe { asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
            value
        }};
    }

    /// Registers S3_0_C0_C4_0 to S3_0_C0_C7_7 and CTR_EL0, as far as the kernel lets programs read them.
    pub fn id_registers() -> Vec<(u16, u64)> {
        // SAFETY: It takes no memory.
        if unsafe { getauxval(AT_HWCAP) } & HWCAP_CPUID == 0 {
            return Vec::new();
        }
        let mut found = vec![(0xd801, mrs!("CTR_EL0"))];
        macro_rules! row {
            ($crm:literal: $($op2:literal)*) => {
                $(found.push((0xc000 | $crm << 3 | $op2, mrs!(concat!("S3_0_C0_C", $crm, "_", $op2))));)*
            };
        }
        row!(4: 0 1 2 3 4 5 6 7);
        row!(5: 0 1 2 3 4 5 6 7);
        row!(6: 0 1 2 3 4 5 6 7);
        row!(7: 0 1 2 3 4 5 6 7);
        found
    }
}
#[cfg(target_arch = "aarch64")]
pub use mrs::id_registers;
