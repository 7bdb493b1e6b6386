// SPDX-License-Identifier: Apache-2.0 OR MIT

//! arm64: what KVM_GUEST_CAPS lists or, without it, what KVM_SET_ONE_REG takes.

use std::{collections::BTreeMap, os::fd::AsRawFd};

use kvm_bindings::{
    kvm_enable_cap, kvm_vcpu_init, KVM_ARM_VCPU_HAS_EL2, KVM_ARM_VCPU_PMU_V3,
    KVM_ARM_VCPU_PTRAUTH_ADDRESS, KVM_ARM_VCPU_PTRAUTH_GENERIC, KVM_ARM_VCPU_SVE, KVM_CAP_ARM_MTE,
    KVM_CAP_ARM_PMU_V3, KVM_CAP_ARM_PTRAUTH_ADDRESS, KVM_CAP_ARM_SVE,
    KVM_CAP_ARM_WRITABLE_IMP_ID_REGS,
};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};

use super::{about, caps, failed, is_of, open, Asked, Checked, Failed};
use crate::{
    check::{self, Finding, Verdict},
    facts::{self, Field, Order},
    ffi,
    model::{Model, Source, Word},
    offer::{Feature, Offer, Rule},
    place::{Arch, Place},
    uapi::*,
};

/// KVM_CAP_ARM_EL2 of linux/kvm.h, which kvm-bindings doesn't have yet.
const KVM_CAP_ARM_EL2: u32 = 240;

/// How KVM is asked for a feature: the capability, and bits of KVM_ARM_VCPU_INIT's.
const fn asked_for(feature: Feature) -> (u32, u32) {
    match feature {
        Feature::Sve => (KVM_CAP_ARM_SVE, 1 << KVM_ARM_VCPU_SVE),
        Feature::Pauth => (
            KVM_CAP_ARM_PTRAUTH_ADDRESS,
            1 << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1 << KVM_ARM_VCPU_PTRAUTH_GENERIC,
        ),
        Feature::Pmu => (KVM_CAP_ARM_PMU_V3, 1 << KVM_ARM_VCPU_PMU_V3),
        Feature::Mte => (KVM_CAP_ARM_MTE, 0),
        Feature::El2 => (KVM_CAP_ARM_EL2, 1 << KVM_ARM_VCPU_HAS_EL2),
    }
}

/// A VM with a vCPU that is initialized and has not run.
struct Vm {
    vm: VmFd,
    vcpu: VcpuFd,
    has_guest_caps: bool,
}

impl Vm {
    fn new(kvm: &Kvm, features: &[Feature], ask: bool) -> Result<Self, Failed> {
        let vm = kvm.create_vm().map_err(failed("KVM_CREATE_VM"))?;
        let enable = |cap| {
            vm.enable_cap(&kvm_enable_cap {
                cap,
                ..Default::default()
            })
        };
        // Not all kernels have it: then MIDR_EL1 can't be changed.
        let _ = enable(KVM_CAP_ARM_WRITABLE_IMP_ID_REGS);
        if features.contains(&Feature::Mte) {
            enable(KVM_CAP_ARM_MTE).map_err(failed("KVM_CAP_ARM_MTE"))?;
        }
        let vcpu = vm.create_vcpu(0).map_err(failed("KVM_CREATE_VCPU"))?;
        let mut init = kvm_vcpu_init::default();
        vm.get_preferred_target(&mut init)
            .map_err(failed("KVM_ARM_PREFERRED_TARGET"))?;
        init.features = Default::default();
        if let Some(word) = init.features.first_mut() {
            *word = features
                .iter()
                .fold(0, |bits, feature| bits | asked_for(*feature).1);
        }
        vcpu.vcpu_init(&init).map_err(failed("KVM_ARM_VCPU_INIT"))?;
        let has_guest_caps = ask && ffi::has_guest_caps(kvm);
        Ok(Self {
            vm,
            vcpu,
            has_guest_caps,
        })
    }

    fn get(&self, place: Place) -> Option<u64> {
        let Place::Arm64(id) = place else { return None };
        let mut bytes = [0; 8];
        self.vcpu.get_one_reg(id, &mut bytes).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    fn set(&self, place: Place, value: u64) -> Result<(), kvm_ioctls::Error> {
        let Place::Arm64(id) = place else {
            return Err(kvm_ioctls::Error::new(22));
        };
        self.vcpu.set_one_reg(id, &value.to_le_bytes()).map(drop)
    }

    fn offers(&self) -> Result<(Vec<Offer>, Source), Failed> {
        if !self.has_guest_caps {
            return Ok((self.try_all()?, Source::SetOneReg));
        }
        let caps = ffi::guest_caps(&self.vm, KVM_GUEST_CAPS_LIST, &[]);
        let caps = caps.map_err(failed("KVM_GUEST_CAPS"))?;
        Ok((caps.iter().map(offer).collect(), Source::GuestCaps))
    }

    /// Tries each value of each field that may be changed.
    fn try_all(&self) -> Result<Vec<Offer>, Failed> {
        let masks = ffi::writable_masks(&self.vm);
        let masks = masks.map_err(failed("KVM_ARM_GET_REG_WRITABLE_MASKS"))?;
        let mut offers = Vec::new();
        for register in facts::registers() {
            let place = Place::sysreg(register.id);
            let Some(word) = self.get(place) else {
                continue;
            };
            let id = usize::from(register.id);
            let op1 = match id >> 11 & 7 {
                3 => 2,
                op1 => op1,
            };
            let mask = masks.get(op1 << 6 | id & 0x3f).copied().unwrap_or(0);
            for field in facts::fields(place) {
                offers.push(self.try_field(place, field, word, mask));
            }
        }
        Ok(offers)
    }

    fn try_field(&self, place: Place, field: Field, word: u64, mask: u64) -> Offer {
        let value = field.get(word);
        let mut offer = Offer::only(place, field, Rule::Fixed, value);
        if mask & field.mask() == 0 || register_is_number(&field) {
            return offer;
        }
        let takes = |value: &u64| {
            let wanted = field.put(word, *value);
            let taken = self.set(place, wanted).is_ok() && self.get(place) == Some(wanted);
            // As it was, for the next one.
            let _ = self.set(place, word);
            taken
        };
        // Of wide fields, what is between is taken if both ends are.
        let narrow = field.width <= 6;
        let tried = if narrow {
            (0..=field.max()).collect()
        } else {
            vec![0, value, field.max()]
        };
        let mut taken: Vec<_> = tried.into_iter().filter(takes).chain([value]).collect();
        taken.sort_by_key(|value| field.rank(*value));
        taken.dedup();
        if let ([lowest, .., highest], true) = (taken.as_slice(), taken.len() > 1) {
            offer.writable = true;
            (offer.lowest, offer.highest) = (*lowest, *highest);
            offer.possible = if narrow {
                taken.iter().fold(0, |bits, value| bits | 1 << value)
            } else {
                0
            };
            (offer.rule, offer.limit) = match field.order {
                Order::HigherSafe => (Rule::HigherSafe, *lowest),
                Order::Exact(_) => (Rule::Exact, value),
                _ => (Rule::LowerSafe, *highest),
            };
        }
        offer
    }

    /// Asks KVM about the words that it lists, and tries the others.
    fn check(&self, model: &Model, offers: &[Offer]) -> Result<Vec<Finding>, Failed> {
        let asks = model
            .words
            .iter()
            .filter_map(|(place, word)| Some((*place, word.over(self.get(*place)?))));
        let asks: BTreeMap<_, _> = asks.collect();
        let is_listed = |place: &Place| offers.iter().any(|offer| offer.place == *place);
        let mut findings = if self.has_guest_caps {
            let asked = asks
                .iter()
                .filter(|(place, _)| is_listed(place))
                .filter_map(|(place, value)| {
                    let Place::Arm64(id) = place else { return None };
                    Some(kvm_guest_caps_reg {
                        id: *id,
                        value: *value,
                    })
                });
            let asked: Vec<_> = asked.collect();
            ask_about(&self.vm, model, &asked)?
        } else {
            check::check(model, offers)
        };
        for (place, word) in &model.words {
            if is_listed(place) {
                continue;
            }
            let why = match asks.get(place) {
                None => "this VM has no such register".to_string(),
                Some(wanted) => match self.set(*place, *wanted) {
                    Ok(()) => continue,
                    Err(error) => format!("KVM_SET_ONE_REG: {error}"),
                },
            };
            findings.push(Finding {
                place: *place,
                field: Field::unknown(0, 64),
                wanted: word.value,
                take: Some(self.get(*place).unwrap_or(0)),
                verdict: Verdict::Refused,
                range: String::new(),
                why,
                offer: None,
            });
        }
        Ok(findings)
    }
}

/// MIDR_EL1 and the like: any value is possible, and nothing would be learned.
const fn register_is_number(field: &Field) -> bool {
    field.width == 64
}

fn offer(cap: &kvm_guest_cap) -> Offer {
    caps::offer(cap, Place::Arm64(cap.id), cap.lsb)
}

fn finding(cap: &kvm_guest_cap) -> Finding {
    let place = Place::Arm64(cap.needs_id);
    let field = facts::field(place, cap.needs_lsb, cap.needs_width);
    let least = field.value_name(cap.needs_least);
    let needs = format!("needs {} of at least {least}", field.full_name(place));
    caps::finding(cap, offer(cap), needs)
}

/// What KVM says of these registers, all of which it must list.
fn ask_about(
    vm: &impl AsRawFd,
    model: &Model,
    registers: &[Asked],
) -> Result<Vec<Finding>, Failed> {
    let caps = ffi::guest_caps(vm, KVM_GUEST_CAPS_CHECK, registers);
    let caps = caps.map_err(failed("KVM_GUEST_CAPS"))?;
    let of_model = |mut found: Finding| {
        // What the model doesn't say, it doesn't lack.
        found.take = found.take.filter(|_| model.asks(found.place, &found.field));
        found
    };
    Ok(caps.iter().map(finding).map(of_model).collect())
}

/// For VMMs: puts what a model says in values of registers, which must have all that it is about, and asks
/// KVM what this VM, the first vCPU of which is initialized, would not get of it, and which rules between
/// fields it would break. None if KVM can't be asked. Of registers that KVM doesn't list, KVM_SET_ONE_REG
/// will tell. What the model is for, `Model::vm`, the VM must have, or else it fails.
pub fn fit(
    vm: &impl AsRawFd,
    model: &Model,
    registers: &mut [Asked],
) -> Result<Option<Vec<Finding>>, Failed> {
    is_of(model, Arch::Arm64)?;
    let has = |place: &Place| {
        registers
            .iter()
            .any(|register| Place::Arm64(register.id) == *place)
    };
    if let Some(place) = model.words.keys().find(|place| !has(place)) {
        return Err(format!("{} is about {place}, whose value is not given", model.name).into());
    }
    for register in registers.iter_mut() {
        if let Some(word) = model.words.get(&Place::Arm64(register.id)) {
            register.value = word.over(register.value);
        }
    }
    if !ffi::has_guest_caps(vm) {
        return Ok(None);
    }
    let listed = ffi::guest_caps(vm, KVM_GUEST_CAPS_LIST, &[]);
    let listed = listed.map_err(failed("KVM_GUEST_CAPS"))?;
    let offers = listed.iter().map(offer).collect();
    let made = Model::of_host("the VM", offers, Source::GuestCaps);
    let mut lacks = made.lacking(model.vm.as_deref().unwrap_or_default());
    // That doesn't show, nor does MTE beside it.
    let el2 = model
        .vm
        .iter()
        .flatten()
        .any(|feature| *feature == Feature::El2);
    lacks.retain(|feature| *feature != Feature::El2 && !(el2 && *feature == Feature::Mte));
    if !lacks.is_empty() {
        return Err(format!(
            "{} is for VMs with {}: make the VM so, or take that out of the model",
            model.name,
            Feature::names(&lacks)
        )
        .into());
    }
    let is_listed = |register: &&Asked| listed.iter().any(|cap| cap.id == register.id);
    let registers: Vec<_> = registers.iter().filter(is_listed).copied().collect();
    Ok(Some(ask_about(vm, model, &registers)?))
}

/// Those of the features that KVM has here.
fn possible(kvm: &Kvm, wanted: &[Feature]) -> Vec<Feature> {
    let has = |feature: &Feature| kvm.check_extension_raw(asked_for(*feature).0.into()) > 0;
    wanted.iter().copied().filter(has).collect()
}

/// What this host offers a VM that is configured so or, if nothing is said, with all but EL2; what
/// KVM has not, its `vm` lacks. KVM is asked if it can be, and if `ask`; or else values are tried.
pub fn host(features: Option<&[Feature]>, ask: bool) -> Result<Model, Failed> {
    let kvm = open()?;
    let all = [Feature::Sve, Feature::Pauth, Feature::Pmu, Feature::Mte];
    let features = possible(&kvm, features.unwrap_or(&all));
    let vm = Vm::new(&kvm, &features, ask)?;
    let (mut offers, source) = vm.offers()?;
    // What a VM without one of the features has less belongs to that.
    for feature in &features {
        let others: Vec<_> = features
            .iter()
            .copied()
            .filter(|other| other != feature)
            .collect();
        let (without, _) = Vm::new(&kvm, &others, ask)?.offers()?;
        for (with, without) in offers.iter_mut().zip(&without) {
            if (with.place, with.field.lsb) == (without.place, without.field.lsb)
                && with.value != without.value
            {
                with.given = Some((*feature, without.value));
            }
        }
    }
    let midr = Place::named("MIDR_EL1")
        .and_then(|place| vm.get(place))
        .unwrap_or(0);
    let mut model = Model::of_host("this host", offers, source);
    model.vm = Some(features);
    model.about = about();
    let core = facts::core(midr).map_or("an unknown core", |core| core.name);
    model
        .about
        .insert("cpu".into(), format!("{core}, MIDR_EL1 {midr:#x}"));
    Ok(model)
}

/// The ID registers, as far as programs may read them.
pub fn cpu() -> BTreeMap<Place, Word> {
    let words = ffi::id_registers().into_iter().map(|(encoding, value)| {
        let place = Place::sysreg(encoding);
        let mask = place.mask();
        (place, Word { mask, value })
    });
    words.collect()
}

/// What of the model doesn't fit on this host.
pub fn check(model: &Model, host: &Model) -> Result<Checked, Failed> {
    is_of(model, Arch::Arm64)?;
    let kvm = open()?;
    let wanted = host.vm.clone().unwrap_or_default();
    let vm = Vm::new(&kvm, &wanted, host.source == Some(Source::GuestCaps))?;
    let findings = vm.check(model, &host.offers)?;
    // What is said to fit is tried.
    let nearest = check::nearest(model, &findings);
    let tried = nearest.words.iter().filter_map(|(place, word)| {
        let error = vm.set(*place, word.over(vm.get(*place)?)).err()?;
        Some(format!("{place}, KVM_SET_ONE_REG: {error}"))
    });
    let refused: Vec<_> = tried.collect();
    Ok(Checked {
        findings,
        notes: Vec::new(),
        refused: (!refused.is_empty()).then(|| refused.join(", ")),
    })
}
