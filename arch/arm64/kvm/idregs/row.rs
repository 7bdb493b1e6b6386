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
        Lacking,
        Old,
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
    /// It implies another field, which the VM lacks.
    Needs,
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
            Self::Needs => "needs",
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
    /// Values that mean something, as bits: those with a name, and warnings.
    pub(crate) values: u64,
    /// The field has the host's value, at most that limit, in all VMs of which none of these facts
    /// holds, by their bits; all bits, if it's not that simple in any.
    pub(crate) plain_but: u32,
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
        let sign = if policy.signed {
            1 << field.msb
        } else {
            sign(field)
        };
        let is_signed = sign != 0;
        let mut i = 0;
        while i < policy.needs.len() {
            let need = &policy.needs[i];
            assert!(need.value <= field.max() && need.least <= need.field.max());
            is_given(&need.condition);
            // What is cut is counted down from the value, to less.
            assert!(
                !is_signed && field.not_implemented < need.value
                    || matches!(need.lacking, Lacking::Told)
            );
            i += 1;
        }
        let limit = fits(field, &policy.bound);
        let mut others = 0;
        if let Some(nested) = &policy.nested {
            others |= Fact::EL2 as u32;
            assert!(
                is_within(fits(field, nested), limit, sign >> field.lsb),
                "the limit under nested virtualization is above the plain one"
            );
        }
        if let Some(protected) = &policy.protected {
            others |= Fact::PROTECTED as u32;
            assert!(
                is_within(fits(field, protected), limit, sign >> field.lsb),
                "the limit of protected VMs is above the plain one"
            );
        }
        assert!(
            has_class(&policy.bound)
                && match &policy.nested {
                    Some(nested) => has_class(nested),
                    None => true,
                },
            "why KVM can virtualize it is not said"
        );
        fits_one(field, policy.or);
        if let Order::Exact(safe) = policy.order {
            fits_one(field, Some(safe));
        }
        if let Some((condition, value)) = policy.irqchip {
            fits_one(field, Some(value));
            is_given(&condition);
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
            // Where the limit has no name, description and policy don't agree on what has one.
            values: match (limit, policy.order) {
                (Some(limit), Order::LowerSafe) if field.named >> limit & 1 == 0 => u64::MAX,
                (_, Order::HigherSafe) => u64::MAX,
                _ => field.named,
            },
            plain_but: if limit.is_none()
                || policy.bound.overrides[0].is_some()
                || matches!(policy.order, Order::Exact(_))
            {
                u32::MAX
            } else {
                others
            },
        }
    }

    /// The general rule of what bounds it.
    pub(crate) const fn rule(&self, bound: &Bound) -> Rule {
        match (bound.verb, self.policy.order) {
            (Verb::Zero, _) => Rule::Reserved,
            (Verb::Denied, _) => Rule::Denied,
            _ if bound.fixed => Rule::Fixed,
            (_, Order::LowerSafe) => Rule::LowerSafe,
            (_, Order::HigherSafe) => Rule::HigherSafe,
            (_, Order::Exact(_)) => Rule::Exact,
        }
    }

    /// What bounds it in a VM without EL2, and in one with it.
    const fn bounds(&self) -> [&Bound; 2] {
        let plain = &self.policy.bound;
        match &self.policy.nested {
            Some(nested) => [plain, nested],
            None => [plain, plain],
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
        let mut flags = asked(&self.policy.bound);
        if let Some(nested) = &self.policy.nested {
            flags = flags.union(asked(nested));
        }
        if let Some(protected) = &self.policy.protected {
            flags = flags.union(asked(protected));
        }
        flags
    }

    /// Whether there is more to say of values than what compares with the limit.
    const fn has_rules(&self) -> bool {
        const fn has_rules(bound: &Bound) -> bool {
            bound.always || bound.least.is_some() || bound.once.is_some()
        }
        // Nobody writes to protected VMs.
        match &self.policy.nested {
            Some(nested) if has_rules(nested) => true,
            _ => has_rules(&self.policy.bound),
        }
    }
}

/// Whether it is said why KVM can virtualize what is allowed, if something is.
const fn has_class(bound: &Bound) -> bool {
    bound.class.is_some() || matches!(bound.verb, Verb::Denied | Verb::Zero)
}

/// The highest bit of a field whose values are signed, as the description says.
#[inline(always)]
pub(super) const fn sign(field: &Field) -> u64 {
    match field.kind {
        Kind::Signed => 1u64.wrapping_shl(field.msb),
        _ => 0,
    }
}

/// Fails the build if a condition that is judged after a VM has started asks for what is derived
/// from the host, which isn't known then.
const fn is_given(condition: &Condition) {
    assert!(
        !condition.asked().contains_any(DERIVED),
        "what is derived from the host is known only when a VM starts"
    );
}

const fn fits_one(field: &Field, value: Option<u8>) {
    if let Some(value) = value {
        assert!(
            value as u64 <= field.max(),
            "the field can't hold this value"
        );
    }
}

/// Whether a limit is not above another one, if both are limits.
const fn is_within(limit: Option<u64>, other: Option<u64>, sign: u64) -> bool {
    match (limit, other) {
        (Some(limit), Some(other)) => limit ^ sign <= other ^ sign,
        _ => true,
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
        if let Old::Value(value) = once.value {
            fits_one(field, Some(value));
        }
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
    /// What [`KVM_ARM_GET_REG_WRITABLE_MASKS`](srctree/Documentation/virt/kvm/api.rst) says of it,
    /// of a VM without EL2 and of one with it.
    pub(crate) published: [u64; 2],
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
            published: [0; 2],
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
                    let bounds = rows[next].bounds();
                    let mut k = 0;
                    while k < bounds.len() {
                        if !bounds[k].fixed {
                            limits.published[k] |= field.mask();
                        }
                        k += 1;
                    }
                    next += 1;
                }
                _ => field_has_two_rows(field.name),
            }
            i += 1;
        }
        // What userspace has always been told, with reserved bits; with EL2 they ignore writes.
        if condition.all.contains(Fact::AARCH32) {
            limits.published = [u32::MAX as u64, 0];
        }
        limits
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
