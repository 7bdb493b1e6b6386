// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The records of KVM_GUEST_CAPS.

use crate::{
    check::{Finding, Verdict},
    facts::{self, Order},
    offer::{Offer, Reason, Rule},
    place::Place,
    uapi::*,
};

/// What a record says of the field in that place.
pub(super) fn offer(cap: &kvm_guest_cap, place: Place, lsb: u8) -> Offer {
    let mut field = facts::field(place, lsb, cap.width);
    let has = |flag| u32::from(cap.flags) & flag != 0;
    field.signed = has(KVM_GUEST_CAP_SIGNED);
    let rule = match cap.rule.into() {
        KVM_GUEST_CAP_RESERVED => Rule::Reserved,
        KVM_GUEST_CAP_DENIED => Rule::Denied,
        KVM_GUEST_CAP_ABSENT => Rule::Absent,
        KVM_GUEST_CAP_FIXED => Rule::Fixed,
        KVM_GUEST_CAP_LOWER_SAFE => Rule::LowerSafe,
        KVM_GUEST_CAP_HIGHER_SAFE => Rule::HigherSafe,
        KVM_GUEST_CAP_EXACT => Rule::Exact,
        _ => Rule::Unknown,
    };
    field.order = match rule {
        Rule::HigherSafe => Order::HigherSafe,
        Rule::Exact if cap.limit == cap.lowest => Order::Exact(cap.highest),
        Rule::Exact => Order::Exact(cap.lowest),
        _ => Order::LowerSafe,
    };
    let class = match cap.virt_class.into() {
        KVM_GUEST_CAP_DATA_PATH => Some("data-path"),
        KVM_GUEST_CAP_TRAPPED => Some("trapped"),
        KVM_GUEST_CAP_OWN => Some("own"),
        KVM_GUEST_CAP_INERT => Some("inert"),
        KVM_GUEST_CAP_VIRTUAL => Some("virtual"),
        _ => None,
    };
    let reason = match cap.why.into() {
        KVM_GUEST_CAP_NO_CPU => Some(Reason::NoCpu),
        KVM_GUEST_CAP_NO_KERNEL => Some(Reason::NoKernel),
        KVM_GUEST_CAP_NO_KVM => Some(Reason::NoKvm),
        KVM_GUEST_CAP_RUNTIME => Some(Reason::Runtime),
        KVM_GUEST_CAP_EMULATED => Some(Reason::Emulated),
        KVM_GUEST_CAP_FORCED => Some(Reason::Forced),
        KVM_GUEST_CAP_LACKING => Some(Reason::Lacking(lacking(cap))),
        _ => None,
    };
    Offer {
        class: class.map(String::from),
        reason,
        writable: has(KVM_GUEST_CAP_WRITABLE),
        usable: has(KVM_GUEST_CAP_USABLE),
        host: Some(cap.host),
        limit: cap.limit,
        lowest: cap.lowest,
        highest: cap.highest,
        possible: cap.possible,
        ..Offer::only(place, field, rule, cap.value)
    }
}

/// Where a record of x86 is about.
pub(super) fn cpuid(id: u64, lsb: u8) -> Option<(Place, u8)> {
    let reg = crate::place::Reg::ALL.get(usize::from(lsb / 32))?;
    Some((Place::Cpuid((id >> 32) as u32, id as u32, *reg), lsb % 32))
}

fn lacking(cap: &kvm_guest_cap) -> String {
    match cpuid(cap.needs_id, cap.needs_lsb) {
        Some((place, lsb)) if cap.needs_width != 0 => {
            facts::field(place, lsb, cap.needs_width).full_name(place)
        }
        _ => "a vendor that is compatible with AMD".into(),
    }
}

/// What a record says of what was asked; `needs` is the field that it lacks, in words.
pub(super) fn finding(cap: &kvm_guest_cap, offer: Offer, needs: String) -> Finding {
    let (verdict, why) = match cap.verdict.into() {
        KVM_GUEST_CAP_REFUSED => (Verdict::Refused, offer.why(cap.asked)),
        KVM_GUEST_CAP_ADJUSTED => (Verdict::Adjusted, "taken for another value".into()),
        KVM_GUEST_CAP_IGNORED => (Verdict::Ignored, "the register ignores writes".into()),
        KVM_GUEST_CAP_NEEDS => (Verdict::Needs, needs),
        KVM_GUEST_CAP_CLEARED => (Verdict::Cleared, needs + ", or is cleared at the first run"),
        KVM_GUEST_CAP_WITHHELD => (Verdict::Withheld, offer.why(cap.asked)),
        KVM_GUEST_CAP_HAS_RUN => (
            Verdict::HasRun,
            "the VM has run, and keeps what it has".into(),
        ),
        KVM_GUEST_CAP_FORBIDDEN if offer.rule == Rule::Absent => {
            (Verdict::Forbidden, offer.why(cap.asked))
        }
        KVM_GUEST_CAP_FORBIDDEN => (
            Verdict::Forbidden,
            "it takes a permission, see arch_prctl(2)".into(),
        ),
        _ => (Verdict::Other, "unknown to this program".into()),
    };
    Finding {
        place: offer.place,
        field: offer.field,
        wanted: cap.asked,
        take: (verdict != Verdict::Needs).then_some(cap.value),
        verdict,
        range: offer.range(),
        why,
        offer: Some(offer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cleared_does_not_fit() {
        let place = Place::named("ID_AA64MMFR3_EL1").unwrap();
        let take = |verdict: u32| {
            let cap = kvm_guest_cap {
                lsb: 8,
                width: 4,
                verdict: verdict.try_into().unwrap(),
                asked: 1,
                ..Default::default()
            };
            let found = finding(&cap, offer(&cap, place, 8), "needs another".into());
            assert_eq!((found.field.name, found.wanted), ("S1PIE", 1));
            found.take
        };
        assert_eq!(take(KVM_GUEST_CAP_CLEARED), Some(0));
        assert_eq!(take(KVM_GUEST_CAP_NEEDS), None);
    }
}
