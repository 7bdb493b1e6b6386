// SPDX-License-Identifier: GPL-2.0

//! What a row of `limits.rs` can say of a field, and what a register is made of.

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
        NUM_REGISTERS, //
    },
};

/// What bounds a field.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    /// The host's value, at most this one.
    UpTo(u8),
    /// This value, whatever the host has.
    Force(u8),
    /// Not implemented, whatever the host has.
    Denied,
    /// Reserved bits that are zero, and yet published as writable.
    Zero,
}

/// A value instead of what the verb yields, on a condition; not implemented, if it has none.
#[derive(Clone, Copy)]
pub(crate) struct Override {
    pub(crate) condition: Condition,
    pub(crate) value: Option<u8>,
}

/// A value that KVM once handed out, and accepts for that reason.
#[derive(Clone, Copy)]
pub(crate) struct Once {
    /// The value; the host's, if there is none.
    pub(crate) value: Option<u8>,
    /// What the host must have, and what is meant then; else not implemented is meant.
    pub(crate) host: Option<u8>,
    pub(crate) condition: Condition,
}

/// How values of a field compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A lower value promises less.
    LowerSafe,
    /// A higher value promises less.
    HigherSafe,
    /// Values don't compare: this one is always safe, any other only where it is the limit.
    Exact(u8),
}

/// What a policy says of a VM without EL2, or of one with EL2.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) verb: Verb,
    pub(crate) overrides: [Option<Override>; 3],
    /// Judged before it is asked whether the VM has run.
    pub(crate) always: bool,
    /// Userspace can't ask for less.
    pub(crate) least: Option<u8>,
    pub(crate) once: Option<Once>,
}

/// All that KVM says of a field. Values are numbers of the field's own, not yet in their place.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) bound: Bound,
    pub(crate) nested: Option<Bound>,
    pub(crate) order: Order,
    pub(crate) signed: bool,
    /// Userspace can't change it.
    pub(crate) fixed: bool,
    /// Below the least value, this one alone is possible.
    pub(crate) or: Option<u8>,
    /// What it is once the VM has an interrupt controller: the value on a condition, else not
    /// implemented.
    pub(crate) irqchip: Option<(Condition, u8)>,
    /// Why VMs can't have it, if it is denied.
    pub(crate) why: Option<&'static str>,
}

/// A value of a field that KVM has something to say about: none has more than eight bits.
const fn byte(value: u64) -> u8 {
    assert!(value <= u8::MAX as u64, "the field can't hold this value");
    value as u8
}

const fn policy(verb: Verb) -> Policy {
    Policy {
        bound: Bound {
            verb,
            overrides: [None; 3],
            always: false,
            least: None,
            once: None,
        },
        nested: None,
        order: Order::LowerSafe,
        signed: false,
        fixed: false,
        or: None,
        irqchip: None,
        why: None,
    }
}

/// The host's value, but at most this one, as a number of the field's sign.
pub(crate) const fn up_to(value: u64) -> Policy {
    policy(Verb::UpTo(byte(value)))
}

/// This value, whatever the host has.
pub(crate) const fn force(value: u64) -> Policy {
    policy(Verb::Force(byte(value)))
}

/// Not implemented, and userspace can't change that.
pub(crate) const fn denied(why: &'static str) -> Policy {
    let mut policy = policy(Verb::Denied).fixed();
    policy.why = Some(why);
    policy
}

/// Reserved bits that are zero, and yet published as writable.
pub(crate) const fn res0() -> Policy {
    policy(Verb::Zero)
}

impl Policy {
    const fn instead(mut self, condition: Condition, value: Option<u8>) -> Self {
        let mut i = 0;
        while self.bound.overrides[i].is_some() {
            i += 1;
        }
        self.bound.overrides[i] = Some(Override { condition, value });
        self
    }

    /// Only on a condition; else not implemented.
    pub(crate) const fn when(self, condition: Condition) -> Self {
        self.instead(super::facts::not(condition), None)
    }

    /// The limit itself, even if the host has less, on a condition.
    pub(crate) const fn raise_when(self, condition: Condition) -> Self {
        match self.bound.verb {
            Verb::UpTo(limit) => self.instead(condition, Some(limit)),
            _ => panic!("only a limit can be raised"),
        }
    }

    /// This value, whatever the host has, on a condition. Later ones win.
    pub(crate) const fn force_when(self, condition: Condition, value: u64) -> Self {
        self.instead(condition, Some(byte(value)))
    }

    /// Userspace can't change it.
    pub(crate) const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    /// Compared as a signed number, though the description does not say so.
    pub(crate) const fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// A higher value promises less.
    pub(crate) const fn higher_safe(mut self) -> Self {
        self.order = Order::HigherSafe;
        self
    }

    /// Either the limit or this value.
    pub(crate) const fn exact(mut self, safe: u64) -> Self {
        self.order = Order::Exact(byte(safe));
        self
    }

    /// Judged before it is asked whether the VM has run.
    pub(crate) const fn always(mut self) -> Self {
        self.bound.always = true;
        self
    }

    /// Userspace can't go below this value, as a number of the field's sign.
    pub(crate) const fn least(mut self, value: u64) -> Self {
        self.bound.least = Some(byte(value));
        self
    }

    /// Below the least value, this one alone is possible.
    pub(crate) const fn or(mut self, value: u64) -> Self {
        self.or = Some(byte(value));
        self
    }

    const fn once(mut self, once: Once) -> Self {
        self.bound.once = Some(once);
        self
    }

    const fn accepted(&self) -> Once {
        match self.bound.once {
            Some(once) => once,
            None => panic!("no value is ignored"),
        }
    }

    /// A value is accepted, and ignored.
    pub(crate) const fn ignores(self, value: u64) -> Self {
        self.once(Once {
            value: Some(byte(value)),
            host: None,
            condition: Condition::ALWAYS,
        })
    }

    /// The host's value is accepted, and ignored.
    pub(crate) const fn ignores_host(self) -> Self {
        self.once(Once {
            value: None,
            host: None,
            condition: Condition::ALWAYS,
        })
    }

    /// Only where the host has this value, which is what is meant.
    pub(crate) const fn where_host(self, value: u64) -> Self {
        let once = self.accepted();
        self.once(Once {
            host: Some(byte(value)),
            ..once
        })
    }

    /// Only on a condition.
    pub(crate) const fn provided(self, condition: Condition) -> Self {
        let once = self.accepted();
        self.once(Once { condition, ..once })
    }

    /// What KVM sets it to when the VM runs first, and when it gets its interrupt controller: the
    /// value on a condition, else not implemented.
    pub(crate) const fn irqchip(mut self, condition: Condition, value: u64) -> Self {
        self.irqchip = Some((condition, byte(value)));
        self
    }

    /// What bounds it if the VM has EL2, instead of all that the row says but its order.
    pub(crate) const fn nested(mut self, other: Self) -> Self {
        assert!(
            matches!(other.order, Order::LowerSafe)
                && !(other.signed || other.fixed)
                && other.or.is_none()
                && other.irqchip.is_none(),
            "order and the like are said once, for both"
        );
        self.nested = Some(other.bound);
        self
    }
}

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
        if let Some((_, value)) = policy.irqchip {
            fits_one(field, Some(value));
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
        Verb::UpTo(value) => {
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
            asked: Flags::empty(),
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
