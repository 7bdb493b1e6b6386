// SPDX-License-Identifier: GPL-2.0

//! What KVM itself keeps up to date in guest CPUID, as the vCPU's state changes.

use crate::{
    c::{
        Entry,
        Runtime,
        XstateSize,
        PV_UNHALT, //
    },
    cpufeature::{
        feature::*,
        Feature,
        Words, //
    },
    cpuid::{
        self,
        Index, //
    },
    xstate, //
};

/// The leaves of features that follow the vCPU's state: whether guest CPUID has them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaves {
    leaf_1: bool,
    leaf_7: bool,
}

impl Leaves {
    /// Guest CPUID has both.
    pub(crate) const ALL: Self = Self {
        leaf_1: true,
        leaf_7: true,
    };
}

/// Calls `each` with the features that follow the vCPU's state, where guest CPUID has their leaf,
/// and whether the vCPU has them. `KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT` leaves MWAIT to guest CPUID
/// alone.
#[inline]
fn for_each_feature(runtime: &Runtime, leaves: Leaves, mut each: impl FnMut(&Feature, bool)) {
    if leaves.leaf_1 {
        each(&OSXSAVE, runtime.osxsave);
        each(&APIC, runtime.apic);
        if runtime.tracks_mwait {
            each(&MWAIT, runtime.mwait);
        }
    }
    if leaves.leaf_7 {
        each(&OSPKE, runtime.ospke);
    }
}

/// Makes `caps` say what the vCPU's state is.
#[inline]
pub(crate) fn update(caps: &mut Words, runtime: &Runtime, leaves: Leaves) {
    for_each_feature(runtime, leaves, |feature, has| feature.set_in(caps, has));
}

/// Writes the vCPU's state to the entry of a leaf of features, if there is one.
#[inline]
fn write(runtime: &Runtime, entry: Option<&mut Entry>, leaves: Leaves) -> bool {
    let Some(entry) = entry else {
        return false;
    };

    for_each_feature(runtime, leaves, |feature, has| {
        if let Some(leaf) = feature.leaf() {
            let reg = cpuid::reg_mut(entry, leaf.reg);

            *reg &= !feature.mask();
            *reg |= feature.mask() * u32::from(has);
        }
    });
    true
}

/// Writes the vCPU's state to `entries`, but for what hypervisors' leaves say.
#[inline]
pub(crate) fn massage(
    runtime: &Runtime,
    sizes: &[XstateSize],
    entries: &mut [Entry],
    index: &Index,
) -> Leaves {
    const LEAF_1: Leaves = Leaves {
        leaf_1: true,
        leaf_7: false,
    };
    const LEAF_7: Leaves = Leaves {
        leaf_1: false,
        leaf_7: true,
    };

    let leaf_1 = write(runtime, index.entry_mut(entries, 1, None), LEAF_1);
    let leaf_7 = write(runtime, index.entry_mut(entries, 7, Some(0)), LEAF_7);

    if let Some(entry) = index.entry_mut(entries, 0xd, Some(0)) {
        entry.ebx = xstate::required_size(sizes, runtime.xcr0, false);
    }
    if let Some(entry) = index.entry_mut(entries, 0xd, Some(1)) {
        if entry.eax & (XSAVES.mask() | XSAVEC.mask()) != 0 {
            entry.ebx = xstate::required_size(sizes, runtime.xcr0 | runtime.xss, true);
        }
    }
    Leaves { leaf_1, leaf_7 }
}

/// Writes to KVM's own leaf, if there is one, that nobody is there to unhalt a vCPU whose HLT
/// doesn't exit.
#[inline]
pub(crate) fn massage_kvm_features(runtime: &Runtime, entries: &mut [Entry], index: &Index) {
    if runtime.hlt_in_guest {
        let at = index.kvm_features(entries);

        if let Some(entry) = at.and_then(|at| entries.get_mut(at)) {
            entry.eax &= !PV_UNHALT;
        }
    }
}
