// SPDX-License-Identifier: GPL-2.0

//! The same without any cleverness, as C had it: one search for each look-up, one statement for
//! each exception.

use super::{
    reg,
    SIZES, //
};
use crate::{
    c::{
        Entry,
        GuestCpuid,
        Runtime,
        SIGNIFICANT_INDEX, //
    },
    cpufeature::{
        cr4,
        efer,
        feature::*,
        Feature,
        Reg,
        Words,
        LEAVES, //
    },
    facts::Flag,
    guest::Context,
    xstate, //
};

/// Where the entry stands that counts: the first one that answers.
pub(super) fn search(entries: &[Entry], function: u32, index: Option<u32>) -> Option<usize> {
    entries.iter().position(|entry| {
        entry.function == function
            && (entry.flags & SIGNIFICANT_INDEX == 0 || index.is_none_or(|at| entry.index == at))
    })
}

fn find(entries: &[Entry], function: u32, index: Option<u32>) -> Option<&Entry> {
    entries.get(search(entries, function, index)?)
}

/// What Intel's CPUs show for a leaf that isn't there.
pub(super) fn highest_basic(
    entries: &[Entry],
    function: u32,
    index: u32,
) -> Option<(u32, Option<usize>)> {
    let basic = find(entries, 0, None)?.eax;
    let class = if function >> 28 == 4 {
        function >> 8 << 8
    } else if function >= 0xc000_0000 {
        0xc000_0000
    } else {
        function & 0x8000_0000
    };

    match find(entries, class, None) {
        Some(class) if function <= class.eax => None,
        _ => Some((basic, search(entries, basic, Some(index)))),
    }
}

fn has_text(entry: &Entry, text: &[u8; 12]) -> bool {
    [entry.ebx, entry.ecx, entry.edx]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .eq(*text)
}

fn hypervisor<'a>(entries: &'a [Entry], text: &[u8; 12]) -> Option<&'a Entry> {
    (0x4000_0000..0x4001_0000)
        .step_by(0x100)
        .filter_map(|base| find(entries, base, None))
        .find(|entry| has_text(entry, text))
}

fn pv_features(entries: &[Entry]) -> Option<usize> {
    let base = hypervisor(entries, b"KVMKVMKVM\0\0\0")?;

    search(entries, base.function | 1, None)
}

fn set(word: &mut u32, mask: u32, value: bool) {
    *word = if value { *word | mask } else { *word & !mask };
}

pub(super) fn massage(entries: &mut [Entry], runtime: &Runtime) {
    let leaf_1 = search(entries, 1, None);
    let leaf_7 = search(entries, 7, Some(0));
    let xcr0 = search(entries, 0xd, Some(0));
    let xss = search(entries, 0xd, Some(1));
    let pv = pv_features(entries);

    if let Some(entry) = leaf_1.and_then(|at| entries.get_mut(at)) {
        set(&mut entry.ecx, 1 << 27, runtime.osxsave);
        set(&mut entry.edx, 1 << 9, runtime.apic);
        if runtime.tracks_mwait {
            set(&mut entry.ecx, 1 << 3, runtime.mwait);
        }
    }
    if let Some(entry) = leaf_7.and_then(|at| entries.get_mut(at)) {
        set(&mut entry.ecx, 1 << 4, runtime.ospke);
    }
    if let Some(entry) = xcr0.and_then(|at| entries.get_mut(at)) {
        entry.ebx = xstate::required_size(&SIZES, runtime.xcr0, false);
    }
    if let Some(entry) = xss.and_then(|at| entries.get_mut(at)) {
        if entry.eax & 0xa != 0 {
            entry.ebx = xstate::required_size(&SIZES, runtime.xcr0 | runtime.xss, true);
        }
    }
    if let Some(entry) = pv.and_then(|at| entries.get_mut(at)) {
        if runtime.hlt_in_guest {
            entry.eax &= !(1 << 7);
        }
    }
}

fn put(words: &mut Words, feature: &Feature, value: bool) {
    if let Some(word) = words.get_mut(feature.word()) {
        set(word, feature.mask(), value);
    }
}

fn caps(context: &Context<'_>, entries: &[Entry]) -> Words {
    let facts = &context.facts;
    let runtime = context.runtime;
    let mut words = *facts.kvm;

    put(&mut words, &MOVBE, true);
    put(&mut words, &MWAIT, true);
    if RDTSCP.is_in(&words) {
        put(&mut words, &RDPID, true);
    }
    for (word, leaf) in words.iter_mut().zip(&LEAVES) {
        *word &= leaf
            .and_then(|leaf| {
                find(entries, leaf.function, Some(leaf.index)).map(|entry| reg(entry, leaf.reg))
            })
            .unwrap_or(0);
    }
    if search(entries, 1, None).is_some() {
        put(&mut words, &OSXSAVE, runtime.osxsave);
        put(&mut words, &APIC, runtime.apic);
        if runtime.tracks_mwait {
            put(&mut words, &MWAIT, runtime.mwait);
        }
    }
    if search(entries, 7, Some(0)).is_some() {
        put(&mut words, &OSPKE, runtime.ospke);
    }
    if facts.flags.contains(Flag::Tdp) {
        put(&mut words, &GBPAGES, GBPAGES.is_kept_in(facts.kernel));
    }

    let xsave = XSAVE.is_in(&words);

    if facts.flags.contains(Flag::Svm) {
        put(
            &mut words,
            &XSAVES,
            xsave && XSAVES.is_kept_in(facts.kernel),
        );
        if !amd_compatible(entries) {
            put(&mut words, &V_VMSAVE_VMLOAD, false);
        }
    } else if facts.flags.contains(Flag::Vmx) && !xsave {
        put(&mut words, &XSAVES, false);
    }
    words
}

fn amd_compatible(entries: &[Entry]) -> bool {
    find(entries, 0, None).is_some_and(|entry| {
        [b"AuthcAMDenti", b"AMDiter!sbet", b"HygouinenGen"]
            .iter()
            .any(|text| has_text(entry, text))
    })
}

/// All bits but those that may be set.
fn reserved(bits: &[(u32, bool)]) -> u64 {
    bits.iter()
        .filter(|(_, may_set)| *may_set)
        .fold(!0, |reserved, (bit, _)| {
            reserved & !(1 << (bit % u64::BITS))
        })
}

fn reserved_cr4(words: &Words) -> u64 {
    #[rustfmt::skip]
    let bits = [
        (cr4::VME, true), (cr4::PVI, true), (cr4::TSD, true), (cr4::DE, true), (cr4::PSE, true),
        (cr4::PAE, true), (cr4::MCE, true), (cr4::PGE, true), (cr4::PCE, true),
        (cr4::OSFXSR, true), (cr4::OSXMMEXCPT, true),
        (cr4::UMIP, UMIP.is_in(words)), (cr4::LA57, LA57.is_in(words)),
        (cr4::VMXE, VMX.is_in(words)), (cr4::FSGSBASE, FSGSBASE.is_in(words)),
        (cr4::PCIDE, PCID.is_in(words)), (cr4::OSXSAVE, XSAVE.is_in(words)),
        (cr4::SMEP, SMEP.is_in(words)), (cr4::SMAP, SMAP.is_in(words)),
        (cr4::PKE, PKU.is_in(words)), (cr4::CET, SHSTK.is_in(words) || IBT.is_in(words)),
        (cr4::LAM_SUP, LAM.is_in(words)),
    ];

    reserved(&bits)
}

fn reserved_efer(context: &Context<'_>, words: &Words) -> u64 {
    let facts = &context.facts;
    let lmsle = SVM.is_in(facts.kvm) && !EFER_LMSLE_MBZ.is_kept_in(facts.kernel);
    let bits = [
        (efer::SCE, true),
        (efer::LME, LM.is_in(words)),
        (efer::LMA, LM.is_in(words)),
        (efer::NX, NX.is_in(words)),
        (efer::SVME, SVM.is_in(words)),
        (efer::LMSLE, lmsle),
        (efer::FFXSR, FXSR_OPT.is_in(words)),
        (efer::AUTOIBRS, AUTOIBRS.is_in(words)),
    ];

    reserved(&bits)
}

/// The bits of CR4 that nested VMX lets L1 set, as far as guest CPUID is concerned.
pub(super) fn cr4(entries: &[Entry]) -> u64 {
    let leaf_1 = find(entries, 1, None);
    let leaf_7 = find(entries, 7, Some(0));
    let leaf_7_1 = find(entries, 7, Some(1));
    let mut bits = 1 << cr4::PCE;

    for (entry, reg, bit, number) in [
        (leaf_1, Reg::Edx, 1, cr4::VME),
        (leaf_1, Reg::Edx, 1, cr4::PVI),
        (leaf_1, Reg::Edx, 4, cr4::TSD),
        (leaf_1, Reg::Edx, 2, cr4::DE),
        (leaf_1, Reg::Edx, 3, cr4::PSE),
        (leaf_1, Reg::Edx, 6, cr4::PAE),
        (leaf_1, Reg::Edx, 7, cr4::MCE),
        (leaf_1, Reg::Edx, 13, cr4::PGE),
        (leaf_1, Reg::Edx, 24, cr4::OSFXSR),
        (leaf_1, Reg::Edx, 25, cr4::OSXMMEXCPT),
        (leaf_1, Reg::Ecx, 5, cr4::VMXE),
        (leaf_1, Reg::Ecx, 6, cr4::SMXE),
        (leaf_1, Reg::Ecx, 17, cr4::PCIDE),
        (leaf_1, Reg::Ecx, 26, cr4::OSXSAVE),
        (leaf_7, Reg::Ebx, 0, cr4::FSGSBASE),
        (leaf_7, Reg::Ebx, 7, cr4::SMEP),
        (leaf_7, Reg::Ebx, 20, cr4::SMAP),
        (leaf_7, Reg::Ecx, 3, cr4::PKE),
        (leaf_7, Reg::Ecx, 2, cr4::UMIP),
        (leaf_7, Reg::Ecx, 16, cr4::LA57),
        (leaf_7, Reg::Ecx, 7, cr4::CET),
        (leaf_7, Reg::Edx, 20, cr4::CET),
        (leaf_7_1, Reg::Eax, 26, cr4::LAM_SUP),
    ] {
        if entry.is_some_and(|entry| self::reg(entry, reg) >> bit & 1 != 0) {
            bits |= 1 << number;
        }
    }
    bits
}

/// Whether `derived` is what massaged entries say, field by field; none if it was refused.
pub(super) fn agrees(
    context: &Context<'_>,
    entries: &[Entry],
    derived: Option<(&Words, &GuestCpuid)>,
) -> bool {
    let wide = |low, high| u64::from(high) << 32 | u64::from(low);
    let sizes = find(entries, 0x8000_0008, None);
    let linear = sizes.map_or(0, |entry| entry.eax >> 8 & 0xff);
    let Some((words, derived)) = derived else {
        return linear != 0 && linear != 48 && linear != 57;
    };
    let leads = find(entries, 0x8000_0000, None).is_some_and(|e| e.eax >= 0x8000_0008);
    let xcr0 = find(entries, 0xd, Some(0)).map_or(0, |e| wide(e.eax, e.edx));
    let xss = find(entries, 0xd, Some(1)).map_or(0, |e| wide(e.ecx, e.edx));
    let pv = pv_features(entries).and_then(|at| entries.get(at));
    let xen = hypervisor(entries, b"XenVMMXenVMM");
    let hyperv = find(entries, 0x4000_0001, None);
    let expected = GuestCpuid {
        xcr0: xcr0 & context.xcr0,
        xss: xss & context.xss,
        dynamic: xcr0 & context.dynamic,
        reserved_cr4: reserved_cr4(words),
        reserved_efer: reserved_efer(context, words),
        timer_mode_mask: find(entries, 1, None).map_or(0, |entry| {
            if entry.ecx & 1 << 24 != 0 {
                3 << 17
            } else {
                1 << 17
            }
        }),
        pv_features: pv.map_or(0, |entry| entry.eax),
        xen_base: xen.map_or(0, |entry| entry.function),
        xen_limit: xen.map_or(0, |entry| entry.eax),
        maxphyaddr: sizes.filter(|_| leads).map_or(36, |entry| entry.eax as u8),
        hyperv: hyperv.is_some_and(|entry| entry.eax == 0x3123_7648),
        amd_compatible: amd_compatible(entries),
    };

    matches!(linear, 0 | 48 | 57)
        && *words == caps(context, entries)
        && derived.xcr0 == expected.xcr0
        && derived.xss == expected.xss
        && derived.dynamic == expected.dynamic
        && derived.reserved_cr4 == expected.reserved_cr4
        && derived.reserved_efer == expected.reserved_efer
        && derived.timer_mode_mask == expected.timer_mode_mask
        && derived.pv_features == expected.pv_features
        && derived.xen_base == expected.xen_base
        && derived.xen_limit == expected.xen_limit
        && derived.maxphyaddr == expected.maxphyaddr
        && derived.hyperv == expected.hyperv
        && derived.amd_compatible == expected.amd_compatible
}
