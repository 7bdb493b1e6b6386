// SPDX-License-Identifier: GPL-2.0

//! What KVM itself keeps up to date in guest CPUID, as the vCPU's state changes.

use super::{
    feature::{
        self,
        Feature, //
    },
    generated::feature::*,
    guest::GuestCaps,
    leaf::Entry,
    scan::{
        self,
        Scan,
        Slot, //
    }, //
};

/// The state of a vCPU that guest CPUID reflects.
///
/// Mirrors `struct kvm_cpuid_runtime` of `caps.h`; `ffi.rs` holds the two together.
#[repr(C)]
pub(crate) struct Runtime {
    /// CR4.OSXSAVE.
    pub(crate) osxsave: bool,
    /// CR4.PKE.
    pub(crate) ospke: bool,
    /// Whether IA32_APIC_BASE has the APIC enabled.
    pub(crate) apic: bool,
    /// Whether `mwait` counts; with `KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT` guest CPUID alone does.
    pub(crate) tracks_mwait: bool,
    /// IA32_MISC_ENABLE.MWAIT.
    pub(crate) mwait: bool,
    /// Whether HLT does not exit, i.e. nobody would be there to unhalt.
    pub(crate) hlt_in_guest: bool,
    /// Bytes that XSAVE takes for XCR0.
    pub(crate) xsave_size: u32,
    /// Bytes that XSAVES takes for XCR0 and IA32_XSS.
    pub(crate) xsaves_size: u32,
}

impl Runtime {
    /// KVM_FEATURE_PV_UNHALT of `uapi/asm/kvm_para.h`.
    const PV_UNHALT: u32 = 1 << 7;

    /// The features that are part of the state: each with the look-up for its entry, and its value
    /// unless guest CPUID decides.
    #[inline(always)]
    fn features(&self) -> [(Slot, Feature, Option<bool>); 4] {
        let mwait = self.tracks_mwait.then_some(self.mwait);

        [
            (scan::LEAF_1, OSXSAVE, Some(self.osxsave)),
            (scan::LEAF_1, APIC, Some(self.apic)),
            (scan::LEAF_1, MWAIT, mwait),
            (scan::LEAF_7, OSPKE, Some(self.ospke)),
        ]
    }

    /// Writes to `entry`, which counts for `slot`, what it has of the state.
    #[inline(always)]
    fn write(&self, slot: Slot, entry: &mut Entry) {
        for (its_slot, feature, value) in self.features() {
            if let (true, Some(value)) = (its_slot == slot, value) {
                let reg = entry.reg_mut(feature.reg());

                *reg &= !feature.mask();
                *reg |= u32::from(value) * feature.mask();
            }
        }
        match slot {
            scan::XCR0 => entry.ebx = self.xsave_size,
            scan::XSS if entry.eax & (XSAVES.mask() | XSAVEC.mask()) != 0 => {
                entry.ebx = self.xsaves_size;
            }
            scan::KVM_FEATURES if self.hlt_in_guest => entry.eax &= !Self::PV_UNHALT,
            _ => (),
        }
    }

    /// Makes `caps` say the same as an entry that counts for `slot`.
    #[inline(always)]
    fn write_caps(&self, slot: Slot, caps: &mut GuestCaps) {
        for (its_slot, feature, value) in self.features() {
            if let (true, Some(value)) = (its_slot == slot, value) {
                feature::change(&mut caps.0, feature, value);
            }
        }
    }

    /// Writes the state to those of the entries that `scan` found.
    pub(crate) fn massage(&self, scan: &Scan, entries: &mut [Entry]) {
        for slot in scan::RUNTIME {
            if let Some(entry) = scan.entry_mut(entries, slot) {
                self.write(slot, entry);
            }
        }
        if let Some(entry) = scan.entry_mut(entries, scan::KVM_FEATURES) {
            self.write(scan::KVM_FEATURES, entry);
        }
    }

    /// As [`Runtime::massage()`], for entries that nothing else is to be found in.
    pub(crate) fn massage_only(&self, entries: &mut [Entry]) {
        if self.hlt_in_guest {
            self.massage(&Scan::new(entries), entries);
        } else {
            scan::for_each_runtime(entries, |slot, entry| self.write(slot, entry));
        }
    }

    /// Writes the state to a vCPU's entries and capabilities, but for what does not change while it
    /// lives, i.e. whether HLT exits.
    pub(crate) fn update(&self, entries: &mut [Entry], caps: &mut GuestCaps) {
        scan::for_each_runtime(entries, |slot, entry| {
            self.write(slot, entry);
            self.write_caps(slot, caps);
        });
    }

    /// Makes `caps` say the same, where `scan` found the entry.
    pub(crate) fn update_caps(&self, scan: &Scan, caps: &mut GuestCaps) {
        for slot in scan::RUNTIME {
            if scan.has(slot) {
                self.write_caps(slot, caps);
            }
        }
    }
}
