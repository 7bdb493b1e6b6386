// SPDX-License-Identifier: GPL-2.0

//! CPUID leaves: the entries that userspace gives, and the registers that capability words mirror.
//!
//! Sources: Intel SDM volume 2A, "CPUID"; AMD APM volume 3, appendix E.

use kernel::prelude::*;

/// An output register of CPUID.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms)]
pub(crate) enum Reg {
    EAX,
    EBX,
    ECX,
    EDX,
}

/// The register of a CPUID leaf that a capability word mirrors, all 32 bits of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Input EAX.
    pub(crate) function: u32,
    /// Input ECX; 0 for functions that do not look at it.
    pub(crate) index: u32,
    /// The register.
    pub(crate) reg: Reg,
}

/// One entry of a guest's CPUID table.
///
/// Mirrors `struct kvm_cpuid_entry2` of `include/uapi/asm/kvm.h`; `ffi.rs` holds the two together.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) function: u32,
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) eax: u32,
    pub(crate) ebx: u32,
    pub(crate) ecx: u32,
    pub(crate) edx: u32,
    pub(crate) padding: [u32; 3],
}

impl Entry {
    /// `KVM_CPUID_FLAG_SIGNIFCANT_INDEX`: the entry answers for its own index only.
    pub(crate) const SIGNIFICANT_INDEX: u32 = 1 << 0;

    /// Whether the entry, if its function matches, answers a query for `index`.
    pub(crate) const fn answers(&self, index: u32) -> bool {
        self.flags & Self::SIGNIFICANT_INDEX == 0 || self.index == index
    }

    /// Whether the guest sees the same in both entries, i.e. all but the padding.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let Self {
            function,
            index,
            flags,
            eax,
            ebx,
            ecx,
            edx,
            padding: _,
        } = *self;

        function == other.function
            && index == other.index
            && flags == other.flags
            && eax == other.eax
            && ebx == other.ebx
            && ecx == other.ecx
            && edx == other.edx
    }

    /// The value of one register.
    pub(crate) const fn reg(&self, reg: Reg) -> u32 {
        match reg {
            Reg::EAX => self.eax,
            Reg::EBX => self.ebx,
            Reg::ECX => self.ecx,
            Reg::EDX => self.edx,
        }
    }

    /// One register, to be changed.
    pub(crate) fn reg_mut(&mut self, reg: Reg) -> &mut u32 {
        match reg {
            Reg::EAX => &mut self.eax,
            Reg::EBX => &mut self.ebx,
            Reg::ECX => &mut self.ecx,
            Reg::EDX => &mut self.edx,
        }
    }
}

#[kunit_tests(guestcaps_x86_leaf)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_only_if_flagged() {
        let mut entry = Entry {
            index: 5,
            ..Entry::default()
        };

        assert!(entry.answers(0) && entry.answers(5));
        entry.flags = Entry::SIGNIFICANT_INDEX;
        assert!(!entry.answers(0) && entry.answers(5));
        entry.flags = !Entry::SIGNIFICANT_INDEX;
        assert!(entry.answers(0) && entry.answers(5));
    }

    #[test]
    fn registers_are_told_apart() {
        let mut entry = Entry {
            eax: 1,
            ebx: 2,
            ecx: 4,
            edx: 8,
            ..Entry::default()
        };

        for (reg, value) in [(Reg::EAX, 1), (Reg::EBX, 2), (Reg::ECX, 4), (Reg::EDX, 8)] {
            assert_eq!(entry.reg(reg), value);
            *entry.reg_mut(reg) |= value << 4;
        }
        assert!(entry.eax == 0x11 && entry.ebx == 0x22 && entry.ecx == 0x44 && entry.edx == 0x88);
    }

    #[test]
    fn all_but_padding_is_compared() {
        let entry = Entry {
            padding: [7; 3],
            ..Entry::default()
        };
        let mut others = [Entry::default(); 8];

        for (n, other) in others.iter_mut().enumerate() {
            let field = match n {
                0 => &mut other.function,
                1 => &mut other.index,
                2 => &mut other.flags,
                3 => &mut other.eax,
                4 => &mut other.ebx,
                5 => &mut other.ecx,
                6 => &mut other.edx,
                _ => continue,
            };
            *field = 1;
            assert!(!entry.is_same_as(other));
        }
        assert!(entry.is_same_as(&Entry::default()));
    }
}
