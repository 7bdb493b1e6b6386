// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, a file for what each is about, and what they share.

use kernel::prelude::*;

use crate::{
    c::{
        Entry,
        GuestCpuid,
        Runtime,
        XstateSize,
        SIGNIFICANT_INDEX, //
    },
    cpufeature::{
        Feature,
        KernelWords,
        Reg,
        Words,
        NBUGINTS,
        NCAPINTS,
        NR_KVM_CPU_CAPS, //
    },
    cpuid::Index,
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    guest::{
        derive,
        Context,
        GuestCaps, //
    }, //
};

mod control_regs;
mod cpuid;
mod guest;
mod host;
mod leaves;
mod optouts;
mod policy;
mod query;
mod reference;
mod runtime;
mod vendor;
mod view;
mod xstate;

const EVERYTHING: Words = [!0; NR_KVM_CPU_CAPS];
const NO_KERNEL: KernelWords = [0; NCAPINTS + NBUGINTS];
const INDEXED: u32 = SIGNIFICANT_INDEX;

/// Words with these features.
fn words(features: &[Feature]) -> Words {
    let mut words = NOTHING;

    for feature in features {
        feature.set_in(&mut words, true);
    }
    words
}

/// A kernel that has these features.
fn kernel(features: &[Feature]) -> KernelWords {
    let mut words = NO_KERNEL;

    for feature in features {
        feature.keep_in(&mut words, true);
    }
    words
}

/// An entry that has `value` in all of its registers.
fn entry(function: u32, index: u32, flags: u32, value: u32) -> Entry {
    Entry {
        function,
        index,
        flags,
        eax: value,
        ebx: value,
        ecx: value,
        edx: value,
        ..Entry::default()
    }
}

/// An entry that has `text` in EBX, ECX and EDX.
fn signed(function: u32, eax: u32, text: &[u8; 12]) -> Entry {
    let word = |at: usize| {
        text.iter()
            .skip(at)
            .take(4)
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    };

    Entry {
        function,
        eax,
        ebx: word(0),
        ecx: word(4),
        edx: word(8),
        ..Entry::default()
    }
}

/// The index of entries.
fn index(entries: &[Entry]) -> Index {
    let mut index = Index::EMPTY;

    index.add(entries);
    index
}

/// What follows from entries, which are massaged.
fn derived(context: &Context<'_>, entries: &mut [Entry]) -> Result<(GuestCaps, GuestCpuid)> {
    let index = index(entries);

    let mut caps = GuestCaps::new(&Facts::NONE);
    let cpuid = derive(context, entries, &index, &mut caps)?;

    Ok((caps, cpuid))
}

/// The value of one register.
fn reg(entry: &Entry, reg: Reg) -> u32 {
    *crate::cpuid::reg_mut(&mut entry.clone(), reg)
}

fn is_same(a: &[Entry], b: &[Entry]) -> bool {
    crate::cpuid::are_same(a, b) && a.iter().zip(b).all(|(a, b)| a.padding == b.padding)
}

const AT_RESET: Runtime = Runtime {
    xcr0: 0,
    xss: 0,
    osxsave: false,
    ospke: false,
    apic: true,
    tracks_mwait: false,
    mwait: false,
    hlt_in_guest: false,
};

/// Components 2 and 9 of XCR0 as of a real CPU, and an aligned one, 11.
const SIZES: [XstateSize; 12] = {
    const NONE: XstateSize = XstateSize {
        eax: 0,
        ebx: 0,
        ecx: 0,
    };
    let mut sizes = [NONE; 12];

    sizes[2] = XstateSize {
        eax: 256,
        ebx: 576,
        ecx: 0,
    };
    sizes[9] = XstateSize {
        eax: 8,
        ebx: 2688,
        ecx: 0,
    };
    sizes[11] = XstateSize {
        eax: 16,
        ebx: 0,
        ecx: 3,
    };
    sizes
};

/// What a TD without two-dimensional paging would see: no exceptions but emulation.
fn plain(kvm: &Words) -> Context<'_> {
    Context {
        facts: Facts {
            kvm,
            flags: Flag::Tdx.into(),
            ..Facts::NONE
        },
        runtime: &AT_RESET,
        sizes: &SIZES,
        xcr0: !0,
        xss: !0,
        dynamic: 0,
    }
}

/// Marsaglia's xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    fn wide(&mut self) -> u64 {
        u64::from(self.next()) << 32 | u64::from(self.next())
    }

    fn flip(&mut self) -> bool {
        self.next() & 1 != 0
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    fn one_of(&mut self, values: &[u32]) -> u32 {
        let choice = self.below(values.len() as u32) as usize;

        values.get(choice).copied().unwrap_or(0)
    }

    /// An entry that likely collides with others, and with what is looked up, in all that matters.
    fn entry(&mut self) -> Entry {
        #[rustfmt::skip]
        const FUNCTIONS: [u32; 31] = [
            0, 1, 2, 6, 7, 0xd, 0xd, 0x10, 0x12, 0x1e, 0x24, 0x41, 0x4000_0000, 0x4000_0001,
            0x4000_0010, 0x4000_0100, 0x4000_0101, 0x4000_ff00, 0x4000_ff01, 0x4001_0000,
            0x8000_0000, 0x8000_0001, 0x8000_0007, 0x8000_0008, 0x8000_000a, 0x8000_001f,
            0x8000_0021, 0x8000_0022, 0x8086_0001, 0xc000_0001, u32::MAX,
        ];
        const NAMES: [&[u8; 12]; 6] = [
            b"KVMKVMKVM\0\0\0",
            b"XenVMMXenVMM",
            b"AuthcAMDenti",
            b"AMDiter!sbet",
            b"HygouinenGen",
            b"GenuntelineI",
        ];

        let function = self.one_of(&FUNCTIONS);
        let entry = Entry {
            function,
            index: self.one_of(&[0, 0, 0, 1, 1, 2, 5, u32::MAX]),
            flags: self.one_of(&[0, INDEXED, INDEXED, INDEXED, 2, 6, !0]),
            eax: self.next(),
            ebx: self.next(),
            ecx: self.next(),
            edx: self.next(),
            padding: [self.next(); 3],
        };

        match (function, NAMES.get(self.below(8) as usize)) {
            (0 | 0x4000_0000..=0x4000_ffff, Some(name)) => Entry {
                index: entry.index,
                flags: entry.flags,
                ..signed(function, entry.eax, name)
            },
            (0x4000_0001, None) => Entry {
                eax: u32::from_le_bytes(*b"Hv#1"),
                ..entry
            },
            // Most tables should be good ones.
            (0x8000_0008, _) if self.below(64) != 0 => Entry {
                eax: entry.eax & 0xffff_00ff | self.one_of(&[0, 48 << 8, 57 << 8]),
                ..entry
            },
            _ => entry,
        }
    }

    fn kernel(&mut self) -> KernelWords {
        NO_KERNEL.map(|_| self.next())
    }

    fn flags(&mut self) -> Flags {
        let kind = match self.below(3) {
            0 => Flag::Svm,
            1 => Flag::Vmx,
            _ => Flag::Tdx,
        };

        if self.flip() {
            kind | Flag::Tdp
        } else {
            kind.into()
        }
    }

    fn runtime(&mut self) -> Runtime {
        Runtime {
            xcr0: self.wide() & 0xfff,
            xss: self.wide() & 0xfff,
            osxsave: self.flip(),
            ospke: self.flip(),
            apic: self.flip(),
            tracks_mwait: self.flip(),
            mwait: self.flip(),
            hlt_in_guest: self.flip(),
        }
    }
}
