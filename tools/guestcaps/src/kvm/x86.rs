// SPDX-License-Identifier: Apache-2.0 OR MIT

//! x86: what KVM supports and emulates.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsRawFd,
};

use kvm_bindings::{
    kvm_cpuid_entry2, CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, KVM_MAX_CPUID_ENTRIES,
};
use kvm_ioctls::Kvm;

use super::{about, caps, failed, is_of, open, Asked, Checked, Failed};
use crate::{
    check::{self, Finding, Verdict},
    facts::{self, Order},
    ffi,
    model::{Model, Source, Word},
    offer::{Feature, Offer, Reason, Rule},
    place::{Arch, Place, Reg},
    uapi::*,
};

fn get(entry: &kvm_cpuid_entry2, reg: Reg) -> u32 {
    match reg {
        Reg::Eax => entry.eax,
        Reg::Ebx => entry.ebx,
        Reg::Ecx => entry.ecx,
        Reg::Edx => entry.edx,
    }
}

/// By place, all that is in the entries.
fn words(cpuid: &CpuId) -> BTreeMap<Place, u64> {
    let mut words = BTreeMap::new();
    for entry in cpuid.as_slice() {
        for reg in Reg::ALL {
            let place = Place::Cpuid(entry.function, entry.index, reg);
            words.insert(place, u64::from(get(entry, reg)));
        }
    }
    words
}

/// What this processor has.
fn of_cpu(place: Place) -> Option<u64> {
    let Place::Cpuid(function, index, reg) = place else {
        return None;
    };
    let highest = ffi::cpuid(function & 0xffff_0000, 0).eax;
    if function > highest || function & 0xffff_0000 == 0x4000_0000 {
        return Some(0);
    }
    let found = ffi::cpuid(function, index);
    Some(
        match reg {
            Reg::Eax => found.eax,
            Reg::Ebx => found.ebx,
            Reg::Ecx => found.ecx,
            Reg::Edx => found.edx,
        }
        .into(),
    )
}

/// The last function of each range of CPUID that there may be.
fn ranges() -> impl Iterator<Item = (u32, u32)> {
    [
        0,
        0x2000_0000,
        0x4000_0000,
        0x8000_0000,
        0x8086_0000,
        0xc000_0000,
    ]
    .into_iter()
    .map(|first| (first, ffi::cpuid(first, 0).eax))
    // Where there is no range, some CPUs answer for another function.
    .filter(|(first, last)| first >> 16 == last >> 16)
}

/// All that CPUID returns on the processor that this runs on, which should stay the same.
pub fn cpu() -> BTreeMap<Place, Word> {
    /// More than any CPU has.
    const INDICES: u32 = 64;

    let mut words = BTreeMap::new();
    for (function, index) in ranges()
        .flat_map(|(first, last)| first..=last.min(first + 0xfff))
        .flat_map(|function| (0..INDICES).map(move |index| (function, index)))
    {
        let found = ffi::cpuid(function, index);
        // What isn't indexed answers the same. Behind the last index there is nothing or, of topology, the index alone
        // and whose it is.
        let is_nothing =
            found.eax | found.ebx == 0 && (found.ecx == index || found.ecx | found.edx == 0);
        if index > 0 && (is_nothing || found == ffi::cpuid(function, 0)) {
            continue;
        }
        let registers = [found.eax, found.ebx, found.ecx, found.edx];
        for (reg, value) in Reg::ALL.into_iter().zip(registers) {
            let place = Place::Cpuid(function, index, reg);
            let mask = place.mask();
            let value = value.into();
            words.insert(place, Word { mask, value });
        }
    }
    words
}

/// What KVM says of each bit of the words that have features, if it can be asked.
fn listed(kvm: &Kvm, ask: bool) -> Result<Option<Vec<Offer>>, Failed> {
    if !ask || !ffi::has_guest_caps(kvm) {
        return Ok(None);
    }
    let vm = kvm.create_vm().map_err(failed("KVM_CREATE_VM"))?;
    let caps = ffi::guest_caps(&vm, KVM_GUEST_CAPS_LIST, &[]);
    Ok(Some(
        caps.map_err(failed("KVM_GUEST_CAPS"))?
            .iter()
            .filter_map(offer)
            .collect(),
    ))
}

fn offer(cap: &kvm_guest_cap) -> Option<Offer> {
    let (place, lsb) = caps::cpuid(cap.id, cap.lsb)?;
    Some(caps::offer(cap, place, lsb))
}

/// The same as far as it shows in what is supported and emulated.
fn supported(supported: &BTreeMap<Place, u64>, emulated: &BTreeMap<Place, u64>) -> Vec<Offer> {
    let mut offers = Vec::new();
    for place in facts::judged() {
        let get = |words: &BTreeMap<Place, u64>| words.get(&place).copied().unwrap_or(0);
        let cpu = of_cpu(place);
        for field in facts::fields(place)
            .into_iter()
            .filter(|field| field.order == Order::LowerSafe)
        {
            let (value, extra) = (field.get(get(supported)), field.get(get(emulated)));
            let host = cpu.map(|word| field.get(word));
            let limit = value | extra;
            offers.push(Offer {
                reason: match (value, extra, host) {
                    (0, 1, _) => Some(Reason::Emulated),
                    (0, _, Some(0)) => Some(Reason::NoCpu),
                    (0, ..) => Some(Reason::NoKvm),
                    _ => None,
                },
                writable: limit != 0,
                host,
                limit,
                lowest: 0,
                highest: limit,
                ..Offer::only(
                    place,
                    field,
                    if limit == 0 {
                        Rule::Absent
                    } else {
                        Rule::LowerSafe
                    },
                    value,
                )
            });
        }
    }
    offers
}

/// The width of linear addresses, the one number that KVM_SET_CPUID2 refuses: it takes 48, 57, and 0 for
/// unspecified.
const LINEAR_WIDTH: (Place, u8, u8) = (Place::Cpuid(0x8000_0008, 0, Reg::Eax), 8, 8);

/// What this host offers. KVM is asked if it can be, and if `ask`; or else what it supports is all
/// that is known.
pub fn host(_: Option<&[Feature]>, ask: bool) -> Result<Model, Failed> {
    let kvm = open()?;
    let all = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
    let all = words(&all.map_err(failed("KVM_GET_SUPPORTED_CPUID"))?);
    let (mut offers, source) = match listed(&kvm, ask)? {
        Some(offers) => (offers, Source::GuestCaps),
        None => {
            let emulated = kvm.get_emulated_cpuid(KVM_MAX_CPUID_ENTRIES);
            let emulated = words(&emulated.map_err(failed("KVM_GET_EMULATED_CPUID"))?);
            (supported(&all, &emulated), Source::SupportedCpuid)
        }
    };
    // What a VM is given to start with: neither what is emulated, nor what was not asked for.
    for offer in &mut offers {
        offer.value = all
            .get(&offer.place)
            .map_or(0, |word| offer.field.get(*word));
    }
    // All else are numbers that a VMM sets as it likes, but for one.
    let known: BTreeMap<_, u64> = offers.iter().fold(BTreeMap::new(), |mut bits, offer| {
        *bits.entry(offer.place).or_default() |= offer.field.mask();
        bits
    });
    for (place, word) in &all {
        let of_features = known.get(place).copied().unwrap_or(0);
        for field in facts::fields(*place) {
            if field.mask() & of_features == 0 {
                let offer = Offer::only(*place, field, Rule::Number, field.get(*word));
                let offer = Offer {
                    writable: true,
                    lowest: 0,
                    highest: field.max(),
                    ..offer
                };
                offers.push(match (*place, field.lsb, field.width) {
                    LINEAR_WIDTH => Offer {
                        rule: Rule::Exact,
                        highest: 57,
                        possible: 1 | 1 << 48 | 1 << 57,
                        ..offer
                    },
                    _ => offer,
                });
            }
        }
    }
    offers.sort_by_key(|offer| (offer.place, offer.field.lsb));
    let mut model = Model::of_host("this host", offers, source);
    model.about = about();
    Ok(model)
}

/// What KVM_SET_CPUID2 is given for a model: what KVM supports, with what the model says.
fn table(kvm: &Kvm, model: &Model) -> Result<Vec<kvm_cpuid_entry2>, Failed> {
    let supported = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
    let mut entries = supported
        .map_err(failed("KVM_GET_SUPPORTED_CPUID"))?
        .as_slice()
        .to_vec();
    put(model, &mut entries);
    Ok(entries)
}

/// Puts in a table what the model says.
fn put(model: &Model, entries: &mut Vec<kvm_cpuid_entry2>) {
    let mut functions = BTreeSet::new();
    for (place, word) in &model.words {
        let Place::Cpuid(function, index, reg) = *place else {
            continue;
        };
        functions.insert(function);
        let is_it = |entry: &kvm_cpuid_entry2| (entry.function, entry.index) == (function, index);
        let at = entries.iter().position(is_it).unwrap_or_else(|| {
            entries.push(kvm_cpuid_entry2 {
                function,
                index,
                ..Default::default()
            });
            entries.len() - 1
        });
        if let Some(entry) = entries.get_mut(at) {
            let register = match reg {
                Reg::Eax => &mut entry.eax,
                Reg::Ebx => &mut entry.ebx,
                Reg::Ecx => &mut entry.ecx,
                Reg::Edx => &mut entry.edx,
            };
            *register = u32::try_from(word.over(u64::from(*register))).unwrap_or(*register);
        }
    }
    // KVM takes the first entry that matches, and one without the flag matches all indices.
    for function in functions {
        let all = entries.iter_mut();
        let mut all: Vec<_> = all.filter(|entry| entry.function == function).collect();
        let has_more = |entry: &&mut kvm_cpuid_entry2| {
            entry.index != 0 || entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX != 0
        };
        if model.indexed.contains(&function) || all.iter().any(has_more) {
            for entry in &mut all {
                entry.flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
            }
        }
    }
}

/// What KVM says of a table with the model in it, of what the model says: what it doesn't get, and the rest.
fn ask(
    vm: &impl AsRawFd,
    model: &Model,
    table: &[kvm_cpuid_entry2],
) -> Result<(Vec<Finding>, Vec<Finding>), Failed> {
    let caps = ffi::guest_caps(vm, KVM_GUEST_CAPS_CHECK, table);
    let caps = caps.map_err(failed("KVM_GUEST_CAPS"))?;
    let all = caps
        .iter()
        .filter_map(|cap| Some(caps::finding(cap, offer(cap)?, String::new())));
    let is_asked = |finding: &Finding| model.asks(finding.place, &finding.field);
    Ok(all.filter(is_asked).partition(|finding| {
        // A verdict that is unknown is none to rely on.
        !matches!(finding.verdict, Verdict::Adjusted | Verdict::Ignored)
    }))
}

/// For VMMs: puts what a model says in their table for KVM_SET_CPUID2, and asks KVM what vCPUs of this
/// VM, which needs none yet, would not get of it. None if KVM can't be asked.
pub fn fit(
    vm: &impl AsRawFd,
    model: &Model,
    table: &mut Vec<Asked>,
) -> Result<Option<Vec<Finding>>, Failed> {
    is_of(model, Arch::X86)?;
    put(model, table);
    if !ffi::has_guest_caps(vm) {
        return Ok(None);
    }
    Ok(Some(ask(vm, model, table)?.0))
}

/// What of the model doesn't fit on this host, and what KVM_SET_CPUID2 says of the rest.
pub fn check(model: &Model, host: &Model) -> Result<Checked, Failed> {
    is_of(model, Arch::X86)?;
    let kvm = open()?;
    let vm = kvm.create_vm().map_err(failed("KVM_CREATE_VM"))?;
    let mut notes = Vec::new();
    let findings = match host.source {
        Some(Source::GuestCaps) => {
            let (misfits, others) = ask(&vm, model, &table(&kvm, model)?)?;
            for (verdict, what) in [
                (Verdict::Adjusted, "KVM keeps up to date"),
                (Verdict::Ignored, "guests can use regardless"),
            ] {
                let of_it = others.iter().filter(|finding| finding.verdict == verdict);
                let names: Vec<_> = of_it
                    .map(|finding| finding.field.full_name(finding.place))
                    .collect();
                notes.extend((!names.is_empty()).then(|| format!("{what}: {}", names.join(", "))));
            }
            misfits
        }
        _ => check::check(model, &host.offers),
    };
    let entries = table(&kvm, &check::nearest(model, &findings))?;
    let cpuid = CpuId::from_entries(&entries)
        .map_err(|_| Failed::from("there are too many entries".to_string()))?;
    let vcpu = vm.create_vcpu(0).map_err(failed("KVM_CREATE_VCPU"))?;
    let refused = vcpu.set_cpuid2(&cpuid).err();
    Ok(Checked {
        findings,
        notes,
        refused: refused.map(|error| format!("KVM_SET_CPUID2: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    /// What has indices has them, and what has none hasn't.
    #[test]
    fn what_the_processor_has() {
        ffi::stay().unwrap();
        let words = cpu();
        let has = |function, index| words.contains_key(&Place::Cpuid(function, index, Reg::Eax));
        let last = words[&Place::Cpuid(0, 0, Reg::Eax)].value;
        assert!((0..=last).all(|function| has(function.try_into().unwrap(), 0)));
        assert!(!has(0, 1) && !has(1, 1) && has(0x8000_0000, 0));
        assert!(last < 0xd || has(0xd, 1) && has(0xd, 2));
        assert!(words.len() < 1200);
    }

    #[test]
    fn no_index_stands_for_all() {
        let entry = |function, index, flags| kvm_cpuid_entry2 {
            function,
            index,
            flags,
            ..Default::default()
        };
        let put = |text: &str, mut table: Vec<_>| {
            put(&read::model("m", text.as_bytes()).unwrap(), &mut table);
            let all = table.iter();
            all.map(|entry| (entry.function, entry.index, entry.flags))
                .collect::<Vec<_>>()
        };
        let both = "0x24.0:eax 1\n0x24.1:ecx 4\n";
        assert_eq!(put(both, vec![]), [(0x24, 0, 1), (0x24, 1, 1)]);
        let table = vec![entry(1, 0, 0), entry(0x24, 0, 0)];
        assert_eq!(put(both, table), [(1, 0, 0), (0x24, 0, 1), (0x24, 1, 1)]);
        assert_eq!(put("0x1.0:eax 1\n", vec![]), [(1, 0, 0)]);
        assert_eq!(
            put("0xd.0:eax 1\n", vec![entry(0xd, 1, 1)]),
            [(0xd, 1, 1), (0xd, 0, 1)]
        );
        let template = |flags| {
            format!(
                r#"{{"cpuid_modifiers": [{{"leaf": "0x24", "subleaf": "0x0", "flags": {flags},
                "modifiers": [{{"register": "eax", "bitmap": "0b1"}}]}}]}}"#
            )
        };
        assert_eq!(put(&template(1), vec![]), [(0x24, 0, 1)]);
        assert_eq!(put(&template(0), vec![]), [(0x24, 0, 0)]);
    }
}
