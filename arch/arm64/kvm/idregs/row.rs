// SPDX-License-Identifier: GPL-2.0

//! A row, which is a field with what KVM says of it, and a register's rows. What is wrong with them
//! fails the build.

use super::{
    cpufeature::{
        Field,
        Kind,
        Register,
        REGISTERS,
        UNALLOCATED, //
    },
    facts::{
        index,
        Condition,
        Fact,
        Flags,
        DERIVED,
        NUM_REGISTERS, //
    },
    policy::{
        Bound,
        Order,
        Policy,
        Verb, //
    },
};

/// What decides about a value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The architecture has not allocated the field.
    Reserved,
    /// KVM does not let VMs have it.
    Denied,
    /// The VM does not have the register.
    Absent,
    /// Only the limit.
    Fixed,
    /// The limit, and what is lower.
    LowerSafe,
    /// The limit, and what is higher: a promise to do less than any value that is known.
    HigherSafe,
    /// The limit, and one other value.
    Exact,
    /// Not below the least value.
    Least,
    /// The VM has run: only the present value.
    HasRun,
}

impl Rule {
    /// What it is called, for people and for scripts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Denied => "denied",
            Self::Absent => "absent",
            Self::Fixed => "fixed",
            Self::LowerSafe => "lower-safe",
            Self::HigherSafe => "higher-safe",
            Self::Exact => "exact",
            Self::Least => "least",
            Self::HasRun => "has-run",
        }
    }
}

/// A row: a field, and what KVM says of it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) field: &'static Field,
    pub(crate) policy: &'static Policy,
    /// The field's bits.
    pub(crate) mask: u64,
    /// The highest of them if values are signed: flipped, they compare as unsigned ones.
    pub(crate) sign: u64,
    /// The limit in its place, with its sign flipped.
    pub(crate) up_to: u64,
    /// In which VMs there is nothing to know beside that limit.
    pub(crate) plain: Plain,
}

/// In which VMs a field has the host's value, at most the limit, whatever else is known of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    InAll,
    WithoutEl2,
    InNone,
}

impl Row {
    /// The row of a field; the kernel does not build if the field can't have such a policy.
    pub(super) const fn new(field: &'static Field, policy: &'static Policy) -> Self {
        match policy.bound.verb {
            Verb::Zero => assert!(
                matches!(field.kind, Kind::Res0 | Kind::Raz),
                "not reserved and zero, says arch/arm64/tools/sysreg"
            ),
            _ => assert!(!field.is_reserved(), "reserved bits have no limit"),
        }
        let is_signed = matches!(field.kind, Kind::Signed) || policy.signed;
        let sign = if is_signed { 1 << field.msb } else { 0 };
        let limit = fits(field, &policy.bound);
        if let Some(nested) = &policy.nested {
            if let (Some(limit), Some(nested)) = (limit, fits(field, nested)) {
                assert!(
                    nested << field.lsb ^ sign <= limit << field.lsb ^ sign,
                    "the limit under nested virtualization is above the plain one"
                );
            }
        }
        fits_one(field, policy.or);
        if let Order::Exact(safe) = policy.order {
            fits_one(field, Some(safe));
        }
        if let Some((condition, value)) = policy.irqchip {
            fits_one(field, Some(value));
            assert!(
                !condition.asked().contains_any(DERIVED),
                "nothing is derived from the host when there is an interrupt controller"
            );
        }
        // Not implemented is what unsigned fields have anyway if that is zero.
        let limit = match policy.bound.verb {
            Verb::Denied if field.not_implemented == 0 && !is_signed => Some(0),
            _ => limit,
        };
        Self {
            field,
            policy,
            mask: field.mask(),
            sign,
            up_to: match limit {
                Some(limit) => limit << field.lsb ^ sign,
                None => sign,
            },
            plain: if limit.is_none()
                || policy.bound.overrides[0].is_some()
                || matches!(policy.order, Order::Exact(_))
            {
                Plain::InNone
            } else if policy.nested.is_some() {
                Plain::WithoutEl2
            } else {
                Plain::InAll
            },
        }
    }

    /// The general rule.
    pub(crate) const fn rule(&self) -> Rule {
        match (self.policy.bound.verb, self.policy.order) {
            (Verb::Zero, _) => Rule::Reserved,
            (Verb::Denied, _) => Rule::Denied,
            _ if self.policy.fixed => Rule::Fixed,
            (_, Order::LowerSafe) => Rule::LowerSafe,
            (_, Order::HigherSafe) => Rule::HigherSafe,
            (_, Order::Exact(_)) => Rule::Exact,
        }
    }

    /// All facts that its conditions ask for.
    const fn asked(&self) -> Flags {
        const fn asked(bound: &Bound) -> Flags {
            let mut flags = Flags::empty();
            let mut i = 0;
            while i < bound.overrides.len() {
                if let Some(instead) = &bound.overrides[i] {
                    flags = flags.union(instead.condition.asked());
                }
                i += 1;
            }
            match &bound.once {
                Some(once) => flags.union(once.condition.asked()),
                None => flags,
            }
        }
        let flags = asked(&self.policy.bound);
        match &self.policy.nested {
            Some(nested) => flags.union(asked(nested)),
            None => flags,
        }
    }

    /// Whether there is more to say of values than what compares with the limit.
    const fn has_rules(&self) -> bool {
        const fn has_rules(bound: &Bound) -> bool {
            bound.always || bound.least.is_some() || bound.once.is_some()
        }
        match &self.policy.nested {
            Some(nested) if has_rules(nested) => true,
            _ => has_rules(&self.policy.bound),
        }
    }
}

const fn fits_one(field: &Field, value: Option<u8>) {
    if let Some(value) = value {
        assert!(
            value as u64 <= field.max(),
            "the field can't hold this value"
        );
    }
}

/// The limit, if there is one; all values must be such that the field can hold them.
const fn fits(field: &Field, bound: &Bound) -> Option<u64> {
    let mut i = 0;
    while i < bound.overrides.len() {
        if let Some(o) = bound.overrides[i] {
            fits_one(field, o.value);
        }
        i += 1;
    }
    fits_one(field, bound.least);
    if let Some(once) = bound.once {
        fits_one(field, once.value);
        fits_one(field, once.host);
    }
    match bound.verb {
        Verb::AtMost(value) => {
            fits_one(field, Some(value));
            Some(value as u64)
        }
        Verb::Force(value) => {
            fits_one(field, Some(value));
            None
        }
        Verb::Denied | Verb::Zero => None,
    }
}

/// A register: all its rows, from the highest bits to the lowest, and what all other bits are.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) register: &'static Register,
    /// On what condition a VM has it.
    pub(crate) condition: Condition,
    /// Whether cpufeature has the host's value.
    pub(crate) is_known: bool,
    pub(crate) rows: &'static [Row],
    /// Bits that have no row.
    pub(crate) others: u64,
    /// What these are.
    pub(crate) reserved: u64,
    /// Whether a row [has more to say of values](Row::has_rules).
    pub(crate) has_rules: bool,
    /// All facts that conditions of rows ask for.
    pub(crate) asked: Flags,
}

/// Fails the build, and says which field it is about.
const fn field_has_no_row(name: &str) -> ! {
    panic!("{}", name)
}

/// Fails the build, and says which field it is about.
const fn field_has_two_rows(name: &str) -> ! {
    panic!("{}", name)
}

/// Fails the build, and says which field it is about.
const fn field_has_its_row_elsewhere(name: &str) -> ! {
    panic!("{}", name)
}

/// Fails the build, and says which register it is about.
const fn register_has_no_block(name: &str) -> ! {
    panic!("{}", name)
}

/// Fails the build, and says which register it is about.
const fn register_has_two_blocks(name: &str) -> ! {
    panic!("{}", name)
}

impl Limits {
    pub(super) const fn new(
        register: &'static Register,
        condition: Condition,
        is_known: bool,
        rows: &'static [Row],
    ) -> Self {
        let mut limits = Self {
            register,
            condition,
            is_known,
            rows,
            others: u64::MAX,
            reserved: 0,
            has_rules: false,
            asked: condition.asked(),
        };
        // Rows in the order of fields: the next one is that of the field, or it has none.
        let mut next = 0;
        let mut i = 0;
        while i < register.fields.len() {
            let field = &register.fields[i];
            let mut count = 0;
            let mut j = 0;
            while j < rows.len() {
                count += (rows[j].mask == field.mask()) as usize;
                j += 1;
            }
            match count {
                0 if !field.is_reserved() => field_has_no_row(field.name),
                0 => limits.reserved |= field.not_implemented << field.lsb,
                1 if rows[next].mask != field.mask() => field_has_its_row_elsewhere(field.name),
                1 => {
                    limits.others &= !field.mask();
                    limits.has_rules |= rows[next].has_rules();
                    limits.asked = limits.asked.union(rows[next].asked());
                    next += 1;
                }
                _ => field_has_two_rows(field.name),
            }
            i += 1;
        }
        limits
    }

    /// What [`KVM_ARM_GET_REG_WRITABLE_MASKS`](srctree/Documentation/virt/kvm/api.rst) says.
    pub(super) const fn published(&self) -> u64 {
        // What userspace has always been told, with reserved bits.
        if self.condition.all.contains(Fact::AARCH32) {
            return u32::MAX as u64;
        }
        let mut mask = 0;
        let mut i = 0;
        while i < self.rows.len() {
            if !self.rows[i].policy.fixed {
                mask |= self.rows[i].mask;
            }
            i += 1;
        }
        mask
    }
}

/// All registers by their index: those of the table, and the unallocated ones, denied as a whole.
pub(super) const fn by_index(table: &[Limits]) -> [Limits; NUM_REGISTERS] {
    const DENIED: Limits = Limits::new(&UNALLOCATED[0], Condition::ALWAYS, false, &[]);
    let mut all = [DENIED; NUM_REGISTERS];
    let mut i = 0;
    while i < UNALLOCATED.len() {
        all[index(&UNALLOCATED[i])].register = &UNALLOCATED[i];
        i += 1;
    }
    let mut seen = [false; NUM_REGISTERS];
    let mut i = 0;
    while i < table.len() {
        let place = index(table[i].register);
        if seen[place] {
            register_has_two_blocks(table[i].register.name);
        }
        seen[place] = true;
        all[place] = table[i];
        i += 1;
    }
    let mut i = 0;
    while i < REGISTERS.len() {
        if !seen[index(&REGISTERS[i])] {
            register_has_no_block(REGISTERS[i].name);
        }
        i += 1;
    }
    all
}
