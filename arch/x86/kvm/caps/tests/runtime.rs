// SPDX-License-Identifier: GPL-2.0

//! What KVM keeps up to date in guest CPUID.

use kernel::prelude::*;

use super::{
    derived,
    entry,
    index,
    is_same,
    plain,
    reference::{
        self,
        search, //
    },
    Random,
    AT_RESET,
    EVERYTHING,
    INDEXED,
    SIZES, //
};
use crate::{
    c::{
        Entry,
        Runtime, //
    },
    cpufeature::{
        feature::*,
        NR_KVM_CPU_CAPS, //
    },
    guest::Context,
    runtime::{
        massage,
        massage_kvm_features,
        update, //
    }, //
};

#[kunit_tests(kvm_caps_runtime)]
mod tests {
    use super::*;

    /// An entry of leaf 1 that is flagged with another index has no words, but the vCPU's state.
    #[test]
    fn leaf_1_counts_with_any_index() -> Result {
        let runtime = Runtime {
            osxsave: true,
            tracks_mwait: true,
            mwait: true,
            ..AT_RESET
        };
        let context = Context {
            runtime: &runtime,
            ..plain(&EVERYTHING)
        };
        let mut entries = [entry(1, 5, INDEXED, 0), entry(7, 5, INDEXED, 0)];
        let (caps, _) = derived(&context, &mut entries)?;
        let [leaf_1, leaf_7] = entries;

        assert_eq!(leaf_1.ecx, OSXSAVE.mask() | MWAIT.mask());
        assert_eq!(leaf_1.edx, APIC.mask());
        assert_eq!(leaf_7.ecx, 0);
        for feature in [OSXSAVE, MWAIT, APIC] {
            assert!(feature.is_in(caps.words()));
        }
        assert!(!OSPKE.is_in(caps.words()));
        Ok(())
    }

    #[test]
    fn sizes_are_those_of_the_state() {
        let runtime = Runtime {
            xcr0: 0b111,
            xss: 1 << 11,
            ..AT_RESET
        };

        for (eax, size) in [
            (XSAVES.mask(), 576 + 256 + 16),
            (XSAVEC.mask(), 576 + 256 + 16),
            (XSAVEOPT.mask(), 7),
        ] {
            let indexed = |index| entry(0xd, index, INDEXED, 7);
            let mut entries = [indexed(0), Entry { eax, ..indexed(1) }];

            let index = index(&entries);

            massage(&runtime, &SIZES, &mut entries, &index);
            assert_eq!(entries.map(|entry| entry.ebx), [576 + 256, size]);
        }
    }

    /// Entries and capabilities follow the state, wherever the entries stand.
    #[test]
    fn updates_are_the_massage() -> Result {
        let mut random = Random(0xd1b5_4a32_d192_ed03);

        for _ in 0..1000 {
            let state = random.runtime();
            let mut entries = KVec::new();
            let mut massaged = KVec::new();

            for _ in 0..random.below(40) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }
            massaged.extend_from_slice(&entries, GFP_KERNEL)?;

            let index = index(&entries);
            let leaves = massage(&state, &SIZES, &mut entries, &index);

            massage_kvm_features(&state, &mut entries, &index);
            reference::massage(&mut massaged, &state);
            assert!(is_same(&entries, &massaged));

            // A vCPU that has those entries, and whose state changes.
            let state = Runtime {
                hlt_in_guest: false,
                ..random.runtime()
            };
            let before = random.next();
            let mut caps = [before; NR_KVM_CPU_CAPS];
            let mut expected = caps;

            massage(&state, &SIZES, &mut entries, &index);
            update(&mut caps, &state, leaves);
            reference::massage(&mut massaged, &state);
            if search(&entries, 1, None).is_some() {
                OSXSAVE.set_in(&mut expected, state.osxsave);
                APIC.set_in(&mut expected, state.apic);
                if state.tracks_mwait {
                    MWAIT.set_in(&mut expected, state.mwait);
                }
            }
            if search(&entries, 7, Some(0)).is_some() {
                OSPKE.set_in(&mut expected, state.ospke);
            }
            assert!(is_same(&entries, &massaged) && caps == expected);
        }
        Ok(())
    }
}
