// SPDX-License-Identifier: GPL-2.0

//! The size of the area that XSAVE writes.

use kernel::prelude::*;

use super::SIZES;
use crate::xstate::required_size;

#[kunit_tests(kvm_caps_xstate)]
mod tests {
    use super::*;

    #[test]
    fn legacy_state_takes_its_area_and_a_header() {
        for components in [0, 1, 2, 3] {
            for compacted in [false, true] {
                assert_eq!(required_size(&SIZES, components, compacted), 576);
            }
        }
    }

    #[test]
    fn components_stand_where_cpuid_says() {
        assert_eq!(required_size(&SIZES, 1 << 2 | 3, false), 576 + 256);
        assert_eq!(required_size(&SIZES, 1 << 9, false), 2688 + 8);
        // The last one ends last, wherever its bit is.
        assert_eq!(required_size(&SIZES, 1 << 9 | 1 << 2, false), 2688 + 8);
    }

    #[test]
    fn compacted_components_follow_each_other() {
        assert_eq!(required_size(&SIZES, 1 << 9, true), 576 + 8);
        assert_eq!(required_size(&SIZES, 1 << 2 | 1 << 9, true), 576 + 256 + 8);
        assert_eq!(required_size(&SIZES, 1 << 11, true), 576 + 16);
        assert_eq!(required_size(&SIZES, 1 << 9 | 1 << 11, true), 640 + 16);
    }

    #[test]
    fn unknown_components_take_nothing() {
        for compacted in [false, true] {
            assert_eq!(required_size(&SIZES, !0 << 12, compacted), 576);
            assert_eq!(required_size(&[], !0, compacted), 576);
        }
    }
}
