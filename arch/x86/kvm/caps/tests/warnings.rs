// SPDX-License-Identifier: GPL-2.0

//! What C warns of.

use kernel::{
    kunit::SuppressedWarnings,
    prelude::*, //
};

use crate::{
    cpufeature::feature::*,
    ffi, //
};

#[kunit_tests(kvm_caps_warnings)]
mod tests {
    use super::*;

    /// When KVM is loaded its capabilities are final, and before a vendor's module is loaded they
    /// are nobody's to change.
    #[test]
    fn a_change_at_the_wrong_time_warns() -> Result {
        for feature in [SVM, VMX, AVX] {
            for present in [false, true] {
                let warnings = SuppressedWarnings::start().ok_or(EINVAL)?;

                ffi::change_kvm_cpu_caps(feature.number(), present);
                assert_eq!(warnings.count(), 1);
            }
        }
        Ok(())
    }
}
