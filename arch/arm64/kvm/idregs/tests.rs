// SPDX-License-Identifier: GPL-2.0

//! Tests, on made-up hosts: that the code does what rows say, for each row and all pairs of values,
//! by a reference that looks at one field and at nothing else (`reference.rs`), and what KVM owes
//! to VMs of earlier versions, case by case.

use kernel::prelude::*;

use super::{
    check::{
        check,
        Reason,
        Refusal, //
    },
    cpufeature::{
        self,
        Field,
        Kind,
        REGISTERS,
        UNALLOCATED, //
    },
    facts::{
        self,
        index,
        Condition,
        Fact::{
            self,
            *, //
        },
        Facts,
        Flags,
        Host,
        DERIVED,
        NUM_REGISTERS, //
    },
    limits::LIMITS,
    needs,
    policy::{
        Bound,
        Class,
        Lacking,
        Old,
        Order,
        Verb, //
    },
    query::{
        self,
        Answer, //
    },
    row::{
        Limits,
        Row,
        Rule, //
    },
    vm::{
        highest,
        start,
        with_irqchip, //
    },
};

/// A host by the words of its registers.
#[derive(Clone, Copy)]
struct Words([u64; NUM_REGISTERS]);

impl Host for Words {
    fn sanitised(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }
}

impl Words {
    fn random(random: &mut Random) -> Self {
        Self([(); NUM_REGISTERS].map(|()| random.next()))
    }

    fn with(mut self, place: Place, value: u64) -> Self {
        if let Some(word) = self.0.get_mut(place.index) {
            *word = place.field.put(*word, value);
        }
        self
    }
}

/// George Marsaglia's xorshift, always the same numbers.
struct Random(u64);

impl Random {
    const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A field, and the register that it is in.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    field: &'static Field,
}

impl Place {
    /// The values that are tried: all, but of fields that are wide.
    fn values(self) -> impl Iterator<Item = u64> {
        0..=self.field.max().min(15)
    }
}

/// All rows, with the registers they are in.
fn rows() -> impl Iterator<Item = (&'static Limits, &'static Row, Place)> {
    LIMITS.iter().enumerate().flat_map(|(index, limits)| {
        let place = move |row: &Row| Place {
            index,
            field: row.field,
        };
        limits.rows.iter().map(move |row| (limits, row, place(row)))
    })
}

macro_rules! place {
    ($register:ident.$field:ident) => {
        Place {
            index: const { index(&cpufeature::$register::REGISTER) },
            field: &cpufeature::$register::$field::FIELD,
        }
    };
}

/// A value by its name.
macro_rules! value {
    ($register:ident.$field:ident, $value:expr) => {{
        #[allow(unused_imports)]
        use cpufeature::$register::$field::*;
        $value
    }};
}

/// A host that has some fields, and zeros elsewhere, or what another host has.
macro_rules! host {
    ($($register:ident.$field:ident = $value:expr),* $(,)?) => {
        host!(like Words([0; NUM_REGISTERS]); $($register.$field = $value),*)
    };
    (like $other:expr; $($register:ident.$field:ident = $value:expr),* $(,)?) => {
        $other$(.with(place!($register.$field), value!($register.$field, $value)))*
    };
}

/// A host without whose values a VM can't run, and little else.
fn sane() -> Words {
    host! {
        ID_AA64PFR0_EL1.EL0 = AARCH32,
        ID_AA64PFR0_EL1.EL1 = AARCH32,
        ID_AA64PFR0_EL1.EL2 = IMP,
        ID_AA64PFR0_EL1.EL3 = IMP,
        ID_AA64DFR0_EL1.DebugVer = V8P9,
        ID_AA64DFR0_EL1.PMUVer = V3P9,
        ID_DFR0_EL1.CopDbg = Debugv8p9,
        CTR_EL0.L1Ip = PIPT,
    }
}

/// A VM without EL2 that has all that a VM can have.
const ALL: &[Fact] = &[AARCH32, SVE, MTE, PTRAUTH, PMU];

fn flags(facts: &[Fact]) -> u32 {
    facts
        .iter()
        .fold(Flags::empty(), |flags, fact| flags.with(*fact))
        .into()
}

/// Sets of facts, by their bits: all and none, and each alone and left out, without EL2 and with.
fn samples() -> impl Iterator<Item = u32> {
    let given = Flags::all_bits() & !u32::from(DERIVED);
    let nested = flags(&[EL2, E2H0]);
    let single = Fact::ALL
        .iter()
        .map(move |(fact, _, _)| flags(&[*fact]) & given);
    let sets = single.flat_map(move |bits| [bits, given & !nested & !bits]);
    sets.flat_map(move |bits| [bits, bits | flags(&[EL2])])
}

/// What becomes of a value of one field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It is accepted, and reads as this one.
    Reads(u64),
    /// It is refused because of this field.
    Refused(Reason),
    /// Something becomes of another field.
    Strange,
}
use Verdict::*;

/// Writes a register in which one field has another value than at the start.
fn write(place: Place, value: u64, facts: &Facts<'_>, has_run: bool) -> Verdict {
    let start = highest(place.index, facts);
    let word = place.field.put(start, value);
    match check(place.index, facts, word, has_run.then_some(start)) {
        Ok(stored) if (stored ^ start) & !place.field.mask() == 0 => Reads(place.field.get(stored)),
        Err(Refusal { reason, bit }) if place.field.mask() & 1 << bit != 0 => Refused(reason),
        _ => Strange,
    }
}

/// What userspace is told of a field.
fn told(place: Place, facts: &Facts<'_>) -> Option<Answer> {
    let mut found = None;
    Answer::list(place.index, facts, highest(place.index, facts), |answer| {
        if answer.view.field.lsb == place.field.lsb {
            found = Some(answer);
        }
    });
    found
}

/// What userspace is told of a register in which one field has another value than at the start.
fn judged(place: Place, value: u64, facts: &Facts<'_>, has_run: bool) -> Verdict {
    let start = highest(place.index, facts);
    let word = place.field.put(start, value);
    let mut verdict = Reads(value);
    let now = has_run.then_some(start);
    let held = Answer::check(place.index, facts, word, now, |answer| {
        verdict = match answer.verdict {
            _ if answer.view.field.lsb != place.field.lsb => Strange,
            query::Verdict::Adjusted | query::Verdict::Ignored => Reads(answer.nearest),
            query::Verdict::Refused(reason) => Refused(reason),
            query::Verdict::Taken | query::Verdict::Lacks(_) => Strange,
        };
    });
    match verdict {
        Reads(value) if held != place.field.put(start, value) => Strange,
        verdict => verdict,
    }
}

/// What a field starts with.
macro_rules! starts_with {
    ([$($fact:ident),*], $host:expr, $register:ident.$field:ident) => {{
        let place = place!($register.$field);
        let host: &Words = $host;
        place.field.get(highest(place.index, &Facts::new(flags(&[$($fact),*]), host)))
    }};
}

/// Writes a field before the VM has run, or after.
macro_rules! writes {
    ([$($fact:ident),*], $host:expr, $register:ident.$field:ident = $value:expr) => {
        writes!(@ [$($fact),*], $host, $register.$field = $value, false)
    };
    (ran [$($fact:ident),*], $host:expr, $register:ident.$field:ident = $value:expr) => {
        writes!(@ [$($fact),*], $host, $register.$field = $value, true)
    };
    (@ [$($fact:ident),*], $host:expr, $register:ident.$field:ident = $value:expr, $ran:expr) => {{
        let value = value!($register.$field, $value);
        let host: &Words = $host;
        let facts = Facts::new(flags(&[$($fact),*]), host);
        write(place!($register.$field), value, &facts, $ran)
    }};
}

/// That a value is accepted, and reads as another one.
macro_rules! reads {
    ($register:ident.$field:ident, $value:expr) => {
        Reads(value!($register.$field, $value))
    };
}

// Behind the macros.
#[cfg(not(MODULE))]
mod c;
mod compat;
mod conditions;
mod defaults;
mod protected;
mod reference;
mod rules;
mod verdicts;
