// SPDX-License-Identifier: GPL-2.0

//! What `KVM_GET_SUPPORTED_CPUID` reports, by the rows of
//! [`tables::leaves`](super::tables::leaves).

use kernel::prelude::*;

use crate::{
    c::{
        self,
        Entry,
        Snapshot,
        XstateSize,
        SIGNIFICANT_INDEX, //
    },
    cpufeature::{
        bug::NULL_SEG,
        feature::*,
        Feature, //
    },
    cpuid::Slot,
    facts::{
        all_hold,
        has_bug,
        is,
        kernel,
        not,
        Condition,
        Facts,
        Flag, //
    },
    tables::leaves::{
        Expectation,
        GoesOn,
        Of,
        Row,
        Value,
        RANGES,
        ROWS, //
    },
    xstate, //
};

/// What counts beside the CPU's own leaves.
pub(crate) struct Context<'a> {
    /// What is known of the host, and what KVM supports.
    pub(crate) facts: Facts<'a>,
    /// The sizes of XSAVE's components.
    pub(crate) sizes: &'a [XstateSize],
    /// All else.
    pub(crate) snapshot: &'a Snapshot,
}

impl Context<'_> {
    fn supports(&self, feature: Feature) -> bool {
        feature.is_in(self.facts.kvm)
    }

    fn has_compact_xsave(&self) -> bool {
        self.supports(XSAVES) || self.supports(XSAVEC)
    }

    /// What is computed for a register in which the CPU has `host`.
    #[inline(never)]
    fn of(&self, of: Of, host: u32) -> u32 {
        let Snapshot {
            xcr0,
            xss,
            power,
            phys_bits,
            tdp_levels,
            sched_info,
            ref pmu,
        } = *self.snapshot;
        let if_supported = |feature, value| if self.supports(feature) { value } else { 0 };

        match of {
            Of::PerfmonVersion => u32::from_le_bytes([
                pmu.version as u8,
                pmu.num_counters_gp as u8,
                pmu.bit_width_gp as u8,
                pmu.events_mask_len as u8,
            ]),
            Of::PerfmonEvents => pmu.events_mask,
            // Bit 15: that AnyThread is deprecated.
            Of::PerfmonFixed => {
                pmu.num_counters_fixed as u32 & 0x1f
                    | (pmu.bit_width_fixed as u32 & 0xff) << 5
                    | u32::from(pmu.version != 0) << 15
            }
            Of::Xcr0Low => xcr0 as u32,
            Of::Xcr0High => (xcr0 >> 32) as u32,
            Of::XssLow => xss as u32,
            Of::XssHigh => (xss >> 32) as u32,
            Of::XsaveSize => xstate::required_size(self.sizes, xcr0, false),
            Of::XsavesSize if self.has_compact_xsave() => {
                xstate::required_size(self.sizes, xcr0 | xss, true)
            }
            Of::XsavesSize => 0,
            Of::ComponentFlags => !(1 << 2) | if_supported(XFD, 1 << 2),
            Of::SgxMisc => c::SGX_MISC,
            Of::SgxAttributes => c::SGX_ATTRIBUTES,
            Of::Avx10Version => (host & 0xff).min(2),
            Of::PvFeatures if sched_info => c::PV_FEATURES | c::STEAL_TIME,
            Of::PvFeatures => c::PV_FEATURES,
            Of::MaxExtended => self.max_extended(host),
            Of::Power => power,
            Of::AddressSizes => {
                let linear = (host >> 8 & 0xff).max(48);
                let [physical, guest] = if is(Flag::Tdp).holds(&self.facts) {
                    // What memory encryption takes off is taken off what the host addresses, not
                    // what guests do. A guest can't address more than four levels translate.
                    let limit = if tdp_levels < 5 { 48 } else { u32::MAX };

                    [host & 0xff, (host & 0xff).min(limit)]
                } else {
                    // Guests share the host's, whose own limit there is none to.
                    [u32::from(phys_bits), 0]
                };

                physical | linear << 8 | guest << 16
            }
            Of::RapSize => if_supported(ERAPS, 0x00ff_0000),
            Of::CoreCounters => pmu.num_counters_gp as u32 & 0xf,
        }
    }

    /// Up to 0x80000022, and at least 0x80000021 where there is something to tell there that the
    /// CPU doesn't: that LFENCE serializes is enumerated in many ways, that a null selector clears
    /// the base by none on Zen 2. Not so without 0x8000001d: QEMU believes that the CPU has it if
    /// KVM reports a function behind it, and may then never find an end of its indices.
    fn max_extended(&self, host: u32) -> u32 {
        const MORE: Condition = kernel(LFENCE_RDTSC).or(not(has_bug(NULL_SEG)));
        let max = host.min(0x8000_0022);

        if max >= 0x8000_001d && MORE.holds(&self.facts) {
            max.max(0x8000_0021)
        } else {
            max
        }
    }

    /// A register, where the CPU has `host`.
    #[inline]
    fn value(&self, value: Value, host: u32) -> u32 {
        let kvm = |word| {
            self.facts
                .kvm
                .get(usize::from(word))
                .copied()
                .unwrap_or_default()
        };

        match value {
            Value::Host(bits) => host & bits,
            Value::HostAnd(of) => host & self.of(of, host),
            Value::HostUpTo(limit) => host.min(limit),
            Value::Constant(constant) => constant,
            Value::Kvm(word) => kvm(word),
            Value::KvmAnd(word, of) => kvm(word) & self.of(of, host),
            Value::KvmOr(word, of) => kvm(word) | self.of(of, host),
            Value::Of(of) => self.of(of, host),
        }
    }

    /// Whether the CPU is as expected.
    fn meets(&self, expectation: Expectation, index: u32, host: &[u32; 4]) -> bool {
        let [eax, _, ecx, _] = host;
        let Snapshot { xcr0, xss, .. } = *self.snapshot;

        match expectation {
            Expectation::Nothing => true,
            Expectation::Stateless => eax & 0xff <= 1,
            Expectation::XsavesForXss => xss == 0 || self.has_compact_xsave(),
            Expectation::ComponentAsSupported => {
                let is_of_xss = xcr0.checked_shr(index).unwrap_or(0) & 1 == 0;

                *eax != 0 && (ecx & 1 != 0) == is_of_xss
            }
        }
    }

    /// The index behind `index` that has an entry, if there is one: EAX of index 0 is `max`, that
    /// of `index` is `eax`.
    fn next_index(&self, goes_on: GoesOn, index: u32, max: u32, eax: u32) -> Option<u32> {
        let next = index.wrapping_add(1);

        match goes_on {
            GoesOn::Never | GoesOn::Untold => None,
            GoesOn::Once => (index == 0).then_some(next),
            GoesOn::UpToEax => (index < max).then_some(next),
            // EAX[4:0] is the type of the cache, 0 of none.
            GoesOn::WhileThereIsACache => (eax & 0x1f != 0).then_some(next),
            GoesOn::WithComponents => {
                let Snapshot { xcr0, xss, .. } = *self.snapshot;

                if index == 0 {
                    return (xcr0 != 0).then_some(next);
                }
                let rest = (xcr0 | xss).checked_shr(next).unwrap_or(0);

                (rest != 0).then(|| next.wrapping_add(rest.trailing_zeros()))
            }
        }
    }
}

/// The entries so far.
struct Report<'a, F, S> {
    context: &'a Context<'a>,
    /// Reads CPUID.
    cpuid: F,
    /// The last function of the CPU's extended range.
    max_extended: u32,
    entries: &'a mut [S],
    count: usize,
    /// The functions in which the CPU is not as expected, as bits.
    contradictions: u32,
}

impl<F: FnMut(u32, u32) -> [u32; 4], S: Slot<Entry>> Report<'_, F, S> {
    /// What the CPU has, nothing where it has none: in KVM's own leaves, and in those that KVM adds
    /// to the extended ones.
    fn read(&mut self, function: u32, index: u32) -> [u32; 4] {
        match function >> 30 {
            0b01 => [0; 4],
            0b10 if function > self.max_extended => [0; 4],
            _ => (self.cpuid)(function, index),
        }
    }

    fn put(&mut self, entry: Entry) -> Result {
        self.entries.get_mut(self.count).ok_or(E2BIG)?.fill(entry);
        self.count = self.count.wrapping_add(1);
        Ok(())
    }

    /// Reports a function. Returns EAX of its index 0.
    fn function(&mut self, function: u32, rows: &[Row]) -> Result<u32> {
        let context = self.context;
        let goes_on = rows.first().map_or(GoesOn::Never, |row| row.goes_on);
        let blank = Entry {
            function,
            flags: if goes_on == GoesOn::Never {
                0
            } else {
                SIGNIFICANT_INDEX
            },
            ..Entry::default()
        };

        if !rows
            .first()
            .is_some_and(|row| all_hold(row.needs, &context.facts))
        {
            self.put(blank)?;
            return Ok(0);
        }

        let (mut index, mut max) = (0, 0);

        // The last row is for all further indices.
        while let Some(row) = rows.get(index as usize).or(rows.last()) {
            let host = if row.looks_at_host {
                self.read(function, index)
            } else {
                [0; 4]
            };
            let mut regs = [0; 4];

            for ((reg, value), host) in regs.iter_mut().zip(&row.registers).zip(host) {
                *reg = context.value(*value, host);
            }

            let [eax, ebx, ecx, edx] = regs;

            // Also if it is left out then.
            self.put(Entry {
                index,
                eax,
                ebx,
                ecx,
                edx,
                ..blank
            })?;
            if row.expects != Expectation::Nothing && !context.meets(row.expects, index, &host) {
                self.contradictions |= 1_u32.checked_shl(function).unwrap_or(0);
                if row.expects == Expectation::ComponentAsSupported {
                    self.count = self.count.saturating_sub(1);
                }
            }
            if index == 0 {
                max = eax;
            }
            match context.next_index(goes_on, index, max, eax) {
                Some(next) => index = next,
                None => break,
            }
        }
        Ok(max)
    }

    /// Reports a range of functions, from its first one to that which EAX of it says.
    fn range(&mut self, base: u32) -> Result {
        let before = ROWS.partition_point(|row| row.function < base);
        let mut rest = ROWS.get(before..).unwrap_or(&[]);
        let (mut function, mut last) = (base, base);

        while function <= last {
            let count = rest
                .iter()
                .take_while(|row| row.function == function)
                .count();
            let Some((rows, others)) = rest.split_at_checked(count) else {
                break;
            };
            let eax = self.function(function, rows)?;

            if function == base {
                last = eax;
            }
            rest = others;
            function = function.wrapping_add(1);
        }
        Ok(())
    }

    fn ranges(&mut self) -> Result {
        for (base, condition) in &RANGES {
            if condition.is_none_or(|condition| condition.holds(&self.context.facts)) {
                self.range(*base)?;
            }
        }
        Ok(())
    }
}

/// Fills in what `KVM_GET_SUPPORTED_CPUID` reports on a CPU of which `cpuid` reads functions by
/// index. Returns how many entries that is, and a bit for each function in which the CPU is not as
/// expected.
///
/// # Errors
///
/// `E2BIG` if there are no more `entries`, even for one that is left out.
pub(crate) fn supported(
    context: &Context<'_>,
    mut cpuid: impl FnMut(u32, u32) -> [u32; 4],
    entries: &mut [impl Slot<Entry>],
) -> (Result<usize>, u32) {
    let [max_extended, ..] = cpuid(0x8000_0000, 0);
    let mut report = Report {
        context,
        cpuid,
        max_extended,
        entries,
        count: 0,
        contradictions: 0,
    };
    let done = report.ranges();

    (done.map(|()| report.count), report.contradictions)
}
