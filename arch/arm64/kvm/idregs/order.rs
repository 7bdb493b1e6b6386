// SPDX-License-Identifier: GPL-2.0

//! How two values of a field compare, for all fields of a register at once.
//!
//! A set of fields is a word that has the most significant bit of each, its *top*. A comparison
//! takes the tops of all fields of the register, reserved ones too, and answers with a set.

/// What a value of a field promises, compared with another one.
///
/// Lower-safe, higher-safe, higher-or-zero-safe and exact are those of `enum ftr_type` in
/// `arch/arm64/include/asm/cpufeature.h`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A lower value promises less; signed where the field is.
    LowerSafe,
    /// A lower value promises less, as a signed number, though the description does not say so.
    SignedLowerSafe,
    /// A higher value promises less.
    HigherSafe,
    /// A higher value promises less, and zero nothing at all.
    HigherOrZeroSafe,
    /// Values don't compare: one is always safe, any other only where it is the limit itself.
    Exact,
}

/// The fields in which `a` is above `b`, as unsigned numbers.
#[inline(always)]
pub(crate) const fn above(a: u64, b: u64, tops: u64) -> u64 {
    // Below its top, a field of `b` can be reduced by that of `a` without a borrow from the next
    // field: the top is set beforehand, and survives if the rest of `a` is not above that of `b`.
    let not_above = (b | tops).wrapping_sub(a & !tops);
    ((a & !b) | (!(a ^ b) & !not_above)) & tops
}

/// The fields in which `a` and `b` differ.
#[inline(always)]
pub(crate) const fn differ(a: u64, b: u64, tops: u64) -> u64 {
    above(a, b, tops) | above(b, a, tops)
}

/// The bits of the highest field in a set, whose lowest bits are `bottoms`.
pub(crate) const fn highest(set: u64, bottoms: u64) -> u64 {
    if set == 0 {
        return 0;
    }
    let up_to_top = u64::MAX >> set.leading_zeros();
    let below = bottoms & up_to_top;
    if below == 0 {
        return up_to_top;
    }
    up_to_top & !(u64::MAX >> below.leading_zeros() >> 1)
}
