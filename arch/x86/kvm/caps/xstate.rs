// SPDX-License-Identifier: GPL-2.0

//! The size of the area that XSAVE writes.
//!
//! Source: Intel SDM volume 1, "XSAVE Area".

use crate::c::XstateSize;

/// x87 and SSE state, and the header behind.
const LEGACY_AND_HEADER: u32 = 512 + 64;
/// In ECX: the component is aligned to 64 bytes in the compacted form.
const IS_ALIGNED: u32 = 1 << 1;

/// The bytes that XSAVE takes for `components`, or XSAVES if they are compacted. `sizes` has CPUID
/// leaf 0xD by index; components that it doesn't have take nothing.
pub(crate) fn required_size(sizes: &[XstateSize], components: u64, compacted: bool) -> u32 {
    let mut end = LEGACY_AND_HEADER;
    // Components 0 and 1 are the legacy ones.
    let mut rest = components & !0b11;

    while rest != 0 {
        let Some(size) = sizes.get(rest.trailing_zeros() as usize) else {
            break;
        };
        let offset = match compacted {
            true if size.ecx & IS_ALIGNED != 0 => end.wrapping_add(63) & !63,
            true => end,
            false => size.ebx,
        };

        end = end.max(offset.wrapping_add(size.eax));
        rest &= rest - 1;
    }
    end
}
