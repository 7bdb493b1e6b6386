// SPDX-License-Identifier: GPL-2.0

//! Tests of the limits and of what is made of them, for all registers and made-up hosts.

use kernel::prelude::*;

use super::{
    check::{
        check,
        Reason,
        Refusal, //
    },
    condition::*,
    default::{
        default,
        with_irqchip, //
    },
    field::{
        Field,
        Kind,
        Register,
        NUM_REGISTERS, //
    },
    generated::{
        self,
        field,
        index,
        *, //
    },
    limits::LIMITS,
    order::{
        self,
        Order, //
    },
    row::{
        self,
        Limits,
        Row,
        Rows, //
    },
    Host, //
};

static REGISTERS: [Register; NUM_REGISTERS] = generated::REGISTERS;

/// A value by its name, or else as a decimal number, as in `limits.rs`.
const fn number(field: &Field, name: &str) -> u64 {
    if let Some(value) = field.value(name) {
        return value;
    }
    let mut digits = name.as_bytes();
    let mut value = 0;
    while let [digit, rest @ ..] = digits {
        value = value * 10 + (*digit - b'0') as u64;
        digits = rest;
    }
    value
}

macro_rules! value {
    ($register:ident.$field:ident, $value:tt) => {
        const { number(field!($register.$field), stringify!($value)) }
    };
}

/// A host that has some fields, and zeros elsewhere.
#[derive(Clone, Copy)]
struct Given(&'static [(usize, &'static Field, u64)]);

impl Host for Given {
    fn sanitised(&self, index: usize) -> u64 {
        self.0
            .iter()
            .filter(|(i, _, _)| *i == index)
            .fold(0, |word, (_, field, value)| put(word, field, *value))
    }
}

macro_rules! given {
    ($($register:ident.$field:ident = $value:tt),* $(,)?) => {
        Given(const {
            &[$((
                index!($register),
                field!($register.$field),
                number(field!($register.$field), stringify!($value)),
            )),*]
        })
    };
}

/// A host by the words of its registers.
#[derive(Clone, Copy)]
struct Words([u64; NUM_REGISTERS]);

impl Host for Words {
    fn sanitised(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }
}

impl Words {
    fn of(host: &dyn Host) -> Self {
        let mut words = [0; NUM_REGISTERS];
        for (index, word) in words.iter_mut().enumerate() {
            *word = host.sanitised(index);
        }
        Self(words)
    }

    fn random(random: &mut Random) -> Self {
        let mut words = [0; NUM_REGISTERS];
        for word in &mut words {
            *word = random.next();
        }
        Self(words)
    }

    fn set(&mut self, index: usize, field: &Field, value: u64) {
        if let Some(word) = self.0.get_mut(index) {
            *word = put(*word, field, value);
        }
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

const fn put(word: u64, field: &Field, value: u64) -> u64 {
    word & !field.mask() | (value & field.max()) << field.lsb
}

/// A field's value as a signed number.
const fn signed(field: &Field, value: u64) -> i64 {
    let unused = u64::BITS - 1 - (field.msb - field.lsb);
    (value << unused) as i64 >> unused
}

/// Whether a field is compared as signed, be it that only the rows say so.
fn is_signed(register: &Register, field: &Field) -> bool {
    field.kind == Kind::Signed
        || matches!(
            (register.name, field.name),
            ("ID_MMFR0_EL1", "InnerShr" | "OuterShr") | ("ID_AA64PFR1_EL1", "MTE_frac")
        )
}

/// A value as a number that compares as the field's values do.
fn rank(register: &Register, field: &Field, value: u64) -> i64 {
    if is_signed(register, field) {
        signed(field, value)
    } else {
        value as i64
    }
}

/// The value that is always safe in a field whose values don't compare.
fn exact(register: &Register, field: &Field) -> Option<u64> {
    match (register.name, field.name) {
        ("ID_AA64MMFR0_EL1", "TGRAN4_2" | "TGRAN16_2" | "TGRAN64_2") => Some(1),
        ("ID_AA64FPFR0_EL1", _) => Some(0),
        ("CTR_EL0", "L1Ip") => Some(2),
        _ => None,
    }
}

fn all(conditions: &[Conditions]) -> Conditions {
    conditions
        .iter()
        .fold(Conditions::NONE, |all, condition| all.with(*condition))
}

/// All conditions that a caller can give.
fn every_condition() -> Conditions {
    let all = Conditions::ALL
        .iter()
        .fold(Conditions::NONE, |all, (_, condition)| all.with(*condition));
    Conditions(all.0 & !Conditions::DERIVED.0)
}

/// A host without whose values a VM can't run, and little else.
const SANE: Given = given! {
    ID_AA64PFR0_EL1.EL0 = AARCH32,
    ID_AA64PFR0_EL1.EL1 = AARCH32,
    ID_AA64PFR0_EL1.EL2 = IMP,
    ID_AA64PFR0_EL1.EL3 = IMP,
    ID_AA64DFR0_EL1.DebugVer = V8P9,
    ID_AA64DFR0_EL1.PMUVer = V3P9,
    ID_DFR0_EL1.CopDbg = Debugv8p9,
    CTR_EL0.L1Ip = PIPT,
};

/// The same, with other values.
macro_rules! sane {
    ($($register:ident.$field:ident = $value:tt),* $(,)?) => {{
        let mut host = Words::of(&SANE);
        $(host.set(
            index!($register),
            field!($register.$field),
            value!($register.$field, $value),
        );)*
        host
    }};
}

/// A field of the value that a VM starts with.
macro_rules! starts_with {
    ($conditions:expr, $host:expr, $register:ident.$field:ident) => {
        field!($register.$field).get(default(index!($register), $conditions, &$host))
    };
}

/// What becomes of a value of one field if the others are as a VM starts with them.
///
/// No value that a field can have if another field changes too.
fn write(
    index: usize,
    field: &Field,
    value: u64,
    conditions: Conditions,
    host: &dyn Host,
    has_run: bool,
) -> Result<u64, Refusal> {
    let start = default(index, conditions, host);
    let word = put(start, field, value);
    let now = if has_run { Some(start) } else { None };
    let stored = check(index, conditions, host, word, now)?;
    Ok(if (stored ^ start) & !field.mask() == 0 {
        field.get(stored)
    } else {
        u64::MAX
    })
}

/// Writes a field before the VM has run, or after.
macro_rules! write_field {
    ($conditions:expr, $host:expr, $register:ident.$field:ident = $value:tt) => {
        write_field!(@ $conditions, $host, $register.$field,
                     value!($register.$field, $value), false)
    };
    (ran $conditions:expr, $host:expr, $register:ident.$field:ident = $value:tt) => {
        write_field!(@ $conditions, $host, $register.$field,
                     value!($register.$field, $value), true)
    };
    (@ $conditions:expr, $host:expr, $register:ident.$field:ident, $value:expr, $ran:expr) => {
        write(index!($register), field!($register.$field), $value, $conditions, &$host, $ran)
    };
}

/// That a value is refused because of a field.
const fn refused(reason: Reason, field: &Field) -> Refusal {
    Refusal {
        reason,
        msb: field.msb,
    }
}

/// That a value of a field is accepted, and reads as another one.
macro_rules! reads {
    ($register:ident.$field:ident, $value:tt) => {
        Ok(value!($register.$field, $value))
    };
}

/// The same, by name, in place of a value.
macro_rules! refused {
    ($reason:ident, $register:ident.$field:ident) => {
        Err(refused(Reason::$reason, field!($register.$field)))
    };
}

#[kunit_tests(guestcaps_arm64_order)]
mod orders {
    use super::*;

    /// A register of 16 nibbles, here with rows of all kinds.
    const NIBBLES: &Register = &ID_AA64ISAR2_EL1;
    const NUM_NIBBLES: usize = 16;
    const NUM_ORDERS: usize = 5;

    const NUMBERS: [&str; 16] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
    ];

    /// The order of a field: neighbours have different ones, or the same.
    const fn order_of(n: usize, arrangement: usize) -> Order {
        let order = if arrangement < NUM_ORDERS {
            n + arrangement
        } else {
            arrangement
        };
        match order % NUM_ORDERS {
            0 => Order::LowerSafe,
            1 => Order::SignedLowerSafe,
            2 => Order::HigherSafe,
            3 => Order::HigherOrZeroSafe,
            _ => Order::Exact,
        }
    }

    /// The highest value that is known of a field.
    const fn most(n: usize) -> usize {
        if n & 1 == 0 {
            15
        } else {
            9
        }
    }

    /// The value of a field that is always safe, if it is exact.
    const fn safe(n: usize) -> usize {
        n * 7 % 16
    }

    struct Arrangement<const A: usize>;

    impl<const A: usize> Arrangement<A> {
        const ROWS: [Row; NUM_NIBBLES] = {
            let mut rows = [Row::new(NIBBLES, NIBBLES.fields[0].name); NUM_NIBBLES];
            let mut n = 0;
            while n < NUM_NIBBLES {
                let row = Row::new(NIBBLES, NIBBLES.fields[n].name).up_to(NUMBERS[most(n)]);
                rows[n] = match order_of(n, A) {
                    Order::LowerSafe => row,
                    Order::SignedLowerSafe => row.signed(),
                    Order::HigherSafe => row.higher_safe(),
                    Order::HigherOrZeroSafe => row.higher_or_zero_safe(),
                    Order::Exact => row.exact(NUMBERS[safe(n)]),
                };
                n += 1;
            }
            rows
        };

        const LIMITS: Limits = row::compile(
            &[Rows {
                register: NIBBLES,
                condition: Conditions::NONE,
                rows: &Self::ROWS,
            }],
            false,
        )[NIBBLES.index()];
    }

    static ARRANGEMENTS: [Limits; 2 * NUM_ORDERS] = [
        Arrangement::<0>::LIMITS,
        Arrangement::<1>::LIMITS,
        Arrangement::<2>::LIMITS,
        Arrangement::<3>::LIMITS,
        Arrangement::<4>::LIMITS,
        Arrangement::<5>::LIMITS,
        Arrangement::<6>::LIMITS,
        Arrangement::<7>::LIMITS,
        Arrangement::<8>::LIMITS,
        Arrangement::<9>::LIMITS,
    ];

    /// What `arm64_ftr_safe_value()` says.
    fn safe_value(field: &Field, order: Order, value: u64, limit: u64, exact: u64) -> u64 {
        match order {
            Order::LowerSafe => value.min(limit),
            Order::SignedLowerSafe if signed(field, value) < signed(field, limit) => value,
            Order::SignedLowerSafe => limit,
            Order::HigherOrZeroSafe if value == 0 || limit == 0 => 0,
            Order::HigherSafe | Order::HigherOrZeroSafe => value.max(limit),
            Order::Exact => exact,
        }
    }

    /// Whether each pair of value and limit of an order's fields has the verdict that it should
    /// have, whatever the other fields are.
    fn verdicts_are_right(order: Order) -> bool {
        let mut fields = 0;
        for (arrangement, limits) in ARRANGEMENTS.iter().enumerate() {
            for (n, field) in NIBBLES.fields.iter().enumerate() {
                if order_of(n, arrangement) != order {
                    continue;
                }
                fields += 1;
                if !field_is_right(limits, order, n, field) {
                    return false;
                }
            }
        }
        // Once in all places, and at random places among others.
        fields == 2 * NUM_NIBBLES
    }

    fn field_is_right(limits: &Limits, order: Order, n: usize, field: &Field) -> bool {
        for pair in 0..256 {
            let (value, limit) = (pair & 15, pair >> 4);
            let safe = safe_value(field, order, value, limit, safe(n) as u64);
            let wanted = value == limit || value == safe;
            for (around_value, around_limit) in [(0, 0), (0, !0), (!0, 0), (!0, !0)] {
                let word = put(around_value, field, value);
                let excess = limits.excess(word, put(around_limit, field, limit));
                if (excess & field.mask() == 0) != wanted || excess & !limits.tops != 0 {
                    return false;
                }
            }
        }
        true
    }

    #[test]
    fn lower_safe() {
        assert!(verdicts_are_right(Order::LowerSafe));
    }

    #[test]
    fn signed_lower_safe() {
        assert!(verdicts_are_right(Order::SignedLowerSafe));
    }

    #[test]
    fn higher_safe() {
        assert!(verdicts_are_right(Order::HigherSafe));
    }

    #[test]
    fn higher_or_zero_safe() {
        assert!(verdicts_are_right(Order::HigherOrZeroSafe));
    }

    #[test]
    fn exact() {
        assert!(verdicts_are_right(Order::Exact));
    }

    /// Higher promises less, even where nobody knows yet what it stands for.
    #[test]
    fn higher_is_safe() {
        let excess = |word, limit| {
            ARRANGEMENTS
                .get(NUM_ORDERS + 2)
                .map(|limits| limits.excess(word, limit))
        };
        let nines = 0x9999_9999_9999_9999;

        assert_eq!(excess(nines, 0), Some(0));
        assert_eq!(excess(nines, nines), Some(0));
        assert_eq!(excess(0xaaaa_aaaa_aaaa_aaaa, nines), Some(0));
    }

    const SIGNED: &Register = &ID_AA64PFR0_EL1;

    /// A minimum in a signed field, with and without another value below it.
    static MINIMA: Limits = row::compile(
        &[Rows {
            register: SIGNED,
            condition: Conditions::NONE,
            rows: &[
                Row::new(SIGNED, "AdvSIMD").up_to("FP16").least("IMP"),
                Row::new(SIGNED, "FP").up_to("FP16").least("12").or("10"),
                Row::new(SIGNED, "EL3").up_to("7").least("5").or("2"),
            ],
        }],
        false,
    )[SIGNED.index()];

    #[test]
    fn least_values_have_the_sign_of_the_field() {
        let advsimd = field!(ID_AA64PFR0_EL1.AdvSIMD);
        let fp = field!(ID_AA64PFR0_EL1.FP);
        let el3 = field!(ID_AA64PFR0_EL1.EL3);

        for value in 0..16 {
            let word = put(put(put(0, advsimd, value), fp, value), el3, value);
            let wanted = [
                (advsimd, value >= 8),
                (fp, (8..12).contains(&value) && value != 10),
                (el3, value < 5 && value != 2),
            ]
            .into_iter()
            .filter(|(_, is_impossible)| *is_impossible)
            .fold(0, |set, (field, _)| set | field.top());

            assert_eq!(MINIMA.impossible(word, 0), wanted);
        }
    }

    /// A field as a description has it, but of any width.
    struct Partition {
        tops: u64,
        bottoms: u64,
    }

    impl Partition {
        /// Fields of the same width, but for what is left at the top.
        fn of_width(width: u32) -> Self {
            let (mut bottoms, mut bit) = (0, 0);
            while bit < u64::BITS {
                bottoms |= 1 << bit;
                bit += width;
            }
            Self::of_bottoms(bottoms)
        }

        fn of_bottoms(bottoms: u64) -> Self {
            Self {
                tops: bottoms >> 1 | 1 << 63,
                bottoms,
            }
        }

        /// A set of fields, found by looking at one after the other.
        fn filter(&self, belongs: impl Fn(u64) -> bool) -> u64 {
            let (mut set, mut mask) = (0, 0);
            for bit in 0..u64::BITS {
                mask |= 1 << bit;
                if self.tops & 1 << bit != 0 {
                    if belongs(mask) {
                        set |= 1 << bit;
                    }
                    mask = 0;
                }
            }
            set
        }

        fn agrees(&self, a: u64, b: u64) -> bool {
            order::above(a, b, self.tops) == self.filter(|mask| a & mask > b & mask)
                && order::differ(a, b, self.tops) == self.filter(|mask| (a ^ b) & mask != 0)
        }

        fn agrees_on_highest(&self, set: u64) -> bool {
            let set = set & self.tops;
            // Fields come from the lowest to the highest.
            let (mut wanted, mut mask) = (0, 0);
            for bit in 0..u64::BITS {
                mask |= 1 << bit;
                if self.tops & 1 << bit != 0 {
                    if set & 1 << bit != 0 {
                        wanted = mask;
                    }
                    mask = 0;
                }
            }
            order::highest(set, self.bottoms) == wanted
        }
    }

    const WIDTHS: [u32; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 16, 31, 32, 64];

    #[test]
    fn comparisons_of_fields_of_any_width() {
        let mut random = Random::new();

        for width in WIDTHS {
            let partition = Partition::of_width(width);

            for (a, b) in [
                (0, 0),
                (0, !0),
                (!0, 0),
                (!0, !0),
                (1, 0),
                (1 << 63, !(1 << 63)),
            ] {
                assert!(partition.agrees(a, b));
                assert!(partition.agrees(b, a));
            }
            for _ in 0..200 {
                let (a, b) = (random.next(), random.next());

                assert!(partition.agrees(a, b));
                // Fields that differ a little, and those that don't.
                assert!(partition.agrees(a, a ^ b & random.next() & random.next()));
                assert!(partition.agrees(a, a.wrapping_add(1)));
                assert!(partition.agrees(a, a.wrapping_sub(partition.bottoms)));
            }
        }
    }

    #[test]
    fn the_highest_field_of_any_width() {
        let mut random = Random::new();

        for width in WIDTHS {
            let partition = Partition::of_width(width);

            assert!(partition.agrees_on_highest(0));
            assert_eq!(order::highest(1 << (width - 1), 0), !0 >> (64 - width));
            for bit in 0..u64::BITS {
                assert!(partition.agrees_on_highest(1 << bit));
                assert!(partition.agrees_on_highest(u64::MAX >> bit));
            }
            for _ in 0..200 {
                assert!(partition.agrees_on_highest(random.next() >> (random.next() % 64)));
            }
        }
    }

    /// As before, for fields of different widths in a word: at random, and as registers have them.
    #[test]
    fn fields_of_mixed_widths() {
        let mut random = Random::new();

        for _ in 0..1000 {
            let partition = Partition::of_bottoms(random.next() & random.next() | 1);

            assert!(partition.agrees(random.next(), random.next()));
            assert!(partition.agrees_on_highest(random.next() >> (random.next() % 64)));
        }
        for limits in LIMITS.iter().flatten() {
            let partition = Partition::of_bottoms(limits.bottoms);

            assert_eq!(partition.tops, limits.tops);
            assert!(partition.agrees(random.next(), random.next()));
            assert!(partition.agrees_on_highest(random.next()));
        }
    }
}

#[kunit_tests(guestcaps_arm64_conditions)]
mod conditions {
    use super::*;

    /// A field whose default is another one if a condition holds.
    struct Change {
        condition: Conditions,
        /// What else holds.
        base: Conditions,
        index: usize,
        field: &'static Field,
        /// If it holds, and if not: the host, which makes it hold if it is derived, and the field.
        with: (Given, u64),
        without: (Given, u64),
    }

    /// `CONDITION if BASE: a host, or one with the condition and one without, makes REGISTER.FIELD`
    /// one value with the condition, and another without.
    macro_rules! changes {
        ($($condition:ident $(if $($base:ident)|+)?: [$($with:tt)*] $(or [$($without:tt)*])?
           makes $r:ident.$f:ident $yes:tt or $no:tt;)*) => {
            &[$(Change {
                condition: $condition,
                base: Conditions::NONE$($(.with($base))+)?,
                index: index!($r),
                field: field!($r.$f),
                with: (given![$($with)*], value!($r.$f, $yes)),
                without: (
                    changes!(@without [$($with)*] $([$($without)*])?),
                    value!($r.$f, $no),
                ),
            }),*]
        };
        (@without [$($with:tt)*]) => { given![$($with)*] };
        (@without [$($with:tt)*] [$($without:tt)*]) => { given![$($without)*] };
    }

    #[rustfmt::skip]
    const CHANGES: &[Change] = changes! {
        NESTED: [ID_AA64PFR0_EL1.EL3 = AARCH32] makes ID_AA64PFR0_EL1.EL3 IMP or AARCH32;
        NESTED: [ID_AA64PFR0_EL1.EL2 = NI] makes ID_AA64PFR0_EL1.EL2 IMP or NI;
        NESTED: [ID_AA64PFR0_EL1.EL1 = AARCH32] makes ID_AA64PFR0_EL1.EL1 IMP or AARCH32;
        NESTED: [ID_AA64PFR0_EL1.EL0 = AARCH32] makes ID_AA64PFR0_EL1.EL0 IMP or AARCH32;
        NESTED: [ID_AA64PFR0_EL1.SEL2 = IMP] makes ID_AA64PFR0_EL1.SEL2 NI or IMP;
        NESTED if MTE: [ID_AA64PFR1_EL1.MTE = MTE3] makes ID_AA64PFR1_EL1.MTE NI or MTE3;
        NESTED if MTE: [ID_AA64PFR1_EL1.MTE_frac = NI] makes ID_AA64PFR1_EL1.MTE_frac ASYNC or NI;
        NESTED if HOST_GICV5: [] makes ID_AA64PFR2_EL1.GCIE NI or IMP;
        NESTED: [ID_AA64DFR0_EL1.CTX_CMPs = 5] makes ID_AA64DFR0_EL1.CTX_CMPs 0 or 5;
        NESTED: [ID_AA64ISAR1_EL1.LS64 = LS64] makes ID_AA64ISAR1_EL1.LS64 NI or LS64;
        NESTED: [ID_AA64ISAR1_EL1.SPECRES = IMP] makes ID_AA64ISAR1_EL1.SPECRES NI or IMP;
        NESTED: [ID_AA64MMFR0_EL1.ECV = CNTPOFF] makes ID_AA64MMFR0_EL1.ECV IMP or CNTPOFF;
        NESTED: [ID_AA64MMFR0_EL1.EXS = IMP] makes ID_AA64MMFR0_EL1.EXS NI or IMP;
        NESTED: [ID_AA64MMFR0_EL1.SNSMEM = IMP] makes ID_AA64MMFR0_EL1.SNSMEM NI or IMP;
        NESTED: [ID_AA64MMFR0_EL1.PARANGE = 52] makes ID_AA64MMFR0_EL1.PARANGE 48 or 52;
        NESTED: [ID_AA64MMFR1_EL1.CMOW = IMP] makes ID_AA64MMFR1_EL1.CMOW NI or IMP;
        NESTED: [ID_AA64MMFR1_EL1.ETS = ETS2] makes ID_AA64MMFR1_EL1.ETS NI or ETS2;
        NESTED: [ID_AA64MMFR1_EL1.HAFDBS = HAFT] makes ID_AA64MMFR1_EL1.HAFDBS AF or HAFT;
        NESTED: [ID_AA64MMFR2_EL1.BBM = 2] makes ID_AA64MMFR2_EL1.BBM 0 or 2;
        NESTED: [] makes ID_AA64MMFR2_EL1.TTL IMP or NI;
        NESTED: [ID_AA64MMFR2_EL1.ST = 48_47] makes ID_AA64MMFR2_EL1.ST 39 or 48_47;
        NESTED: [ID_AA64MMFR2_EL1.VARange = 52] makes ID_AA64MMFR2_EL1.VARange 48 or 52;
        NESTED: [ID_AA64MMFR4_EL1.E2H0 = NI] makes ID_AA64MMFR4_EL1.E2H0 NI_NV1 or NI;

        E2H0 if NESTED: [ID_AA64MMFR1_EL1.VH = IMP] makes ID_AA64MMFR1_EL1.VH NI or IMP;
        E2H0 if NESTED: [ID_AA64MMFR4_EL1.E2H0 = NI] makes ID_AA64MMFR4_EL1.E2H0 IMP or NI_NV1;
        E2H0 if NESTED | NV2P1: [ID_AA64MMFR4_EL1.NV_frac = NV3]
                makes ID_AA64MMFR4_EL1.NV_frac NV_NV2 or NV3;
        E2H0 if NESTED: [ID_AA64MMFR4_EL1.NV_frac = NV2P1]
                makes ID_AA64MMFR4_EL1.NV_frac NV_NV2 or NV2_ONLY;
        NV2P1 if NESTED: [ID_AA64MMFR4_EL1.NV_frac = NV2P1]
                makes ID_AA64MMFR4_EL1.NV_frac NV2P1 or NV2_ONLY;
        NV2P1 if NESTED: [ID_AA64MMFR4_EL1.NV_frac = 15]
                makes ID_AA64MMFR4_EL1.NV_frac NV3 or NV2_ONLY;

        AARCH32: [ID_PFR0_EL1.DIT = IMP] makes ID_PFR0_EL1.DIT IMP or NI;
        AARCH32: [ID_ISAR0_EL1.Swap = IMP] makes ID_ISAR0_EL1.Swap IMP or NI;
        AARCH32: [MVFR2_EL1.FPMisc = FP] makes MVFR2_EL1.FPMisc FP or NI;
        AARCH32: [ID_MMFR5_EL1.ETS = 2] makes ID_MMFR5_EL1.ETS 2 or NI;

        SVE: [ID_AA64PFR0_EL1.SVE = IMP] makes ID_AA64PFR0_EL1.SVE IMP or NI;
        SVE: [ID_AA64ZFR0_EL1.SVEver = SVE2p1] makes ID_AA64ZFR0_EL1.SVEver SVE2p1 or IMP;
        MTE: [ID_AA64PFR1_EL1.MTE = MTE2] makes ID_AA64PFR1_EL1.MTE MTE2 or NI;
        MTE: [ID_AA64PFR1_EL1.MTE_frac = NI] makes ID_AA64PFR1_EL1.MTE_frac NI or ASYNC;
        MTE: [ID_AA64PFR2_EL1.MTEFAR = IMP] makes ID_AA64PFR2_EL1.MTEFAR IMP or NI;
        MTE: [ID_AA64PFR2_EL1.MTESTOREONLY = IMP] makes ID_AA64PFR2_EL1.MTESTOREONLY IMP or NI;
        PTRAUTH: [ID_AA64ISAR1_EL1.GPI = IMP] makes ID_AA64ISAR1_EL1.GPI IMP or NI;
        PTRAUTH: [ID_AA64ISAR1_EL1.GPA = IMP] makes ID_AA64ISAR1_EL1.GPA IMP or NI;
        PTRAUTH: [ID_AA64ISAR1_EL1.API = PAuth2] makes ID_AA64ISAR1_EL1.API PAuth2 or NI;
        PTRAUTH: [ID_AA64ISAR1_EL1.APA = FPAC] makes ID_AA64ISAR1_EL1.APA FPAC or NI;
        PTRAUTH: [ID_AA64ISAR2_EL1.APA3 = EPAC] makes ID_AA64ISAR2_EL1.APA3 EPAC or NI;
        PTRAUTH: [ID_AA64ISAR2_EL1.GPA3 = IMP] makes ID_AA64ISAR2_EL1.GPA3 IMP or NI;
        POE: [ID_AA64MMFR3_EL1.S1POE = IMP] makes ID_AA64MMFR3_EL1.S1POE IMP or NI;
        WFXT: [ID_AA64ISAR2_EL1.WFxT = IMP] makes ID_AA64ISAR2_EL1.WFxT IMP or NI;

        PMU: [ID_AA64DFR0_EL1.PMUVer = V3P1] makes ID_AA64DFR0_EL1.PMUVer V3P1 or NI;
        PMU: [ID_AA64DFR0_EL1.PMUVer = V3P9] makes ID_AA64DFR0_EL1.PMUVer V3P5 or NI;
        PMU if AARCH32: [ID_AA64DFR0_EL1.PMUVer = V3P4] makes ID_DFR0_EL1.PerfMon PMUv3p4 or NI;
        PMU if AARCH32: [ID_AA64DFR0_EL1.PMUVer = V3P9] makes ID_DFR0_EL1.PerfMon PMUv3p5 or NI;
        PMUV3_IMPDEF_TRAPS if PMU: [ID_AA64DFR0_EL1.PMUVer = IMP_DEF]
                makes ID_AA64DFR0_EL1.PMUVer IMP or NI;
        PMUV3_IMPDEF_TRAPS if PMU | AARCH32: [ID_AA64DFR0_EL1.PMUVer = IMP_DEF]
                makes ID_DFR0_EL1.PerfMon PMUv3 or NI;
        PMU if PMUV3_IMPDEF_TRAPS: [ID_AA64DFR0_EL1.PMUVer = IMP_DEF]
                makes ID_AA64DFR0_EL1.PMUVer IMP or NI;
        HOST_PMU_IMP_DEF if PMU:
                [ID_AA64DFR0_EL1.PMUVer = IMP_DEF] or [ID_AA64DFR0_EL1.PMUVer = 14]
                makes ID_AA64DFR0_EL1.PMUVer NI or V3P5;
        HOST_PMU_IMP_DEF if PMU | AARCH32:
                [ID_AA64DFR0_EL1.PMUVer = IMP_DEF] or [ID_AA64DFR0_EL1.PMUVer = 14]
                makes ID_DFR0_EL1.PerfMon NI or PMUv3p5;

        SPECTRE_V2_UNAFFECTED: [] makes ID_AA64PFR0_EL1.CSV2 IMP or NI;
        MELTDOWN_UNAFFECTED: [] makes ID_AA64PFR0_EL1.CSV3 IMP or NI;
        HOST_GICV3: [] makes ID_AA64PFR0_EL1.GIC IMP or NI;
        HOST_GICV5: [] makes ID_AA64PFR2_EL1.GCIE IMP or NI;
        HOST_GICV5: [ID_AA64PFR2_EL1.GCIE = IMP] makes ID_AA64PFR2_EL1.GCIE IMP or NI;

        HOST_RASV1P1: [ID_AA64PFR0_EL1.RAS = IMP, ID_AA64PFR1_EL1.RAS_frac = RASv1p1]
                makes ID_AA64PFR1_EL1.RAS_frac RASv1p1 or NI;
        HOST_RAS_IMP if HOST_RASV1P1:
                [ID_AA64PFR0_EL1.RAS = IMP, ID_AA64PFR1_EL1.RAS_frac = RASv1p1] or
                [ID_AA64PFR0_EL1.RAS = V2, ID_AA64PFR1_EL1.RAS_frac = RASv1p1]
                makes ID_AA64PFR1_EL1.RAS_frac RASv1p1 or NI;

        PAGE_OVER_4K if NESTED: [ID_AA64MMFR0_EL1.TGRAN4_2 = 52_BIT]
                makes ID_AA64MMFR0_EL1.TGRAN4_2 NI or IMP;
        PAGE_OVER_16K if NESTED: [ID_AA64MMFR0_EL1.TGRAN16_2 = 52_BIT]
                makes ID_AA64MMFR0_EL1.TGRAN16_2 NI or IMP;
        HOST_STAGE2_4K if NESTED:
                [ID_AA64MMFR0_EL1.TGRAN4 = IMP] or [ID_AA64MMFR0_EL1.TGRAN4 = NI]
                makes ID_AA64MMFR0_EL1.TGRAN4_2 IMP or TGRAN4;
        HOST_STAGE2_16K if NESTED:
                [ID_AA64MMFR0_EL1.TGRAN16 = IMP] or [ID_AA64MMFR0_EL1.TGRAN16 = NI]
                makes ID_AA64MMFR0_EL1.TGRAN16_2 IMP or TGRAN16;
        HOST_STAGE2_64K if NESTED:
                [ID_AA64MMFR0_EL1.TGRAN64 = IMP] or [ID_AA64MMFR0_EL1.TGRAN64 = NI]
                makes ID_AA64MMFR0_EL1.TGRAN64_2 IMP or TGRAN64;
    };

    impl Change {
        fn happens(&self) -> bool {
            let (with, yes) = &self.with;
            let (without, no) = &self.without;
            let conditions = if Conditions::DERIVED.has(self.condition) {
                self.base
            } else {
                self.base.with(self.condition)
            };
            self.field.get(default(self.index, conditions, with)) == *yes
                && self.field.get(default(self.index, self.base, without)) == *no
        }
    }

    #[test]
    fn each_condition_changes_its_fields() {
        for change in CHANGES {
            assert!(change.happens());
        }
    }

    /// The interrupt controllers come later, and HOST_MTE2 is about values that are written.
    #[test]
    fn no_condition_is_left_out() {
        let changing = CHANGES
            .iter()
            .fold(Conditions::NONE, |all, change| all.with(change.condition));

        for (_, condition) in Conditions::ALL {
            let is_elsewhere = all(&[VGIC_V3, VGIC_V5, HOST_MTE2]).has(*condition);

            assert_eq!(changing.has(*condition), !is_elsewhere);
        }
    }

    /// A condition that no register asks for would never be derived.
    #[test]
    fn each_condition_counts_somewhere() {
        let counting = LIMITS
            .iter()
            .flatten()
            .fold(Conditions::NONE, |all, limits| all.with(limits.conditions));
        let mut names = 0;

        for (_, condition) in Conditions::ALL {
            assert!(condition.0.is_power_of_two());
            assert!(names & condition.0 == 0);
            assert!(counting.has(*condition));
            names |= condition.0;
        }
        assert_eq!(names, counting.0);
    }

    /// What the caller did not say holds only if the host says so, and if someone asks.
    #[test]
    fn conditions_are_derived_on_demand() {
        let host = given! {
            ID_AA64DFR0_EL1.PMUVer = IMP_DEF,
            ID_AA64PFR0_EL1.RAS = IMP,
            ID_AA64PFR1_EL1.MTE = MTE2,
            ID_AA64MMFR0_EL1.TGRAN4_2 = IMP,
            ID_AA64MMFR0_EL1.TGRAN16_2 = IMP,
            ID_AA64MMFR0_EL1.TGRAN64_2 = IMP,
        };
        let other = given! {
            ID_AA64DFR0_EL1.PMUVer = V3P9,
            ID_AA64PFR0_EL1.RAS = V1P1,
            ID_AA64PFR1_EL1.MTE = MTE3,
            ID_AA64MMFR0_EL1.TGRAN4_2 = NI,
            ID_AA64MMFR0_EL1.TGRAN16_2 = NI,
            ID_AA64MMFR0_EL1.TGRAN64_2 = NI,
        };

        for (_, condition) in Conditions::ALL {
            let is_derived = Conditions::DERIVED.has(*condition);
            let derived = Conditions::NONE.derived(*condition, &host);
            let wanted = if is_derived {
                *condition
            } else {
                Conditions::NONE
            };

            assert!(derived == wanted);
            assert!(SVE.derived(*condition, &other) == SVE);
        }
        assert!(SVE.derived(Conditions::DERIVED, &host) == SVE.with(Conditions::DERIVED));
    }

    /// As `limit_nv_id_reg()` had it: which stage 2 granules a guest hypervisor has.
    #[test]
    fn granules_under_nested_virtualization() {
        for (page, conditions) in [
            (4, NESTED),
            (16, NESTED.with(PAGE_OVER_4K)),
            (64, all(&[NESTED, PAGE_OVER_4K, PAGE_OVER_16K])),
        ] {
            for (size, stage1, stage2, none) in [
                (
                    4,
                    field!(ID_AA64MMFR0_EL1.TGRAN4),
                    field!(ID_AA64MMFR0_EL1.TGRAN4_2),
                    15,
                ),
                (
                    16,
                    field!(ID_AA64MMFR0_EL1.TGRAN16),
                    field!(ID_AA64MMFR0_EL1.TGRAN16_2),
                    0,
                ),
                (
                    64,
                    field!(ID_AA64MMFR0_EL1.TGRAN64),
                    field!(ID_AA64MMFR0_EL1.TGRAN64_2),
                    15,
                ),
            ] {
                for n in 0..256 {
                    let (at_1, at_2) = (n & 15, n >> 4);
                    let index = index!(ID_AA64MMFR0_EL1);
                    let mut host = Words::of(&SANE);
                    let wanted = if size < page {
                        1
                    } else if at_2 == 1 || at_2 == 0 && at_1 == none {
                        0
                    } else {
                        2
                    };

                    host.set(index, stage1, at_1);
                    host.set(index, stage2, at_2);
                    assert_eq!(stage2.get(default(index, conditions, &host)), wanted);
                }
            }
        }
    }

    /// A host that is not affected has the mitigation, whatever its CPUs say.
    #[test]
    fn unaffected_hosts_say_so() {
        for csv in 0..16 {
            let mut host = Words::of(&SANE);

            host.set(index!(ID_AA64PFR0_EL1), field!(ID_AA64PFR0_EL1.CSV2), csv);
            host.set(index!(ID_AA64PFR0_EL1), field!(ID_AA64PFR0_EL1.CSV3), csv);
            for (conditions, csv2, csv3) in [
                (Conditions::NONE, csv.min(1), csv.min(1)),
                (SPECTRE_V2_UNAFFECTED, 1, csv.min(1)),
                (MELTDOWN_UNAFFECTED, csv.min(1), 1),
                (SPECTRE_V2_UNAFFECTED.with(MELTDOWN_UNAFFECTED), 1, 1),
                (
                    all(&[NESTED, SPECTRE_V2_UNAFFECTED, MELTDOWN_UNAFFECTED]),
                    1,
                    1,
                ),
            ] {
                assert_eq!(starts_with!(conditions, host, ID_AA64PFR0_EL1.CSV2), csv2);
                assert_eq!(starts_with!(conditions, host, ID_AA64PFR0_EL1.CSV3), csv3);
                // Userspace can still say otherwise.
                assert_eq!(
                    write_field!(conditions, host, ID_AA64PFR0_EL1.CSV2 = NI),
                    reads!(ID_AA64PFR0_EL1.CSV2, NI)
                );
            }
        }
    }

    /// AArch32's PMU is made from the AArch64 one, not from the host's AArch32 one.
    #[test]
    fn perfmon_is_that_of_aarch64() {
        for pmuver in 0..16 {
            for perfmon in [0, 3, 15] {
                let mut host = Words::of(&SANE);

                host.set(
                    index!(ID_AA64DFR0_EL1),
                    field!(ID_AA64DFR0_EL1.PMUVer),
                    pmuver,
                );
                host.set(index!(ID_DFR0_EL1), field!(ID_DFR0_EL1.PerfMon), perfmon);

                let word = (&host as &dyn Host).word(index!(ID_DFR0_EL1));
                let same = (&SANE as &dyn Host).word(index!(ID_DFR0_EL1));
                let field = field!(ID_DFR0_EL1.PerfMon);
                let wanted = if pmuver == 1 { 3 } else { pmuver };

                assert_eq!(field.get(word), wanted);
                assert_eq!(word & !field.mask(), same & !field.mask());
            }
        }
    }

    /// `GIC` of both sides and `GCIE` are what the VM's interrupt controller is; nothing else
    /// changes.
    #[test]
    fn interrupt_controllers() {
        for (conditions, gic, gic32, gcie) in [
            (Conditions::NONE, 0, 0, 0),
            (AARCH32, 0, 0, 0),
            (AARCH32.with(HOST_GICV3).with(HOST_GICV5), 0, 0, 0),
            (VGIC_V3, 1, 0, 0),
            (VGIC_V3.with(AARCH32), 1, 1, 0),
            (VGIC_V3.with(NESTED), 1, 0, 0),
            (VGIC_V5, 0, 0, 1),
            (VGIC_V5.with(AARCH32), 0, 0, 1),
            (VGIC_V5.with(NESTED), 0, 0, 1),
        ] {
            for index in 0..NUM_REGISTERS + 2 {
                for word in [0, !0, 0x5555_5555_5555_5555, 0x1111_1111_1111_1111] {
                    let wanted = if index == index!(ID_AA64PFR0_EL1) {
                        put(word, field!(ID_AA64PFR0_EL1.GIC), gic)
                    } else if index == index!(ID_PFR1_EL1) {
                        put(word, field!(ID_PFR1_EL1.GIC), gic32)
                    } else if index == index!(ID_AA64PFR2_EL1) {
                        put(word, field!(ID_AA64PFR2_EL1.GCIE), gcie)
                    } else {
                        word
                    };

                    assert_eq!(with_irqchip(index, word, conditions), wanted);
                }
            }
        }
    }
}

#[kunit_tests(guestcaps_arm64_defaults)]
mod defaults {
    use super::*;

    /// The highest value that a field can start with, if no condition has its say.
    fn is_within(register: &Register, limits: &Limits, field: &Field, word: u64) -> bool {
        limits.from_host & field.top() == 0
            || rank(register, field, field.get(word))
                <= rank(register, field, field.get(limits.up_to))
    }

    /// A field's default, looking at nothing but that field.
    fn field_default(
        register: &Register,
        limits: &Limits,
        field: &Field,
        host: u64,
        conditions: Conditions,
    ) -> u64 {
        if !limits.is_there(conditions) {
            return 0;
        }
        if limits.rows & field.mask() == 0 {
            return field.not_implemented();
        }
        let of_host = field.get(host);
        let limit = field.get(limits.up_to);
        let mut value = if limits.from_host & field.top() == 0 {
            field.get(limits.given)
        } else if rank(register, field, of_host) > rank(register, field, limit) {
            exact(register, field).unwrap_or(limit)
        } else {
            of_host
        };
        for patch in &limits.patches {
            if patch.mask & field.mask() != 0 && conditions.has(patch.condition) == patch.holds {
                value = field.get(patch.value);
            }
        }
        value
    }

    /// Whether a word has a value that is impossible for being too low.
    fn is_too_low(register: &Register, limits: &Limits, word: u64) -> bool {
        register.fields.iter().any(|field| {
            let value = field.get(word);
            limits.minima & field.top() != 0
                && rank(register, field, value) < rank(register, field, field.get(limits.least))
                && !(limits.or_fields & field.top() != 0 && value == field.get(limits.or))
        })
    }

    /// Whether a VM starts with what it should, and can have what it starts with.
    fn starts_well(index: usize, conditions: Conditions, host: &dyn Host) -> bool {
        let (Some(register), Some(limits)) = (REGISTERS.get(index), Limits::of(index, conditions))
        else {
            return false;
        };
        let word = default(index, conditions, host);
        let derived = conditions.derived(limits.conditions, host);
        let of_host = host.word(index);
        let fields_are_right = register.fields.iter().all(|field| {
            let value = field.get(word);
            is_within(register, limits, field, word)
                && value == field_default(register, limits, field, of_host, derived)
                && match field.kind {
                    Kind::Res0 | Kind::Raz => value == 0,
                    Kind::Res1 => value == field.max(),
                    _ => true,
                }
        });
        let too_low = limits.is_there(conditions) && is_too_low(register, limits, word);
        fields_are_right
            && [None, Some(word)].into_iter().all(|now| {
                match check(index, conditions, host, word, now) {
                    Ok(stored) => stored == word && !too_low,
                    Err(refusal) => refusal.reason == Reason::Impossible && too_low,
                }
            })
    }

    /// Whether nothing can be changed where the architecture, or KVM, says nothing.
    fn denied_is_denied(index: usize, conditions: Conditions, host: &dyn Host) -> bool {
        let (Some(register), Some(limits)) = (REGISTERS.get(index), Limits::of(index, conditions))
        else {
            return false;
        };
        let word = default(index, conditions, host);
        if limits.needs.has(AARCH32) && !conditions.has(AARCH32) {
            return word == 0;
        }
        let is_impossible = limits.is_there(conditions) && is_too_low(register, limits, word);
        register
            .fields
            .iter()
            .filter(|field| field.is_reserved() || limits.rows & field.mask() == 0)
            .all(|field| {
                (field.lsb..=field.msb).all(|bit| {
                    match check(index, conditions, host, word ^ 1 << bit, None) {
                        Ok(_) => false,
                        Err(refusal) if is_impossible => refusal.reason == Reason::Impossible,
                        Err(refusal) => refusal == refused(Reason::Limit, field),
                    }
                })
            })
    }

    /// Whether a test passes for a good sample of VMs.
    fn for_all_vms(test: impl Fn(usize, Conditions) -> bool) -> bool {
        let every = every_condition();
        let plain = Conditions(every.0 & !NESTED.with(E2H0).0);
        let single = Conditions::ALL
            .iter()
            .map(|(_, condition)| *condition)
            .filter(|condition| every.has(*condition));
        let combined = [
            Conditions::NONE,
            every,
            plain,
            plain.with(NESTED),
            NESTED.with(E2H0),
            NESTED.with(NV2P1),
            NESTED.with(MTE),
            NESTED.with(PAGE_OVER_4K),
            all(&[NESTED, PAGE_OVER_4K, PAGE_OVER_16K]),
            AARCH32.with(PMU),
            all(&[AARCH32, PMU, PMUV3_IMPDEF_TRAPS]),
        ];
        // Not a method call: the kernel has another trait with chain().
        Iterator::chain(combined.into_iter(), single)
            .all(|conditions| (0..NUM_REGISTERS).all(|index| test(index, conditions)))
    }

    fn is_well(host: &dyn Host) -> bool {
        for_all_vms(|index, conditions| {
            starts_well(index, conditions, host) && denied_is_denied(index, conditions, host)
        })
    }

    #[test]
    fn a_host_of_all_ones() {
        assert!(is_well(&Words([u64::MAX; NUM_REGISTERS])));
    }

    #[test]
    fn a_host_of_all_zeros() {
        assert!(is_well(&Words([0; NUM_REGISTERS])));
    }

    #[test]
    fn a_host_that_is_sane() {
        assert!(is_well(&SANE));
        // Only there can all registers be written as they are.
        assert!(for_all_vms(|index, conditions| {
            let word = default(index, conditions, &SANE);
            check(index, conditions, &SANE, word, None) == Ok(word)
        }));
    }

    #[test]
    fn hosts_at_random() {
        let mut random = Random::new();

        for _ in 0..1000 {
            let host = Words::random(&mut random);
            let conditions = Conditions(random.next() as u32 & every_condition().0);

            assert!((0..NUM_REGISTERS).all(|index| starts_well(index, conditions, &host)));
        }
    }

    /// Registers can be written in any order, so none may depend on another one but for what is
    /// derived from two fields of the host.
    #[test]
    fn registers_do_not_depend_on_others() {
        let mut random = Random::new();

        for _ in 0..100 {
            let host = Words::random(&mut random);
            let conditions = Conditions(random.next() as u32 & every_condition().0);

            for index in 0..NUM_REGISTERS {
                let mut other = Words::random(&mut random);
                let mut keep = |index, mask: u64| {
                    if let Some(word) = other.0.get_mut(index) {
                        *word = *word & !mask | host.sanitised(index) & mask;
                    }
                };

                keep(index, u64::MAX);
                if index == index!(ID_DFR0_EL1) {
                    let pmuver = field!(ID_AA64DFR0_EL1.PMUVer);

                    keep(index!(ID_AA64DFR0_EL1), pmuver.mask());
                } else if index == index!(ID_AA64PFR1_EL1) {
                    keep(index!(ID_AA64PFR0_EL1), field!(ID_AA64PFR0_EL1.RAS).mask());
                }

                let word = default(index, conditions, &host);
                let asked = word & random.next();

                assert_eq!(default(index, conditions, &other), word);
                assert_eq!(
                    check(index, conditions, &other, asked, None),
                    check(index, conditions, &host, asked, None)
                );
            }
        }
    }

    #[test]
    fn signs_are_those_of_the_fields() {
        for limits in &LIMITS {
            for (register, limits) in REGISTERS.iter().zip(limits) {
                for field in register.fields {
                    let has_row = limits.rows & field.mask() != 0;
                    let is_signed = has_row && is_signed(register, field);

                    assert_eq!(
                        limits.sign & field.mask(),
                        if is_signed { field.top() } else { 0 }
                    );
                }
            }
        }
    }

    #[test]
    fn there_are_no_more_registers() {
        let host = Words([u64::MAX; NUM_REGISTERS]);

        for index in [NUM_REGISTERS, NUM_REGISTERS + 1, 64, usize::MAX] {
            assert_eq!(default(index, every_condition(), &host), 0);
            assert!(check(index, every_condition(), &host, 0, None).is_err());
            assert!(check(index, every_condition(), &host, 0, Some(0)).is_err());
        }
    }
}

#[kunit_tests(guestcaps_arm64_compat)]
mod compatibility {
    use super::*;

    #[test]
    fn mpam_of_the_host() {
        for conditions in [Conditions::NONE, NESTED, every_condition()] {
            let host = sane! { ID_AA64PFR0_EL1.MPAM = 1, ID_AA64PFR1_EL1.MPAM_frac = MINOR_1 };

            assert_eq!(starts_with!(conditions, host, ID_AA64PFR0_EL1.MPAM), 0);
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR0_EL1.MPAM = 1),
                reads!(ID_AA64PFR0_EL1.MPAM, 0)
            );
            assert_eq!(
                write_field!(ran conditions, host, ID_AA64PFR0_EL1.MPAM = 1),
                reads!(ID_AA64PFR0_EL1.MPAM, 0)
            );
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR0_EL1.MPAM = 2),
                refused!(Limit, ID_AA64PFR0_EL1.MPAM)
            );
            assert_eq!(
                write_field!(ran conditions, host, ID_AA64PFR0_EL1.MPAM = 2),
                refused!(HasRun, ID_AA64PFR0_EL1.MPAM)
            );
            assert_eq!(
                write_field!(conditions, SANE, ID_AA64PFR0_EL1.MPAM = 1),
                refused!(Limit, ID_AA64PFR0_EL1.MPAM)
            );

            assert_eq!(starts_with!(conditions, host, ID_AA64PFR1_EL1.MPAM_frac), 0);
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR1_EL1.MPAM_frac = MINOR_1),
                reads!(ID_AA64PFR1_EL1.MPAM_frac, MINOR_0)
            );
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR1_EL1.MPAM_frac = 2),
                refused!(Limit, ID_AA64PFR1_EL1.MPAM_frac)
            );
            assert_eq!(
                write_field!(conditions, SANE, ID_AA64PFR1_EL1.MPAM_frac = MINOR_1),
                refused!(Limit, ID_AA64PFR1_EL1.MPAM_frac)
            );
        }
    }

    #[test]
    fn nv_of_the_host() {
        for conditions in [Conditions::NONE, NESTED, NESTED.with(E2H0)] {
            let host = sane! { ID_AA64MMFR2_EL1.NV = NV2 };

            assert_eq!(starts_with!(conditions, host, ID_AA64MMFR2_EL1.NV), 0);
            assert_eq!(
                write_field!(conditions, host, ID_AA64MMFR2_EL1.NV = NV2),
                reads!(ID_AA64MMFR2_EL1.NV, NI)
            );
            assert_eq!(
                write_field!(ran conditions, host, ID_AA64MMFR2_EL1.NV = NV2),
                reads!(ID_AA64MMFR2_EL1.NV, NI)
            );
            assert_eq!(
                write_field!(conditions, host, ID_AA64MMFR2_EL1.NV = IMP),
                refused!(Limit, ID_AA64MMFR2_EL1.NV)
            );
            assert_eq!(
                write_field!(conditions, SANE, ID_AA64MMFR2_EL1.NV = NV2),
                refused!(Limit, ID_AA64MMFR2_EL1.NV)
            );
        }
    }

    /// A PMU of the host's own kind was once shown to guests.
    #[test]
    fn imp_def_pmus() {
        let imp_def = sane! { ID_AA64DFR0_EL1.PMUVer = IMP_DEF };
        let none = sane! { ID_AA64DFR0_EL1.PMUVer = NI };

        for host in [imp_def, none, Words::of(&SANE)] {
            for conditions in [AARCH32, all(&[AARCH32, PMU]), all(&[AARCH32, PMU, NESTED])] {
                assert_eq!(
                    write_field!(conditions, host, ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
                    reads!(ID_AA64DFR0_EL1.PMUVer, NI)
                );
                assert_eq!(
                    write_field!(conditions, host, ID_DFR0_EL1.PerfMon = IMPDEF),
                    reads!(ID_DFR0_EL1.PerfMon, NI)
                );
                assert_eq!(
                    write_field!(conditions, host, ID_AA64DFR0_EL1.PMUVer = 14),
                    refused!(Limit, ID_AA64DFR0_EL1.PMUVer)
                );
                assert_eq!(
                    write_field!(conditions, host, ID_DFR0_EL1.PerfMon = 14),
                    refused!(Limit, ID_DFR0_EL1.PerfMon)
                );
            }
        }
        // Once it has run, a VM that has a PMU can't lose it that way.
        assert_eq!(
            write_field!(ran PMU, SANE, ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
            refused!(HasRun, ID_AA64DFR0_EL1.PMUVer)
        );
        assert_eq!(
            write_field!(ran PMU, imp_def, ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
            reads!(ID_AA64DFR0_EL1.PMUVer, NI)
        );
    }

    /// Hidden at first, MTE_frac read as if there were asynchronous faults.
    #[test]
    fn mte_frac() {
        let host = sane! { ID_AA64PFR1_EL1.MTE = MTE2, ID_AA64PFR1_EL1.MTE_frac = NI };

        assert_eq!(
            write_field!(MTE, host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            reads!(ID_AA64PFR1_EL1.MTE_frac, NI)
        );
        assert_eq!(
            write_field!(ran MTE, host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            reads!(ID_AA64PFR1_EL1.MTE_frac, NI)
        );
        assert_eq!(
            write_field!(MTE, host, ID_AA64PFR1_EL1.MTE_frac = 1),
            refused!(Limit, ID_AA64PFR1_EL1.MTE_frac)
        );
        // No VM without MTE, or with EL2, has anything else.
        for conditions in [Conditions::NONE, NESTED, NESTED.with(MTE)] {
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
                reads!(ID_AA64PFR1_EL1.MTE_frac, ASYNC)
            );
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR1_EL1.MTE_frac = NI),
                refused!(Limit, ID_AA64PFR1_EL1.MTE_frac)
            );
        }
        for host in [
            sane! { ID_AA64PFR1_EL1.MTE = MTE3, ID_AA64PFR1_EL1.MTE_frac = NI },
            sane! { ID_AA64PFR1_EL1.MTE = IMP, ID_AA64PFR1_EL1.MTE_frac = NI },
            sane! { ID_AA64PFR1_EL1.MTE = MTE2, ID_AA64PFR1_EL1.MTE_frac = 14 },
        ] {
            assert_eq!(
                write_field!(MTE, host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
                refused!(Limit, ID_AA64PFR1_EL1.MTE_frac)
            );
        }

        let host = sane! { ID_AA64PFR1_EL1.MTE = MTE2, ID_AA64PFR1_EL1.MTE_frac = ASYNC };

        assert_eq!(
            write_field!(MTE, host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            reads!(ID_AA64PFR1_EL1.MTE_frac, ASYNC)
        );
        assert_eq!(
            write_field!(MTE, host, ID_AA64PFR1_EL1.MTE_frac = NI),
            refused!(Limit, ID_AA64PFR1_EL1.MTE_frac)
        );
    }

    /// VMs with EL2 were told that the host has the double lock.
    #[test]
    fn double_lock() {
        let host = sane! { ID_AA64DFR0_EL1.DoubleLock = NI };

        assert_eq!(
            write_field!(NESTED, host, ID_AA64DFR0_EL1.DoubleLock = IMP),
            reads!(ID_AA64DFR0_EL1.DoubleLock, NI)
        );
        assert_eq!(
            write_field!(ran NESTED, host, ID_AA64DFR0_EL1.DoubleLock = IMP),
            reads!(ID_AA64DFR0_EL1.DoubleLock, NI)
        );
        for conditions in [Conditions::NONE, E2H0, AARCH32] {
            assert_eq!(
                write_field!(conditions, host, ID_AA64DFR0_EL1.DoubleLock = IMP),
                refused!(Limit, ID_AA64DFR0_EL1.DoubleLock)
            );
        }
        for conditions in [Conditions::NONE, NESTED] {
            assert_eq!(
                write_field!(conditions, host, ID_AA64DFR0_EL1.DoubleLock = 1),
                refused!(Limit, ID_AA64DFR0_EL1.DoubleLock)
            );
            assert_eq!(
                write_field!(conditions, host, ID_AA64DFR0_EL1.DoubleLock = 14),
                reads!(ID_AA64DFR0_EL1.DoubleLock, 14)
            );
            // Where the host has it, it can be had, and be done without.
            assert_eq!(
                write_field!(conditions, SANE, ID_AA64DFR0_EL1.DoubleLock = IMP),
                reads!(ID_AA64DFR0_EL1.DoubleLock, IMP)
            );
            assert_eq!(
                write_field!(conditions, SANE, ID_AA64DFR0_EL1.DoubleLock = NI),
                reads!(ID_AA64DFR0_EL1.DoubleLock, NI)
            );
        }
    }

    /// VMs with EL2 have no MTE, and were nevertheless told about some of it.
    #[test]
    fn mte_of_guest_hypervisors() {
        let host = sane! { ID_AA64PFR2_EL1.MTEFAR = IMP, ID_AA64PFR2_EL1.MTESTOREONLY = IMP };
        let nested = NESTED.with(MTE);

        assert_eq!(
            write_field!(nested, host, ID_AA64PFR2_EL1.MTEFAR = IMP),
            reads!(ID_AA64PFR2_EL1.MTEFAR, NI)
        );
        assert_eq!(
            write_field!(nested, host, ID_AA64PFR2_EL1.MTESTOREONLY = IMP),
            reads!(ID_AA64PFR2_EL1.MTESTOREONLY, NI)
        );
        assert_eq!(
            write_field!(ran nested, host, ID_AA64PFR2_EL1.MTESTOREONLY = IMP),
            reads!(ID_AA64PFR2_EL1.MTESTOREONLY, NI)
        );
        for (conditions, host) in [
            (NESTED, host),
            (nested, Words::of(&SANE)),
            (Conditions::NONE, host),
            (MTE, Words::of(&SANE)),
        ] {
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR2_EL1.MTEFAR = IMP),
                refused!(Limit, ID_AA64PFR2_EL1.MTEFAR)
            );
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR2_EL1.MTESTOREONLY = IMP),
                refused!(Limit, ID_AA64PFR2_EL1.MTESTOREONLY)
            );
        }
        for conditions in [MTE, nested] {
            assert_eq!(
                write_field!(conditions, host, ID_AA64PFR2_EL1.MTEFAR = 2),
                refused!(Limit, ID_AA64PFR2_EL1.MTEFAR)
            );
        }
        assert_eq!(
            write_field!(MTE, host, ID_AA64PFR2_EL1.MTEFAR = IMP),
            reads!(ID_AA64PFR2_EL1.MTEFAR, IMP)
        );
    }

    /// What is forgiven in one field is forgiven in that one only, and all of it at once.
    #[test]
    fn rules_look_at_their_own_field() {
        let host = sane! {
            ID_AA64PFR1_EL1.MPAM_frac = MINOR_1,
            ID_AA64PFR1_EL1.MTE = MTE2,
            ID_AA64PFR1_EL1.MTE_frac = NI,
        };
        let index = index!(ID_AA64PFR1_EL1);
        let start = default(index, MTE, &host);
        let old = put(start, field!(ID_AA64PFR1_EL1.MPAM_frac), 1);
        let old = put(old, field!(ID_AA64PFR1_EL1.MTE_frac), 0);

        assert_eq!(check(index, MTE, &host, old, None), Ok(start));
        assert_eq!(check(index, MTE, &host, old, Some(start)), Ok(start));
        assert_eq!(
            check(
                index,
                MTE,
                &host,
                put(old, field!(ID_AA64PFR1_EL1.SSBS), 1),
                None
            ),
            refused!(Limit, ID_AA64PFR1_EL1.SSBS)
        );
        assert_eq!(
            check(
                index,
                MTE,
                &host,
                put(old, field!(ID_AA64PFR1_EL1.MPAM_frac), 2),
                None
            ),
            refused!(Limit, ID_AA64PFR1_EL1.MPAM_frac)
        );
    }

    /// Registers of a mode that the VM does not have ignore all writes, but two that no VM has.
    #[test]
    fn registers_of_aarch32_without_aarch32() {
        let host = Words([u64::MAX; NUM_REGISTERS]);
        let mut ignoring = 0;

        for (index, register) in REGISTERS.iter().enumerate() {
            let is_ignoring = index < 3 * 8
                && !register.name.starts_with("S3_")
                && !matches!(register.name, "ID_AFR0_EL1" | "ID_DFR1_EL1");

            ignoring += u64::from(is_ignoring);
            for conditions in [Conditions::NONE, NESTED, PMU.with(SVE)] {
                for word in [1, 1 << 31, 0x5555_5555, u64::MAX] {
                    for now in [None, Some(0)] {
                        let stored = check(index, conditions, &host, word, now);

                        assert_eq!((stored == Ok(0)), is_ignoring);
                    }
                }
                if index < 3 * 8 {
                    assert_eq!(check(index, conditions, &host, 0, None), Ok(0));
                }
            }
        }
        assert_eq!(ignoring, 20);
        for index in [index!(ID_AFR0_EL1), index!(ID_DFR1_EL1)] {
            assert!(check(index, AARCH32, &host, 1, None).is_err());
            assert_eq!(check(index, AARCH32, &host, 0, None), Ok(0));
        }
    }
}

/// What `KVM_ARM_GET_REG_WRITABLE_MASKS` says of registers, as it did before there were rows: from
/// `.val` of `sys_reg_descs[]`. Those of AArch32 that are not hidden have all of 32 bits.
const WRITABLE: &[(&Register, u64)] = &[
    (&ID_AA64PFR0_EL1, 0xffff_00f0_ff00_ffff),
    (&ID_AA64PFR1_EL1, 0x0f00_000f_0000_f0ff),
    (&ID_AA64PFR2_EL1, 0x0000_000f_0000_fff0),
    (&ID_AA64ZFR0_EL1, 0x0fff_ff0f_0fff_f0ff),
    (&ID_AA64FPFR0_EL1, 0x0000_0000_fc00_80ff),
    (&ID_AA64DFR0_EL1, 0x0000_00f0_00f0_0f0f),
    (&ID_AA64ISAR0_EL1, 0xffff_ffff_f0ff_fff0),
    (&ID_AA64ISAR1_EL1, 0xffff_ffff_00ff_f00f),
    (&ID_AA64ISAR2_EL1, 0xffff_ffff_ffff_00ff),
    (&ID_AA64ISAR3_EL1, 0x0000_0000_ff0f_00f0),
    (&ID_AA64MMFR0_EL1, 0xff00_ffff_ffff_ff0f),
    (&ID_AA64MMFR1_EL1, 0xffff_ffff_0fff_f00f),
    (&ID_AA64MMFR2_EL1, 0xf0ff_000f_f00f_ffff),
    (&ID_AA64MMFR3_EL1, 0x0000_0000_000f_0fff),
    (&ID_AA64MMFR4_EL1, 0x0000_0000_00f0_0000),
    (&CTR_EL0, 0x0000_0000_300f_c00f),
];

fn writable(register: &Register, index: usize) -> u64 {
    let is_hidden = matches!(register.name, "ID_AFR0_EL1" | "ID_DFR1_EL1");
    if index < 3 * 8 && !is_hidden && !register.name.starts_with("S3_") {
        return u32::MAX.into();
    }
    WRITABLE
        .iter()
        .find(|(r, _)| r.name == register.name)
        .map_or(0, |(_, mask)| *mask)
}

#[kunit_tests(guestcaps_arm64_check)]
mod verdicts {
    use super::*;

    /// What a VM has in these tests, but EL2.
    fn conditions() -> Conditions {
        all(&[AARCH32, SVE, MTE, PTRAUTH, PMU])
    }

    /// The least that can be asked for, but for none at all.
    fn least(register: &Register, field: &Field) -> u64 {
        match (register.name, field.name) {
            ("ID_AA64PFR0_EL1", "EL0" | "EL1") => 1,
            ("ID_AA64DFR0_EL1", "DebugVer") | ("ID_DFR0_EL1", "CopDbg") => 6,
            ("ID_DFR0_EL1", "PerfMon") => 3,
            ("CTR_EL0", "L1Ip") => 2,
            _ => 0,
        }
    }

    /// As `set_id_reg()` and what came before it judged a field, if values are not above those
    /// that are known. `None` if it is about a value that is ignored.
    fn wanted(
        register: &Register,
        index: usize,
        field: &Field,
        value: u64,
        limit: u64,
    ) -> Option<Result<u64, Refusal>> {
        let is_ignored = match (register.name, field.name) {
            ("ID_AA64PFR0_EL1", "MPAM") => true,
            ("ID_AA64PFR1_EL1", "MPAM_frac" | "MTE_frac") => true,
            ("ID_AA64MMFR2_EL1", "NV") => true,
            ("ID_AA64DFR0_EL1", "PMUVer") | ("ID_DFR0_EL1", "PerfMon") => value == 15,
            _ => false,
        };
        if is_ignored {
            return None;
        }
        let is_none = value == 0 && (register.name, field.name) == ("ID_DFR0_EL1", "PerfMon");
        if value < least(register, field) && !is_none {
            return Some(Err(refused(Reason::Impossible, field)));
        }
        let mask = writable(register, index);
        let is_denied = Limits::of(index, Conditions::NONE)
            .is_none_or(|limits| limits.rows & field.mask() == 0);
        let is_safe = if field.is_reserved() || is_denied || mask & field.mask() != field.mask() {
            false
        } else if field.name == "SpecSEI" {
            limit <= value
        } else if let Some(safe) = exact(register, field) {
            value == safe
        } else {
            rank(register, field, value) < rank(register, field, limit)
        };
        Some(if value == limit || is_safe {
            Ok(value)
        } else {
            Err(refused(Reason::Limit, field))
        })
    }

    /// Whether a field's values are judged as they should be on a host that has `of_host` there.
    fn field_is_right(register: &Register, index: usize, field: &Field, of_host: u64) -> bool {
        let mut host = Words::of(&SANE);
        host.set(index, field, of_host);
        let limit = field.get(default(index, conditions(), &host));
        (0..=field.max().min(15)).all(|value| {
            let result = write(index, field, value, conditions(), &host, false);
            wanted(register, index, field, value, limit).is_none_or(|wanted| result == wanted)
        })
    }

    /// All values of each field against each value of the host's.
    #[test]
    fn each_value_of_each_field() {
        for (index, register) in REGISTERS.iter().enumerate() {
            for field in register.fields {
                for of_host in least(register, field)..=field.max().min(15) {
                    assert!(field_is_right(register, index, field, of_host));
                }
            }
        }
    }

    #[test]
    fn a_forgiven_value_counts_as_what_it_reads() {
        let index = index!(ID_AA64DFR0_EL1);
        let pmuver = field!(ID_AA64DFR0_EL1.PMUVer);
        let debugver = field!(ID_AA64DFR0_EL1.DebugVer);
        let start = default(index, Conditions::NONE, &SANE);
        let old = put(start, pmuver, value!(ID_AA64DFR0_EL1.PMUVer, IMP_DEF));

        // Not above the limit, nor another value than before.
        assert_eq!(check(index, Conditions::NONE, &SANE, old, None), Ok(start));
        assert_eq!(
            check(index, Conditions::NONE, &SANE, old, Some(start)),
            Ok(start)
        );
        assert_eq!(
            check(index, Conditions::NONE, &SANE, put(old, debugver, 5), None),
            refused!(Impossible, ID_AA64DFR0_EL1.DebugVer)
        );

        // 15 would do as the least value that is possible, and so does 0.
        let index = index!(ID_DFR0_EL1);
        let perfmon = field!(ID_DFR0_EL1.PerfMon);
        let now = put(default(index, conditions(), &SANE), perfmon, 0);

        assert_eq!(
            check(index, conditions(), &SANE, put(now, perfmon, 15), Some(now)),
            Ok(now)
        );
    }

    /// What is impossible is refused for that reason, whatever else there is to say.
    #[test]
    fn the_impossible_comes_first() {
        let index = index!(ID_AA64PFR0_EL1);
        let start = default(index, Conditions::NONE, &SANE);
        let none = put(start, field!(ID_AA64PFR0_EL1.EL0), 0);
        let more = put(none, field!(ID_AA64PFR0_EL1.CSV3), 15);

        for word in [none, more] {
            for now in [None, Some(start), Some(word)] {
                assert_eq!(
                    check(index, Conditions::NONE, &SANE, word, now),
                    refused!(Impossible, ID_AA64PFR0_EL1.EL0)
                );
            }
        }
    }

    /// Once a VM has run, its limit does not matter any more.
    #[test]
    fn the_present_value_comes_before_the_limit() {
        let index = index!(ID_AA64ISAR0_EL1);
        let limit = default(index, Conditions::NONE, &SANE);
        let above = put(limit, field!(ID_AA64ISAR0_EL1.RNDR), 1);

        assert_eq!(
            check(index, Conditions::NONE, &SANE, above, None),
            refused!(Limit, ID_AA64ISAR0_EL1.RNDR)
        );
        assert_eq!(
            check(index, Conditions::NONE, &SANE, above, Some(limit)),
            refused!(HasRun, ID_AA64ISAR0_EL1.RNDR)
        );
        assert_eq!(
            check(index, Conditions::NONE, &SANE, limit, Some(above)),
            refused!(HasRun, ID_AA64ISAR0_EL1.RNDR)
        );
        assert_eq!(
            check(index, Conditions::NONE, &SANE, above, Some(above)),
            Ok(above)
        );
    }

    #[test]
    fn the_highest_field_is_to_blame() {
        let index = index!(ID_AA64PFR0_EL1);
        let start = default(index, Conditions::NONE, &SANE);
        let both = |high, low| put(put(start, high, 0xf), low, 0xf);
        let none = put(start, field!(ID_AA64PFR0_EL1.EL1), 0);
        let none = put(none, field!(ID_AA64PFR0_EL1.EL0), 0);
        let run = |word, now| check(index, Conditions::NONE, &SANE, word, now);

        // Fields above the limit, fixed ones, and those without a row.
        for (word, wanted) in [
            (
                both(field!(ID_AA64PFR0_EL1.CSV3), field!(ID_AA64PFR0_EL1.DIT)),
                field!(ID_AA64PFR0_EL1.CSV3),
            ),
            (
                both(field!(ID_AA64PFR0_EL1.AMU), field!(ID_AA64PFR0_EL1.EL3)),
                field!(ID_AA64PFR0_EL1.AMU),
            ),
            (
                both(field!(ID_AA64PFR0_EL1.RAS), field!(ID_AA64PFR0_EL1.FP)),
                field!(ID_AA64PFR0_EL1.RAS),
            ),
            (
                both(field!(ID_AA64PFR0_EL1.SVE), field!(ID_AA64PFR0_EL1.GIC)),
                field!(ID_AA64PFR0_EL1.SVE),
            ),
        ] {
            assert_eq!(run(word, None), Err(refused(Reason::Limit, wanted)));
            assert_eq!(run(word, Some(start)), Err(refused(Reason::HasRun, wanted)));
        }
        assert_eq!(run(none, None), refused!(Impossible, ID_AA64PFR0_EL1.EL1));

        // All of a register that the VM does not have.
        let index = index!(ID_AA64ZFR0_EL1);

        assert_eq!(
            check(index, Conditions::NONE, &SANE, 0x10_0001, None),
            refused!(Limit, ID_AA64ZFR0_EL1.BF16)
        );
        assert_eq!(
            check(index, Conditions::NONE, &SANE, 1 << 60, None),
            refused!(Limit, ID_AA64ZFR0_EL1.RES0_63_60)
        );
    }

    /// Whether the values of a field are refused as impossible, by a bit each: before the VM has
    /// run, and after.
    fn impossible(
        index: usize,
        field: &Field,
        conditions: Conditions,
        host: &dyn Host,
    ) -> [u64; 2] {
        [false, true].map(|has_run| {
            (0..=field.max().min(15))
                .filter(|value| {
                    write(index, field, *value, conditions, host, has_run)
                        == Err(refused(Reason::Impossible, field))
                })
                .fold(0, |set, value| set | 1 << value)
        })
    }

    macro_rules! impossible {
        ($conditions:expr, $host:expr, $register:ident.$field:ident) => {
            impossible(
                index!($register),
                field!($register.$field),
                $conditions,
                &$host,
            )
        };
    }

    #[test]
    fn least_values() {
        let nested = conditions().with(NESTED);

        for conditions in [conditions(), nested] {
            assert_eq!(impossible!(conditions, SANE, ID_AA64PFR0_EL1.EL0), [1; 2]);
            assert_eq!(impossible!(conditions, SANE, ID_AA64PFR0_EL1.EL1), [1; 2]);
            assert_eq!(impossible!(conditions, SANE, ID_AA64PFR0_EL1.EL3), [0; 2]);
            assert_eq!(
                impossible!(conditions, SANE, ID_AA64DFR0_EL1.DebugVer),
                [0x3f; 2]
            );
            assert_eq!(impossible!(conditions, SANE, ID_DFR0_EL1.CopDbg), [0x3f; 2]);
            assert_eq!(impossible!(conditions, SANE, ID_DFR0_EL1.PerfMon), [6; 2]);
            assert_eq!(
                impossible!(conditions, SANE, ID_AA64DFR0_EL1.PMUVer),
                [0; 2]
            );
            assert_eq!(impossible!(conditions, SANE, CTR_EL0.L1Ip), [3; 2]);
        }
        assert_eq!(impossible!(conditions(), SANE, ID_AA64PFR0_EL1.EL2), [0; 2]);
        assert_eq!(impossible!(nested, SANE, ID_AA64PFR0_EL1.EL2), [1; 2]);
        assert_eq!(
            write_field!(conditions(), SANE, ID_AA64PFR0_EL1.EL2 = NI),
            reads!(ID_AA64PFR0_EL1.EL2, NI)
        );
        assert_eq!(
            write_field!(conditions(), SANE, ID_DFR0_EL1.PerfMon = NI),
            reads!(ID_DFR0_EL1.PerfMon, NI)
        );
        assert_eq!(
            write_field!(conditions(), SANE, ID_DFR0_EL1.PerfMon = PMUv3),
            reads!(ID_DFR0_EL1.PerfMon, PMUv3)
        );
    }

    /// A VM that was made for a VIPT cache works with a PIPT one, but not the other way round.
    #[test]
    fn cache_policies() {
        let vipt = sane! { CTR_EL0.L1Ip = VIPT };

        for value in 0..4 {
            for (host, wanted) in [(&Words::of(&SANE), [2, 3]), (&vipt, [2, 2])] {
                let field = field!(CTR_EL0.L1Ip);
                let stored = write(index!(CTR_EL0), field, value, Conditions::NONE, host, false);

                assert_eq!(stored.is_ok(), wanted.contains(&value));
                if let Err(refusal) = stored {
                    assert_eq!((refusal.reason == Reason::Impossible), (value < 2));
                }
            }
        }
    }

    /// Without EL2 granules are like other exact fields; with it, they are judged at any time.
    #[test]
    fn stage_2_granules() {
        let host = sane! {
            ID_AA64MMFR0_EL1.TGRAN4_2 = 52_BIT,
            ID_AA64MMFR0_EL1.TGRAN16_2 = IMP,
            ID_AA64MMFR0_EL1.TGRAN64_2 = NI,
        };
        let page_64k = all(&[NESTED, PAGE_OVER_4K, PAGE_OVER_16K]);
        let others = |possible: &[u64]| possible.iter().fold(0xffff, |set, n| set & !(1 << n));

        for (conditions, host, possible) in [
            (NESTED, host, [[1, 2], [1, 2], [0, 1]]),
            (page_64k, host, [[1, 1], [1, 1], [0, 1]]),
            // They are there if stage 1 has them, or not.
            (NESTED, Words::of(&SANE), [[1, 2], [0, 1], [1, 2]]),
        ] {
            let [tgran4, tgran16, tgran64] = possible.map(|values| [others(&values); 2]);

            assert_eq!(
                impossible!(conditions, host, ID_AA64MMFR0_EL1.TGRAN4_2),
                tgran4
            );
            assert_eq!(
                impossible!(conditions, host, ID_AA64MMFR0_EL1.TGRAN16_2),
                tgran16
            );
            assert_eq!(
                impossible!(conditions, host, ID_AA64MMFR0_EL1.TGRAN64_2),
                tgran64
            );
        }
        assert_eq!(
            impossible!(Conditions::NONE, host, ID_AA64MMFR0_EL1.TGRAN4_2),
            [0; 2]
        );

        // A VM that has run can't lose one either.
        assert_eq!(
            write_field!(NESTED, host, ID_AA64MMFR0_EL1.TGRAN4_2 = NI),
            reads!(ID_AA64MMFR0_EL1.TGRAN4_2, NI)
        );
        assert_eq!(
            write_field!(ran NESTED, host, ID_AA64MMFR0_EL1.TGRAN4_2 = NI),
            refused!(HasRun, ID_AA64MMFR0_EL1.TGRAN4_2)
        );

        // What is impossible stays so even if the VM has it.
        let index = index!(ID_AA64MMFR0_EL1);
        let start = default(index, NESTED, &host);
        let word = put(start, field!(ID_AA64MMFR0_EL1.TGRAN16_2), 3);

        assert_eq!(
            check(index, NESTED, &host, word, Some(word)),
            refused!(Impossible, ID_AA64MMFR0_EL1.TGRAN16_2)
        );
        assert_eq!(
            write_field!(Conditions::NONE, host, ID_AA64MMFR0_EL1.TGRAN4_2 = IMP),
            refused!(Limit, ID_AA64MMFR0_EL1.TGRAN4_2)
        );
        assert_eq!(
            write_field!(Conditions::NONE, host, ID_AA64MMFR0_EL1.TGRAN4_2 = NI),
            reads!(ID_AA64MMFR0_EL1.TGRAN4_2, NI)
        );
    }
}

#[kunit_tests(guestcaps_arm64_policy)]
mod policy {
    use super::*;

    /// The named fields of a register that have no row.
    fn without_row(register: &Register) -> impl Iterator<Item = &'static Field> {
        let index = register.index();
        let rows = Limits::of(index, Conditions::NONE).map_or(0, |limits| limits.rows);
        register
            .fields
            .iter()
            .filter(move |field| !field.is_reserved() && rows & field.mask() == 0)
    }

    /// Whether these fields have no row, and all others have one.
    fn denies(register: &Register, names: &[&str]) -> bool {
        without_row(register)
            .map(|field| field.name)
            .eq(names.iter().copied())
    }

    /// What guests don't have since nobody has given it a row.
    ///
    /// A new field in `arch/arm64/tools/sysreg` makes this fail, and a new row does, so that both
    /// are noticed. The reason may be that it needs traps, or state to save, or only someone who
    /// asks for it.
    #[test]
    fn fields_without_a_row() {
        assert!(denies(&ID_PFR0_EL1, &["RAS", "AMU"]));
        assert!(denies(&ID_DFR0_EL1, &["TraceFilt"]));
        assert!(denies(
            &ID_AFR0_EL1,
            &["IMPDEF3", "IMPDEF2", "IMPDEF1", "IMPDEF0"]
        ));
        assert!(denies(&ID_ISAR5_EL1, &["VCMA"]));
        assert!(denies(&ID_MMFR4_EL1, &["CCIDX"]));
        assert!(denies(&ID_PFR2_EL1, &["RAS_frac"]));
        assert!(denies(&ID_DFR1_EL1, &["HPMN0"]));
        assert!(denies(&ID_MMFR5_EL1, &["nTLBPA"]));
        assert!(denies(&ID_AA64PFR0_EL1, &["AMU"]));
        assert!(denies(
            &ID_AA64PFR1_EL1,
            &["PFAR", "MTEX", "THE", "GCS", "NMI", "RNDR_trap", "SME"]
        ));
        assert!(denies(&ID_AA64PFR2_EL1, &["UINJ", "MTEPERM"]));
        assert!(denies(
            &ID_AA64SMFR0_EL1,
            &[
                "FA64", "LUT6", "LUTv2", "SMEver", "I16I64", "F64F64", "I16I32", "B16B16",
                "F16F16", "F8F16", "F8F32", "I8I32", "F16F32", "B16F32", "BI32I32", "F32F32",
                "SF8FMA", "SF8DP4", "SF8DP2", "SBitPerm", "AES", "SFEXPA", "STMOP", "SMOP4"
            ]
        ));
        assert!(denies(
            &ID_AA64DFR0_EL1,
            &[
                "HPMN0",
                "ExtTrcBuff",
                "BRBE",
                "TraceBuffer",
                "TraceFilt",
                "PMSVer",
                "SEBEP",
                "PMSS",
                "TraceVer"
            ]
        ));
        assert!(denies(
            &ID_AA64DFR1_EL1,
            &[
                "ABL_CMPs", "DPFZS", "EBEP", "ITE", "ABLE", "PMICNTR", "SPMU", "CTX_CMPs", "WRPs",
                "BRPs", "SYSPMUID"
            ]
        ));
        assert!(denies(
            &ID_AA64DFR2_EL1,
            &["TRBE_EXC", "SPE_nVM", "SPE_EXC", "BWE", "STEP"]
        ));
        assert!(denies(
            &ID_AA64AFR0_EL1,
            &[
                "IMPDEF7", "IMPDEF6", "IMPDEF5", "IMPDEF4", "IMPDEF3", "IMPDEF2", "IMPDEF1",
                "IMPDEF0"
            ]
        ));
        assert!(denies(
            &ID_AA64ISAR3_EL1,
            &["OCCMO", "PACM", "TLBIW", "CPA"]
        ));
        assert!(denies(&ID_AA64MMFR2_EL1, &["CCIDX"]));
        assert!(denies(
            &ID_AA64MMFR3_EL1,
            &[
                "Spec_FPACC",
                "ADERR",
                "SDERR",
                "ANERR",
                "SNERR",
                "D128_2",
                "D128",
                "MEC",
                "AIE",
                "S2POE",
                "S2PIE"
            ]
        ));
        assert!(denies(
            &ID_AA64MMFR4_EL1,
            &[
                "MTEFGT", "SCRX", "TEV", "TPS", "SRMASK", "TLBID", "E3DSE", "EAESR", "RMEGDI",
                "FGWTE3", "HACDBS", "ASID2", "EIESB", "PoPS"
            ]
        ));
        assert!(denies(&CTR_EL0, &["TminLine"]));

        // And no other register has any.
        let count = REGISTERS.iter().flat_map(without_row).count();

        assert_eq!(count, 110);
    }

    /// What of a register without rows is not zero.
    #[test]
    fn registers_without_a_row() {
        static NONE: [Limits; 3] = {
            let limits = row::compile(&[], false);
            [
                limits[ID_AA64PFR0_EL1.index()],
                limits[ID_AA64MMFR0_EL1.index()],
                limits[CTR_EL0.index()],
            ]
        };

        let wanted = [0x00ff_0000, 0x0000_0111_ff00_0000, 0x8000_0000];

        for (limits, wanted) in NONE.iter().zip(wanted) {
            for host in [0, !0, 0x1234_5678_9abc_def0] {
                assert_eq!(limits.default(host, every_condition()), wanted);
            }
            assert_eq!(limits.writable, 0);
            assert!(limits.excess(wanted, wanted) == 0);
            for bit in 0..u64::BITS {
                assert!(limits.excess(wanted ^ 1 << bit, wanted) != 0);
            }
        }
    }

    /// Limits below what sysreg has names for, and above: here KVM, or a person, has decided.
    #[test]
    fn limits_that_are_not_the_highest_value() {
        let [plain, nested] = &LIMITS;

        macro_rules! limits_of {
            ($($r:ident.$f:ident = $v:tt),* $(,)?) => {
                [$((index!($r), field!($r.$f), value!($r.$f, $v))),*]
            };
        }

        for (index, field, value) in limits_of! {
            ID_PFR0_EL1.State1 = 3,
            ID_DFR0_EL1.PerfMon = PMUv3p5,
            ID_DFR0_EL1.CopDbg = Debugv8p8,
            ID_MMFR5_EL1.ETS = 3,
            ID_AA64PFR0_EL1.CSV2 = IMP,
            ID_AA64PFR0_EL1.RME = NI,
            ID_AA64PFR0_EL1.MPAM = 0,
            ID_AA64PFR0_EL1.GIC = IMP,
            ID_AA64PFR1_EL1.CSV2_frac = NI,
            ID_AA64PFR1_EL1.MPAM_frac = MINOR_0,
            ID_AA64DFR0_EL1.MTPMU = NI_IMPDEF,
            ID_AA64DFR0_EL1.PMUVer = V3P5,
            ID_AA64DFR0_EL1.DebugVer = V8P8,
            ID_AA64ISAR2_EL1.PCDPHINT = NI,
            ID_AA64ISAR2_EL1.PRFMSLC = NI,
            ID_AA64ISAR2_EL1.SYSINSTR_128 = NI,
            ID_AA64ISAR2_EL1.SYSREG_128 = NI,
            ID_AA64ISAR2_EL1.PAC_frac = NI,
            ID_AA64MMFR1_EL1.nTLBPA = NI,
            ID_AA64MMFR2_EL1.NV = NI,
        } {
            for limits in [plain, nested] {
                let limit = limits.get(index).map(|limits| field.get(limits.up_to));

                assert_eq!(limit, Some(value));
            }
        }
    }

    /// Whether a VM has EL2 does not decide what has a row, nor what is compared how.
    #[test]
    fn nested_rows_are_those_of_the_same_fields() {
        let [plain, nested] = &LIMITS;

        for (plain, nested) in plain.iter().zip(nested) {
            assert_eq!(plain.rows, nested.rows);
            assert_eq!(plain.fixed, nested.fixed);
            assert_eq!(plain.writable, nested.writable);
            assert_eq!(plain.tops, nested.tops);
            assert_eq!(plain.bottoms, nested.bottoms);
            assert_eq!(plain.order, nested.order);
            assert_eq!(plain.ordered, nested.ordered);
            assert_eq!(plain.exact, nested.exact);
            assert!(plain.needs == nested.needs);
        }
    }

    #[test]
    fn published_masks() {
        for limits in &LIMITS {
            for (index, (register, limits)) in REGISTERS.iter().zip(limits).enumerate() {
                assert_eq!(limits.writable, writable(register, index));
            }
        }
    }

    /// But for AArch32, masks are those of rows that are not fixed, and one field of zeros.
    #[test]
    fn published_masks_are_rows() {
        let [plain, _] = &LIMITS;

        for (register, limits) in REGISTERS.iter().zip(plain) {
            let raz = if register.name == "ID_AA64FPFR0_EL1" {
                field!(ID_AA64FPFR0_EL1.RAZ_7_2).mask()
            } else {
                0
            };

            if limits.needs.has(AARCH32) {
                assert_eq!(!limits.fixed & !limits.writable, 0);
                assert_eq!(limits.writable, 0xffff_ffff);
            } else {
                assert_eq!(limits.writable & !raz, !limits.fixed);
                assert_eq!(limits.writable & raz, raz);
            }
            assert_eq!(!limits.fixed & !limits.rows, 0);
        }
    }
}

#[kunit_tests(guestcaps_arm64_descriptions)]
mod descriptions {
    use super::*;

    /// Whether the fields of a register are all of it, from the highest bit to the lowest.
    fn is_covered(register: &Register) -> bool {
        let mut left = u64::BITS;
        for field in register.fields {
            if field.msb + 1 != left || field.lsb > field.msb {
                return false;
            }
            left = field.lsb;
        }
        left == 0
    }

    #[test]
    fn all_bits_belong_to_one_field() {
        for register in &REGISTERS {
            let mut bits = 0;

            assert!(is_covered(register));
            for field in register.fields {
                let mask = field.mask();

                assert_eq!(bits & mask, 0);
                assert_eq!(mask.trailing_zeros(), field.lsb);
                assert_eq!(u64::BITS - 1 - mask.leading_zeros(), field.msb);
                assert_eq!(mask.count_ones(), field.msb - field.lsb + 1);
                assert_eq!(field.max(), mask >> field.lsb);
                assert_eq!(field.top() >> field.msb, 1);
                bits |= mask;
            }
            assert_eq!(bits, u64::MAX);
        }
    }

    #[test]
    fn all_registers_have_their_place() {
        let mut places = 0u64;

        assert_eq!(REGISTERS.len(), 57);
        for (index, register) in REGISTERS.iter().enumerate() {
            assert_eq!(register.index(), index);
            assert!(places & 1 << index == 0);
            places |= 1 << index;
            assert_eq!(
                REGISTERS.iter().filter(|r| r.name == register.name).count(),
                1
            );
        }
        assert_eq!(places, (1 << NUM_REGISTERS) - 1);
        assert_eq!(index!(ID_PFR0_EL1), 0);
        assert_eq!(index!(ID_AA64PFR0_EL1), 24);
        assert_eq!(index!(ID_AA64MMFR4_EL1), 52);
        assert_eq!(index!(CTR_EL0), 56);
    }

    #[test]
    fn values_fit_their_fields() {
        for field in REGISTERS.iter().flat_map(|register| register.fields) {
            for (name, value) in field.values {
                assert!(*value <= field.max());
                assert_eq!(field.value(name), Some(*value));
                assert_eq!(field.values.iter().filter(|(_, v)| v == value).count(), 1);
            }
            assert!(field.not_implemented() <= field.max());
            // Names are for those that the architecture has allocated.
            assert!(field.values.is_empty() || matches!(field.kind, Kind::Unsigned | Kind::Signed));
        }
    }

    #[test]
    fn fields_have_names_of_their_own() {
        for register in &REGISTERS {
            for field in register.fields {
                let found = register.field(field.name);

                assert!(found.is_some_and(|found| found.msb == field.msb));
            }
            assert!(register.field("").is_none());
        }
    }

    /// What nothing is called, by an example of each kind.
    #[test]
    fn not_implemented() {
        assert_eq!(field!(ID_AA64PFR0_EL1.FP).not_implemented(), 15);
        assert_eq!(field!(ID_AA64MMFR0_EL1.TGRAN4_2).not_implemented(), 1);
        assert_eq!(field!(ID_AA64PFR0_EL1.SVE).not_implemented(), 0);
        assert_eq!(field!(ID_AA64DFR0_EL1.DebugVer).not_implemented(), 0);
        assert_eq!(field!(CTR_EL0.RES1_31_31).not_implemented(), 1);
        assert_eq!(field!(CTR_EL0.RES0_63_38).not_implemented(), 0);
        assert_eq!(field!(ID_AA64FPFR0_EL1.RAZ_7_2).not_implemented(), 0);
    }
}
