// SPDX-License-Identifier: GPL-2.0

//! What KVM derives from a guest's CPUID entries: the vCPU's capabilities and more.

use kernel::prelude::*;

use crate::{
    c::{
        Entry,
        GuestCpuid,
        Runtime,
        XstateSize,
        HYPERV_INTERFACE, //
    },
    cpufeature::{
        feature::TSC_DEADLINE_TIMER,
        Words,
        CPUID_1_ECX,
        CPUID_1_EDX,
        CPUID_24_0_EBX,
        LEAVES,
        NR_KVM_CPU_CAPS, //
    },
    cpuid::{
        self,
        Index,
        Slot, //
    },
    facts::{
        Facts,
        Flag,
        NOTHING, //
    },
    runtime::{
        self,
        Leaves, //
    },
    tables::{
        control_regs::{
            self,
            CR4,
            EFER, //
        },
        leaves,
        optouts,
        policy, //
    }, //
};

/// A leaf that has capability words.
#[derive(Clone, Copy)]
struct LeafOfWords {
    function: u32,
    index: u32,
    /// The words that mirror EAX, EBX, ECX, EDX; no word's index where there is none.
    words: [u8; 4],
}

/// The leaves that have words which KVM asks for features of.
static QUERIED: LeavesOfWords = leaves_of(&policy::QUERIED);

/// The leaves that have words with features that bits of CR4 stand for.
static OF_CR4: LeavesOfWords = leaves_of(&control_regs::features_of(CR4));

type LeavesOfWords = [Option<LeafOfWords>; NR_KVM_CPU_CAPS];

/// The leaves that have words with features in `wanted`; made of [`LEAVES`].
const fn leaves_of(wanted: &Words) -> LeavesOfWords {
    let mut leaves = [None; NR_KVM_CPU_CAPS];
    let mut word = 0;

    while word < NR_KVM_CPU_CAPS {
        if let (Some(leaf), true) = (LEAVES[word], wanted[word] != 0) {
            let mut i = 0;

            // The place of this leaf, or the first free one.
            while matches!(
                leaves[i],
                Some(LeafOfWords { function, index, .. })
                    if function != leaf.function || index != leaf.index
            ) {
                i += 1;
            }

            let mut words = match leaves[i] {
                Some(LeafOfWords { words, .. }) => words,
                None => [u8::MAX; 4],
            };

            words[leaf.reg as usize] = word as u8;
            leaves[i] = Some(LeafOfWords {
                function: leaf.function,
                index: leaf.index,
                words,
            });
        }
        word += 1;
    }
    leaves
}

/// What guest CPUID asks for, a bit for each feature. A word that KVM asks for no feature of is
/// zero, as is one without an entry that answers for its function and index.
pub(crate) fn asked(entries: &[Entry], index: &Index) -> Words {
    let mut asked = asked_in(&QUERIED, entries, index);

    // Beside features there is the version of AVX10.
    asked[CPUID_24_0_EBX::WORD] &= const { leaves::features(CPUID_24_0_EBX::WORD) };
    asked
}

const _: () = {
    let mut word = 0;

    while word < NR_KVM_CPU_CAPS {
        assert!(
            leaves::features(word) == !0 || word == CPUID_24_0_EBX::WORD,
            "guest CPUID has a number there, and no features"
        );
        word += 1;
    }
};

fn asked_in(leaves: &LeavesOfWords, entries: &[Entry], index: &Index) -> Words {
    let mut asked = NOTHING;

    for leaf in leaves.iter().map_while(Option::as_ref) {
        let at = index.find_inline(entries, leaf.function, Some(leaf.index));

        if let Some(entry) = at.and_then(|at| entries.get(at)) {
            let regs = [entry.eax, entry.ebx, entry.ecx, entry.edx];

            for (word, reg) in leaf.words.iter().zip(regs) {
                if let Some(word) = asked.get_mut(usize::from(*word)) {
                    *word = reg;
                }
            }
        }
    }
    asked
}

/// The bits of CR4 that guest CPUID has the features of, whether or not the vCPU may use them.
pub(crate) fn cr4(entries: &[Entry], index: &Index) -> u64 {
    let mut asked = asked_in(&OF_CR4, entries, index);

    // A look-up, not a word: any entry of leaf 1 will do.
    if let Some(entry) = index.entry(entries, 1, None) {
        asked[CPUID_1_ECX::WORD] = entry.ecx;
        asked[CPUID_1_EDX::WORD] = entry.edx;
    }

    let facts = Facts {
        vcpu: &asked,
        ..Facts::NONE
    };

    control_regs::stand_for(CR4, &facts)
}

/// What a vCPU may use, a bit for each feature: `kvm_vcpu_arch::cpu_caps`.
#[repr(transparent)]
pub(crate) struct GuestCaps(Words);

impl GuestCaps {
    /// What both the host, `facts.kvm`, and guest CPUID, `facts.guest`, have, with the opt-outs
    /// applied.
    #[inline(always)]
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let mut caps = Self(NOTHING);

        for ((word, has), asked) in caps.0.iter_mut().zip(facts.kvm).zip(facts.guest) {
            *word = has & asked;
        }
        optouts::apply(facts, &mut caps.0);
        caps
    }

    /// Makes the features that follow the vCPU's state what `runtime` says, where guest CPUID has
    /// their leaf.
    pub(crate) fn update(&mut self, runtime: &Runtime, leaves: Leaves) {
        runtime::update(&mut self.0, runtime, leaves);
    }

    /// The words.
    pub(crate) fn words(&self) -> &Words {
        &self.0
    }
}

/// What counts beside the entries.
pub(crate) struct Context<'a> {
    /// What is known of the host, and of who runs the vCPU.
    pub(crate) facts: Facts<'a>,
    /// The vCPU's state.
    pub(crate) runtime: &'a Runtime,
    /// The sizes of XSAVE's components.
    pub(crate) sizes: &'a [XstateSize],
    /// The components of XCR0 that KVM supports.
    pub(crate) xcr0: u64,
    /// The components of IA32_XSS that KVM supports.
    pub(crate) xss: u64,
    /// The components of XCR0 that the kernel enables on request only.
    pub(crate) dynamic: u64,
}

/// The leaf that has the widths of addresses, that of linear ones in EAX[15:8].
pub(crate) const SIZES: u32 = 0x8000_0008;

/// The widths of linear addresses that KVM can virtualize, and the unspecified one.
pub(crate) const LINEAR_WIDTHS: [u32; 3] = [0, 48, 57];

/// The width of linear addresses, of that leaf's EAX.
pub(crate) fn linear_width(eax: u32) -> u32 {
    eax >> 8 & 0xff
}

/// Writes the vCPU's state to `entries`, which `index` is of, and derives what the vCPU may use, in
/// `caps`, and all else.
///
/// # Errors
///
/// `EINVAL` if linear addresses are neither 48 nor 57 bits wide, nor of unspecified width.
pub(crate) fn derive(
    context: &Context<'_>,
    entries: &mut [Entry],
    index: &Index,
    caps: &mut impl Slot<GuestCaps>,
) -> Result<GuestCpuid> {
    let runtime = context.runtime;
    let leaves = runtime::massage(runtime, context.sizes, entries, index);

    runtime::massage_kvm_features(runtime, entries, index);

    let entries = &*entries;
    let entry = |function, at| index.entry(entries, function, at);
    let sizes = entry(SIZES, None).map(|entry| entry.eax);

    if !LINEAR_WIDTHS.contains(&linear_width(sizes.unwrap_or(0))) {
        return Err(EINVAL);
    }

    let amd_compatible = entry(0, None).is_some_and(is_amd_compatible);
    let mut facts = Facts {
        guest: &asked(entries, index),
        ..context.facts
    };

    if amd_compatible {
        facts.flags |= Flag::AmdCompatible;
    }

    let caps = caps.fill(GuestCaps::new(&facts));

    caps.update(runtime, leaves);

    let facts = Facts {
        vcpu: caps.words(),
        ..facts
    };
    let xcr0 = entry(0xd, Some(0)).map_or(0, |entry| wide(entry.eax, entry.edx));
    let xss = entry(0xd, Some(1)).map_or(0, |entry| wide(entry.ecx, entry.edx));
    let xen = index.hypervisor(entries, b"XenVMMXenVMM");
    let max_extended = entry(0x8000_0000, None).map_or(0, |entry| entry.eax);

    Ok(GuestCpuid {
        xcr0: xcr0 & context.xcr0,
        xss: xss & context.xss,
        dynamic: xcr0 & context.dynamic,
        reserved_cr4: control_regs::reserved(CR4, &facts),
        reserved_efer: control_regs::reserved(EFER, &facts),
        timer_mode_mask: entry(1, None).map_or(0, timer_mode_mask),
        pv_features: index
            .kvm_features(entries)
            .and_then(|position| entries.get(position))
            .map_or(0, |entry| entry.eax),
        xen_base: xen.map_or(0, |entry| entry.function),
        xen_limit: xen.map_or(0, |entry| entry.eax),
        // EAX[7:0], or 36 if leaf 0x80000000 doesn't lead there.
        maxphyaddr: match sizes {
            Some(sizes) if max_extended >= 0x8000_0008 => sizes as u8,
            _ => 36,
        },
        hyperv: entry(0x4000_0001, None).is_some_and(|entry| entry.eax == HYPERV_INTERFACE),
        amd_compatible,
    })
}

/// Whether the vendor is one whose CPUs behave like AMD's.
fn is_amd_compatible(entry: &Entry) -> bool {
    [b"AuthenticAMD", b"AMDisbetter!", b"HygonGenuine"]
        .iter()
        .any(|name| cpuid::is_vendor(entry, name))
}

/// A mask of 64 bits from two registers.
fn wide(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// LVTT's mode by leaf 1: bit 17, periodic, and with TSC deadlines bit 18 as well.
fn timer_mode_mask(entry: &Entry) -> u32 {
    if entry.ecx & TSC_DEADLINE_TIMER.mask() != 0 {
        3 << 17
    } else {
        1 << 17
    }
}
