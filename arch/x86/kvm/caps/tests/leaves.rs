// SPDX-License-Identifier: GPL-2.0

//! What `KVM_GET_SUPPORTED_CPUID` reports on hosts made up for the test.

use kernel::prelude::*;

use super::{
    is_same,
    words,
    Random,
    INDEXED,
    NO_KERNEL,
    SIZES, //
};
use crate::{
    c::{
        self,
        Entry,
        Snapshot,
        MAX_ENTRIES, //
    },
    cpufeature::{
        self,
        feature::*,
        KernelWords,
        Words, //
    },
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    leaves::{
        supported,
        Context, //
    },
    xstate::required_size, //
};

/// A host made up for a test: the CPU's leaves follow from the seed.
struct Host {
    seed: u64,
    kvm: Words,
    kernel: KernelWords,
    flags: Flags,
    snapshot: Snapshot,
}

impl Host {
    fn new(random: &mut Random) -> Self {
        let mut host = Self {
            seed: random.wide() | 1,
            kvm: NOTHING.map(|_| random.next()),
            kernel: NO_KERNEL.map(|_| random.next()),
            flags: Flags::empty(),
            snapshot: Snapshot {
                xcr0: random.wide() & random.wide(),
                xss: random.wide() & random.wide() & random.wide(),
                power: random.next(),
                phys_bits: random.below(60) as u8,
                tdp_levels: random.one_of(&[4, 5]) as u8,
                sched_info: random.flip(),
                ..Snapshot::default()
            },
        };
        let number = |random: &mut Random| random.one_of(&[0, 1, 2, 8, 48, 0x1ff]) as c_int;
        let pmu = &mut host.snapshot.pmu;

        pmu.version = number(random);
        pmu.num_counters_gp = number(random);
        pmu.num_counters_fixed = number(random);
        pmu.bit_width_gp = number(random);
        pmu.bit_width_fixed = number(random);
        pmu.events_mask = random.next();
        pmu.events_mask_len = number(random);
        for flag in [Flag::Tdp, Flag::Pmu, Flag::Centaur] {
            if random.flip() {
                host.flags |= flag;
            }
        }
        if random.below(4) == 0 {
            host.snapshot.xcr0 = 0;
        }
        if random.flip() {
            host.snapshot.xcr0 &= 0x2e7;
            host.snapshot.xss &= 0x1800;
        }
        host
    }

    /// What the CPU has, with ends of ranges and indices that are near.
    fn cpuid(&self, function: u32, index: u32) -> [u32; 4] {
        let mut random = Random(self.seed ^ u64::from(function) << 17 ^ u64::from(index) << 3);

        random.wide();

        let [eax, ebx, ecx, edx] = [(); 4].map(|()| random.next());
        let eax = match (function, index) {
            (0, _) => random.below(0x30),
            (0x8000_0000, _) => random.one_of(&[
                0,
                0x8000_0000,
                0x8000_0008,
                0x8000_001c,
                0x8000_001d,
                0x8000_001f,
                0x8000_0021,
                0x8000_0022,
                0x8000_0030,
            ]),
            (0xc000_0000, _) => random.one_of(&[0, 0xc000_0000, 0xc000_0001, 0xc000_0009]),
            (7 | 0x14 | 0x1d | 0x1e | 0x24, 0) => random.below(4),
            (4 | 0x8000_001d, 5..) => eax & !0x1f,
            (2, _) if random.flip() => eax & !0xff | 1,
            (0xd, 2..) if random.below(8) == 0 => 0,
            _ => eax,
        };
        let ecx = if function == 0xd && random.below(8) != 0 {
            ecx & !1 | u32::from(self.snapshot.xcr0 >> (index & 63) & 1 == 0)
        } else {
            ecx
        };

        [eax, ebx, ecx, edx]
    }

    fn context(&self) -> Context<'_> {
        Context {
            facts: Facts {
                kvm: &self.kvm,
                kernel: &self.kernel,
                flags: self.flags,
                ..Facts::NONE
            },
            sizes: &SIZES,
            snapshot: &self.snapshot,
        }
    }

    fn has(&self, feature: cpufeature::Feature) -> bool {
        feature.is_in(&self.kvm)
    }
}

/// The same as C had it: leaf for leaf, the host's entry first, and what is changed of it then.
struct Reference<'a> {
    host: &'a Host,
    room: usize,
    entries: KVec<Entry>,
    warned: u32,
}

impl Reference<'_> {
    fn take(&mut self, function: u32, index: u32) -> Result<&mut Entry> {
        if self.entries.len() >= self.room {
            return Err(E2BIG);
        }

        let is_there = match function {
            0x4000_0000..0x8000_0000 => false,
            0x8000_0000..0xc000_0000 => function <= self.host.cpuid(0x8000_0000, 0)[0],
            _ => true,
        };
        let [eax, ebx, ecx, edx] = if is_there {
            self.host.cpuid(function, index)
        } else {
            [0; 4]
        };
        let flags = match function {
            4 | 7 | 0xb | 0xd | 0xf | 0x10 | 0x12 | 0x14 | 0x17 | 0x18 => INDEXED,
            0x1d..=0x1f | 0x23 | 0x24 | 0x8000_001d => INDEXED,
            _ => 0,
        };

        self.entries.push(
            Entry {
                function,
                index,
                flags,
                eax,
                ebx,
                ecx,
                edx,
                padding: [0; 3],
            },
            GFP_KERNEL,
        )?;
        self.entries.last_mut().ok_or(EINVAL)
    }

    fn xsave(&mut self) -> Result {
        let host = self.host;
        let Snapshot { xcr0, xss, .. } = host.snapshot;
        let size = required_size(&SIZES, xcr0, false);
        let entry = self.take(0xd, 0)?;

        entry.eax &= xcr0 as u32;
        (entry.ebx, entry.ecx) = (size, size);
        entry.edx &= (xcr0 >> 32) as u32;
        if xcr0 == 0 {
            return Ok(());
        }

        let is_compact = host.has(XSAVES) || host.has(XSAVEC);
        let entry = self.take(0xd, 1)?;

        entry.eax = host.kvm[cpufeature::CPUID_D_1_EAX::WORD];
        entry.ebx = 0;
        if is_compact {
            entry.ebx = required_size(&SIZES, xcr0 | xss, true);
        }
        entry.ecx &= xss as u32;
        entry.edx &= (xss >> 32) as u32;
        if !is_compact && xss != 0 {
            self.warned |= 1 << 0xd;
        }
        for component in 2..64 {
            let of_user = xcr0 & 1 << component != 0;

            if !of_user && xss & 1 << component == 0 {
                continue;
            }
            let entry = self.take(0xd, component)?;

            if entry.eax == 0 || (entry.ecx & 1 == 0) != of_user {
                self.entries.pop();
                self.warned |= 1 << 0xd;
                continue;
            }
            if !host.has(XFD) {
                entry.ecx &= !4;
            }
            entry.edx = 0;
        }
        Ok(())
    }

    fn widths(&self, eax: u32) -> u32 {
        let mut guest = eax & 0xff;
        let mut physical = guest;

        if !self.host.flags.contains(Flag::Tdp) {
            (physical, guest) = (u32::from(self.host.snapshot.phys_bits), 0);
        } else if self.host.snapshot.tdp_levels < 5 && guest > 48 {
            guest = 48;
        }
        physical + ((eax >> 8) % 256).max(48) * 256 + guest * 65536
    }

    fn function(&mut self, function: u32) -> Result {
        use cpufeature::*;

        let host = self.host;
        let word = |word: usize| host.kvm[word];
        let Snapshot { ref pmu, .. } = host.snapshot;
        let has_pmu = host.flags.contains(Flag::Pmu);

        if function == 0xd {
            return self.xsave();
        }

        let widths = self.widths(host.cpuid(function, 0)[0]);
        let entry = self.take(function, 0)?;
        let mut all = [entry.eax, entry.ebx, entry.ecx, entry.edx];
        let [eax, ebx, ecx, edx] = all;
        let mut max = eax;

        match function {
            0 => all[0] = eax.min(0x24),
            1 => all = [eax, ebx, word(CPUID_1_ECX::WORD), word(CPUID_1_EDX::WORD)],
            2 => self.warned |= u32::from(eax % 256 > 1) << 2,
            4 | 0x8000_001d | 0x8000_0005 => (),
            6 => all = [word(CPUID_6_EAX::WORD), 0, 0, 0],
            7 => {
                max = eax.min(2);
                all = [
                    max,
                    word(CPUID_7_0_EBX::WORD),
                    word(CPUID_7_ECX::WORD),
                    word(CPUID_7_EDX::WORD),
                ];
            }
            0xa if has_pmu && ARCH_PERFMON.is_kept_in(&host.kernel) => {
                let byte = |value: c_int| value as u32 % 256;
                let any = u32::from(pmu.version != 0);

                all = [
                    byte(pmu.version)
                        + byte(pmu.num_counters_gp) * 256
                        + byte(pmu.bit_width_gp) * 65536
                        + byte(pmu.events_mask_len) * (1 << 24),
                    pmu.events_mask,
                    0,
                    pmu.num_counters_fixed as u32 % 32
                        + byte(pmu.bit_width_fixed) * 32
                        + any * (1 << 15),
                ];
            }
            0xb | 0x1f => all = [0, 0, 0, edx],
            0x12 if host.has(SGX) => {
                all = [word(CPUID_12_EAX::WORD), ebx & 1, ecx, edx];
                max = 1;
            }
            0x14 if host.has(INTEL_PT) => (),
            0x1d if host.has(AMX_TILE) => (),
            0x1e if host.has(AMX_TILE) => {
                max = eax.min(1);
                all[0] = max;
            }
            0x24 if host.has(AVX10) => {
                max = eax.min(1);
                all = [max, word(CPUID_24_0_EBX::WORD) | (ebx % 256).min(2), 0, 0];
            }
            0x4000_0000 => all = [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d],
            0x4000_0001 => {
                all = [0x0100_7edb, 0, 0, 0];
                if host.snapshot.sched_info {
                    all[0] |= 1 << 5;
                }
            }
            0x8000_0000 => {
                all[0] = eax.min(0x8000_0022);
                if (0x8000_001d..0x8000_0021).contains(&all[0])
                    && (LFENCE_RDTSC.is_kept_in(&host.kernel) || !bug::NULL_SEG.is_in(&host.kernel))
                {
                    all[0] = 0x8000_0021;
                }
            }
            0x8000_0001 => {
                all = [
                    eax,
                    ebx & 0xf000_ffff,
                    word(CPUID_8000_0001_ECX::WORD),
                    word(CPUID_8000_0001_EDX::WORD),
                ];
            }
            0x8000_0006 => all[3] = edx & 0xfffc_ffff,
            0x8000_0007 => {
                let power = host.snapshot.power;

                all = [0, 0, 0, word(CPUID_8000_0007_EDX::WORD) & power];
            }
            0x8000_0008 => {
                all = [
                    widths,
                    word(CPUID_8000_0008_EBX::WORD),
                    ecx & 0x0000_f0ff,
                    0,
                ];
                // Without the leaf nothing is wider than nothing.
                if host.cpuid(0x8000_0000, 0)[0] < function {
                    all[0] = self.widths(0);
                }
            }
            0x8000_000a if host.has(SVM) => all = [1, 8, 0, word(CPUID_8000_000A_EDX::WORD)],
            0x8000_0019 => all = [eax, ebx, 0, 0],
            0x8000_001a => all = [eax % 8, 0, 0, 0],
            0x8000_001f if host.has(SEV) => {
                all = [word(CPUID_8000_001F_EAX::WORD), ebx % 64, ecx, edx];
            }
            0x8000_0021 => {
                all = [
                    word(CPUID_8000_0021_EAX::WORD),
                    if host.has(ERAPS) { ebx & 0xff_0000 } else { 0 },
                    word(CPUID_8000_0021_ECX::WORD),
                    0,
                ];
            }
            0x8000_0022 if has_pmu && host.has(PERFMON_V2) => {
                let counters = pmu.num_counters_gp as u32 % 16;

                all = [word(CPUID_8000_0022_EAX::WORD), counters, 0, 0];
            }
            0xc000_0000 => all[0] = eax.min(0xc000_0004),
            0xc000_0001 => all[3] = word(CPUID_C000_0001_EDX::WORD),
            _ => (all, max) = ([0; 4], 0),
        }
        if let Some(entry) = self.entries.last_mut() {
            [entry.eax, entry.ebx, entry.ecx, entry.edx] = all;
        }

        match function {
            4 | 0x8000_001d => {
                let (mut index, mut eax) = (0, all[0]);

                while eax % 32 != 0 {
                    index += 1;
                    eax = self.take(function, index)?.eax;
                }
            }
            7 | 0x12 | 0x14 | 0x1d | 0x1e | 0x24 => {
                for index in 1..=max {
                    let entry = self.take(function, index)?;
                    let [eax, ebx, ecx, edx] = [entry.eax, entry.ebx, entry.ecx, entry.edx];

                    [entry.eax, entry.ebx, entry.ecx, entry.edx] = match (function, index) {
                        (7, 1) => [
                            word(CPUID_7_1_EAX::WORD),
                            0,
                            word(CPUID_7_1_ECX::WORD),
                            word(CPUID_7_1_EDX::WORD),
                        ],
                        (7, _) => [0, 0, 0, word(CPUID_7_2_EDX::WORD)],
                        (0x12, _) => [eax & 0x4b6, 0, ecx, edx],
                        (0x1e, _) => [word(CPUID_1E_1_EAX::WORD), 0, 0, 0],
                        (0x24, _) => [0, 0, word(CPUID_24_1_ECX::WORD), 0],
                        _ => [eax, ebx, ecx, edx],
                    };
                }
            }
            _ => (),
        }
        Ok(())
    }

    fn report(&mut self) -> Result {
        for base in [0, 0x8000_0000, 0xc000_0000, 0x4000_0000] {
            if base == 0xc000_0000 && !self.host.flags.contains(Flag::Centaur) {
                continue;
            }
            self.function(base)?;
            let last = self.entries.last().map_or(0, |entry| entry.eax);

            for function in base + 1..=last {
                self.function(function)?;
            }
        }
        Ok(())
    }
}

fn reference(host: &Host, room: usize) -> Result<(Reference<'_>, Result)> {
    let mut reference = Reference {
        host,
        room,
        entries: KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?,
        warned: 0,
    };
    let done = reference.report();

    Ok((reference, done))
}

/// A host with these features, that warns of nothing, and all leaves that KVM knows.
fn plain(features: &[cpufeature::Feature]) -> Host {
    Host {
        seed: 1,
        kvm: words(features),
        kernel: NO_KERNEL,
        flags: Flag::Tdp.into(),
        snapshot: Snapshot::default(),
    }
}

/// The entry of a leaf on a host whose CPU has `regs` in every leaf, up to the last functions that
/// KVM knows.
fn leaf(host: &Host, regs: [u32; 4], function: u32, index: u32) -> Result<Option<Entry>> {
    let mut entries = room()?;
    let cpuid = |function: u32, _| match function {
        0 | 0x8000_0000 | 0xc000_0000 => [function | 0xff, 0, 0, 0],
        4 | 0x8000_001d => [0; 4],
        _ => regs,
    };
    let (count, _) = supported(&host.context(), cpuid, &mut entries);

    Ok(entries
        .iter()
        .take(count?)
        .find(|entry| entry.function == function && entry.index == index)
        .cloned())
}

/// Room for all entries. `KVec::from_elem` would panic without a first one.
fn room() -> Result<KVec<Entry>> {
    let mut entries = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;
    for _ in 0..MAX_ENTRIES {
        entries.push(Entry::default(), GFP_KERNEL)?;
    }
    Ok(entries)
}

#[kunit_tests(kvm_caps_leaves)]
mod tests {
    use super::*;

    /// Byte for byte, with room for all, for none, and for any number between.
    #[test]
    fn leaves_are_as_c_reported_them() -> Result {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut entries = room()?;
        let (mut failed, mut warned) = (0, 0);

        for _ in 0..2000 {
            let host = Host::new(&mut random);
            let room = match random.below(3) {
                0 => random.below(130) as usize,
                _ => MAX_ENTRIES,
            };
            let (expected, done) = reference(&host, room)?;
            let (count, contradictions) = supported(
                &host.context(),
                |function, index| host.cpuid(function, index),
                &mut entries[..room],
            );

            assert_eq!(contradictions, expected.warned);
            assert_eq!(count.is_err(), done.is_err());
            if let Ok(count) = count {
                assert_eq!(count, expected.entries.len());
                assert!(is_same(&entries[..count], &expected.entries));
            } else {
                assert!(count == Err(E2BIG) && done == Err(E2BIG));
                failed += 1;
            }
            warned += u32::from(contradictions != 0);
        }
        // Both are to be seen.
        assert!((100..1000).contains(&failed) && (100..1900).contains(&warned));
        Ok(())
    }

    /// Room is wanted for the last entry, and for no more.
    #[test]
    fn as_much_room_as_entries_is_enough() -> Result {
        let mut random = Random(0xdead_beef_cafe_f00d);
        let mut entries = room()?;

        for _ in 0..50 {
            let mut host = Host::new(&mut random);

            // With nothing that would be left out.
            host.snapshot.xcr0 = 0;

            let (expected, done) = reference(&host, MAX_ENTRIES)?;
            let count = expected.entries.len();
            let cpuid = |function, index| host.cpuid(function, index);

            done?;
            for (room, wanted) in [(count, Ok(count)), (count - 1, Err(E2BIG)), (0, Err(E2BIG))] {
                let (count, _) = supported(&host.context(), cpuid, &mut entries[..room]);

                assert!(count == wanted);
            }
        }
        Ok(())
    }

    /// Each leaf that some feature brings is blank without it.
    #[test]
    fn a_leaf_is_blank_without_its_feature() -> Result {
        for (feature, function, index) in [
            (SGX, 0x12, 1),
            (INTEL_PT, 0x14, 1),
            (AMX_TILE, 0x1d, 1),
            (AMX_TILE, 0x1e, 1),
            (AVX10, 0x24, 1),
        ] {
            let regs = [1, 2, 3, 4];
            let with = leaf(&plain(&[feature]), regs, function, index)?;
            let without = leaf(&plain(&[]), regs, function, index)?;
            let blank = leaf(&plain(&[]), regs, function, 0)?.ok_or(EINVAL)?;

            assert!(with.is_some() && without.is_none());
            assert!(
                blank.flags == INDEXED && [blank.eax, blank.ebx, blank.ecx, blank.edx] == [0; 4]
            );
        }
        for (feature, function) in [(SVM, 0x8000_000a), (SEV, 0x8000_001f)] {
            for (host, is_blank) in [(plain(&[feature]), false), (plain(&[]), true)] {
                let entry = leaf(&host, [!0; 4], function, 0)?.ok_or(EINVAL)?;

                assert!((entry.ebx == 0) == is_blank);
            }
        }
        Ok(())
    }

    /// What is behind the CPU's own leaves, or of KVM itself, is not read from the CPU.
    #[test]
    fn nothing_is_read_that_the_cpu_does_not_have() -> Result {
        let mut host = plain(&[]);
        let mut entries = room()?;
        let mut read_beyond = false;

        LFENCE_RDTSC.keep_in(&mut host.kernel, true);

        let (count, _) = supported(
            &host.context(),
            |function, _| {
                read_beyond |= function > 0x8000_001d || function >> 30 == 1;
                match function {
                    0x8000_0000 => [0x8000_001d, 0, 0, 0],
                    0 => [1, 0, 0, 0],
                    _ => [0; 4],
                }
            },
            &mut entries,
        );

        assert!(!read_beyond);
        assert!(entries
            .iter()
            .take(count?)
            .any(|entry| entry.function == 0x8000_0021));
        Ok(())
    }

    /// XTILE_DATA's size is told even of hosts that have it, if the caller may not use it.
    #[test]
    fn components_are_the_callers() -> Result {
        for (xcr0, index, is_told) in [(0x7, 2, true), (0x7, 18, false), (0x6_0007, 18, true)] {
            let mut host = plain(&[]);

            host.snapshot.xcr0 = xcr0;
            assert_eq!(leaf(&host, [64, 0, 2, 0], 0xd, index)?.is_some(), is_told);
        }
        Ok(())
    }

    #[test]
    fn sgx_is_as_the_kernel_knows_it() {
        assert_eq!((c::SGX_MISC, c::SGX_ATTRIBUTES), (1, 0x4b6));
    }
}
