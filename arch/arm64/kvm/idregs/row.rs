// SPDX-License-Identifier: GPL-2.0

//! What a row of `limits.rs` can say, and how rows become words when the kernel is built.

use super::{
    condition::{
        Conditions,
        AARCH32, //
    },
    field::{
        Field,
        Kind,
        Register,
        NUM_REGISTERS, //
    },
    generated,
    order::Order, //
};

/// What bounds a field.
#[derive(Clone, Copy)]
enum Verb {
    /// The host's value, at most this one.
    AtMost,
    /// This value, whatever the host has.
    Force,
}

/// A value instead of what the verb yields, if a condition holds, or doesn't.
#[derive(Clone, Copy)]
struct Override {
    condition: Conditions,
    holds: bool,
    value: u64,
}

/// A value that KVM once handed out, and accepts for that reason.
#[derive(Clone, Copy)]
enum Once {
    /// Nothing of the kind.
    Never,
    /// The host's value: reads as not implemented. Not unless all conditions hold.
    HostValue(Conditions),
    /// One value: reads as not implemented.
    Value(u64),
    /// One value if the host has another: reads as the host's. Not unless all conditions hold.
    Instead(u64, u64, Conditions),
}

/// A row: all that KVM has to say about one field.
///
/// Values are given by the names that `arch/arm64/tools/sysreg` has for them, and as decimal
/// numbers where it has none.
#[derive(Clone, Copy)]
pub(super) struct Row {
    register: usize,
    field: &'static Field,
    bound: Bound,
    nested: Option<Bound>,
    order: Order,
    safe: u64,
    fixed: bool,
    or: Option<u64>,
    irqchip: Option<(Conditions, u64)>,
}

/// What a row says of a VM without EL2, or of one with EL2.
#[derive(Clone, Copy)]
struct Bound {
    verb: Verb,
    value: u64,
    overrides: [Option<Override>; 3],
    always: bool,
    least: Option<u64>,
    once: Once,
}

impl Row {
    /// A row for the field of that name.
    pub(super) const fn new(register: &Register, field: &str) -> Self {
        let Some(field) = register.field(field) else {
            panic!("arch/arm64/tools/sysreg has no such field in this register");
        };
        Self {
            register: register.index(),
            field,
            bound: Bound {
                verb: Verb::AtMost,
                value: field.not_implemented(),
                overrides: [None; 3],
                always: false,
                least: None,
                once: Once::Never,
            },
            nested: None,
            order: Order::LowerSafe,
            safe: 0,
            fixed: false,
            or: None,
            irqchip: None,
        }
    }

    /// The value of a name, or else of a decimal number.
    const fn named(&self, name: &str) -> u64 {
        if let Some(value) = self.field.value(name) {
            return value;
        }
        let digits = name.as_bytes();
        let mut value = 0;
        let mut i = 0;
        while i < digits.len() {
            assert!(
                digits[i].is_ascii_digit(),
                "arch/arm64/tools/sysreg has no such value in this field"
            );
            value = value * 10 + (digits[i] - b'0') as u64;
            i += 1;
        }
        assert!(value <= self.field.max(), "the field can't hold this value");
        value
    }

    /// The host's value, but at most this one, as a number of the field's sign.
    pub(super) const fn up_to(mut self, value: &str) -> Self {
        assert!(!self.field.is_reserved(), "reserved bits have no limit");
        self.bound.verb = Verb::AtMost;
        self.bound.value = self.named(value);
        self
    }

    /// This value, whatever the host has.
    pub(super) const fn force(mut self, value: &str) -> Self {
        assert!(!self.field.is_reserved(), "reserved bits have no values");
        self.bound.verb = Verb::Force;
        self.bound.value = self.named(value);
        self
    }

    /// Reserved bits that are zero, and yet published as writable.
    pub(super) const fn res0(mut self) -> Self {
        assert!(
            matches!(self.field.kind, Kind::Res0 | Kind::Raz),
            "not zero, says arch/arm64/tools/sysreg"
        );
        self.bound.verb = Verb::Force;
        self.bound.value = 0;
        self
    }

    /// Reserved bits that are one.
    pub(super) const fn res1(mut self) -> Self {
        assert!(
            matches!(self.field.kind, Kind::Res1),
            "not one, says arch/arm64/tools/sysreg"
        );
        self.bound.verb = Verb::Force;
        self.bound.value = self.field.max();
        self
    }

    const fn overridden(mut self, condition: Conditions, holds: bool, value: u64) -> Self {
        let mut i = 0;
        while self.bound.overrides[i].is_some() {
            i += 1;
        }
        self.bound.overrides[i] = Some(Override {
            condition,
            holds,
            value,
        });
        self
    }

    /// Only if a condition holds; else not implemented.
    pub(super) const fn when(self, condition: Conditions) -> Self {
        let value = self.field.not_implemented();
        self.overridden(condition, false, value)
    }

    /// Only if a condition holds; else this value, which says less than "not implemented" would.
    pub(super) const fn when_else(self, condition: Conditions, value: &str) -> Self {
        let value = self.named(value);
        self.overridden(condition, false, value)
    }

    /// The limit itself, even if the host has less, if a condition holds.
    pub(super) const fn raise_when(self, condition: Conditions) -> Self {
        let value = self.bound.value;
        self.overridden(condition, true, value)
    }

    /// This value, whatever the host has, if a condition holds.
    pub(super) const fn force_when(self, condition: Conditions, value: &str) -> Self {
        let value = self.named(value);
        self.overridden(condition, true, value)
    }

    /// This value, whatever the host has, unless a condition holds.
    pub(super) const fn force_unless(self, condition: Conditions, value: &str) -> Self {
        let value = self.named(value);
        self.overridden(condition, false, value)
    }

    /// Userspace can't change it.
    pub(super) const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    /// Compared as a signed number, though the description does not say so.
    pub(super) const fn signed(mut self) -> Self {
        self.order = Order::SignedLowerSafe;
        self
    }

    /// A higher value promises less.
    pub(super) const fn higher_safe(mut self) -> Self {
        self.order = Order::HigherSafe;
        self
    }

    /// A higher value promises less, and zero nothing at all.
    pub(super) const fn higher_or_zero_safe(mut self) -> Self {
        self.order = Order::HigherOrZeroSafe;
        self
    }

    /// Either the limit or this value.
    pub(super) const fn exact(mut self, safe: &str) -> Self {
        self.order = Order::Exact;
        self.safe = self.named(safe);
        self
    }

    /// Judged before it is asked whether the VM has run.
    pub(super) const fn always(mut self) -> Self {
        self.bound.always = true;
        self
    }

    /// Userspace can't go below this value, as a number of the field's sign.
    pub(super) const fn least(mut self, value: &str) -> Self {
        self.bound.least = Some(self.named(value));
        self
    }

    /// Below the least value, this one alone is possible.
    pub(super) const fn or(mut self, value: &str) -> Self {
        self.or = Some(self.named(value));
        self
    }

    /// The host's value is accepted, and ignored.
    pub(super) const fn ignores_host(self) -> Self {
        self.ignores_host_if(Conditions::NONE)
    }

    /// The host's value is accepted, and ignored, if a condition holds.
    pub(super) const fn ignores_host_if(mut self, condition: Conditions) -> Self {
        self.bound.once = Once::HostValue(condition);
        self
    }

    /// A value is accepted, and ignored.
    pub(super) const fn ignores(mut self, value: &str) -> Self {
        self.bound.once = Once::Value(self.named(value));
        self
    }

    /// A value is accepted and replaced by the host's, if that is the one given, and all
    /// conditions hold.
    pub(super) const fn ignores_if(
        mut self,
        value: &str,
        host: &str,
        conditions: Conditions,
    ) -> Self {
        self.bound.once = Once::Instead(self.named(value), self.named(host), conditions);
        self
    }

    /// What KVM sets it to when the VM runs first, and when it gets its interrupt controller: the
    /// value if a condition holds, else not implemented.
    pub(super) const fn irqchip(mut self, condition: Conditions, value: &str) -> Self {
        self.irqchip = Some((condition, self.named(value)));
        self
    }

    /// What bounds it if the VM has EL2, instead of all that the row says but its order.
    pub(super) const fn nested(mut self, row: Self) -> Self {
        if let (Verb::AtMost, Verb::AtMost) = (self.bound.verb, row.bound.verb) {
            let sign = self.sign();
            assert!(
                row.bound.value ^ sign <= self.bound.value ^ sign,
                "the limit under nested virtualization is above the plain one"
            );
        }
        assert!(
            matches!(row.order, Order::LowerSafe)
                && !row.fixed
                && row.or.is_none()
                && row.irqchip.is_none(),
            "order and the like are said once, for both"
        );
        self.nested = Some(row.bound);
        self
    }

    /// What bounds it.
    const fn bound(&self, nested: bool) -> &Bound {
        match &self.nested {
            Some(bound) if nested => bound,
            _ => &self.bound,
        }
    }

    /// What turns the field's numbers, shifted down, into unsigned ones.
    const fn sign(&self) -> u64 {
        if matches!(self.field.kind, Kind::Signed) || matches!(self.order, Order::SignedLowerSafe) {
            self.field.top() >> self.field.lsb
        } else {
            0
        }
    }
}

/// All rows of one register, and on what condition the VM has it at all.
pub(super) struct Rows {
    pub(super) register: &'static Register,
    pub(super) condition: Conditions,
    pub(super) rows: &'static [Row],
}

impl Rows {
    /// Whether they are others under nested virtualization.
    const fn has_nested(&self) -> bool {
        let mut i = 0;
        while i < self.rows.len() {
            if self.rows[i].nested.is_some() {
                return true;
            }
            i += 1;
        }
        false
    }
}

/// [`Override`] of the fields of a register that have the same condition, as words.
#[derive(Clone, Copy)]
pub(super) struct Patch {
    pub(super) condition: Conditions,
    pub(super) holds: bool,
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// A rule for a value that KVM once handed out, as words; `value` and `host` may be any value of
/// the host's.
#[derive(Clone, Copy)]
pub(super) struct Compat {
    pub(super) mask: u64,
    pub(super) value: Option<u64>,
    pub(super) host: Option<u64>,
    pub(super) conditions: Conditions,
    pub(super) stored: u64,
}

const MAX_PATCHES: usize = 5;
const MAX_COMPATS: usize = 2;

/// What limits a register: its rows as words.
///
/// `tops` and the like are sets of fields, as `order.rs` has them.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// What the VM must have to have the register; not at all if it lacks one.
    pub(super) needs: Conditions,
    /// All conditions that count.
    pub(super) conditions: Conditions,
    /// Highest bits of all fields, with a row or without: the whole register.
    pub(super) tops: u64,
    /// Their lowest bits.
    pub(super) bottoms: u64,
    /// Whether the table has the register: cpufeature then knows the host's value.
    pub(super) is_listed: bool,
    /// Bits of fields that have a row.
    pub(super) rows: u64,
    /// Bits of fields whose value comes from the host.
    pub(super) from_host: u64,
    /// What makes signed numbers unsigned.
    pub(super) sign: u64,
    /// Their limits.
    pub(super) up_to: u64,
    /// What becomes of a host's value above the limit.
    pub(super) cut: u64,
    /// All other bits.
    pub(super) given: u64,
    /// What overrides that, in this order.
    pub(super) patches: [Patch; MAX_PATCHES],
    /// What turns the order of fields into that of unsigned numbers.
    pub(super) order: u64,
    /// Fields that may go down in that order.
    pub(super) ordered: u64,
    /// Those for which that is up.
    pub(super) higher: u64,
    /// Those that may be zero nevertheless.
    pub(super) or_zero: u64,
    /// Fields that may have the limit, or that of `safe`.
    pub(super) exact: u64,
    pub(super) safe: u64,
    /// Bits that can't be changed.
    pub(super) fixed: u64,
    /// Fields that can't be below `least`, unless they are as in `or`.
    pub(super) minima: u64,
    pub(super) least: u64,
    pub(super) or: u64,
    pub(super) or_fields: u64,
    /// Fields of `exact` judged before it is asked whether the VM has run.
    pub(super) always: u64,
    /// Values that KVM once handed out.
    pub(super) compats: [Compat; MAX_COMPATS],
    /// What KVM sets the register to when the VM runs first.
    pub(super) irqchip: Patch,
    /// What [`KVM_ARM_GET_REG_WRITABLE_MASKS`](srctree/Documentation/virt/kvm/api.rst) says.
    pub(super) writable: u64,
}

impl Limits {
    const PATCH: Patch = Patch {
        condition: Conditions::NONE,
        holds: true,
        mask: 0,
        value: 0,
    };

    /// A register without rows.
    const DENIED: Self = Self {
        needs: Conditions::NONE,
        conditions: Conditions::NONE,
        tops: 0,
        bottoms: 0,
        is_listed: false,
        rows: 0,
        from_host: 0,
        sign: 0,
        up_to: 0,
        cut: 0,
        given: 0,
        patches: [Self::PATCH; MAX_PATCHES],
        order: 0,
        ordered: 0,
        higher: 0,
        or_zero: 0,
        exact: 0,
        safe: 0,
        fixed: u64::MAX,
        minima: 0,
        least: 0,
        or: 0,
        or_fields: 0,
        always: 0,
        compats: [Compat {
            mask: 0,
            value: None,
            host: None,
            conditions: Conditions::NONE,
            stored: 0,
        }; MAX_COMPATS],
        irqchip: Self::PATCH,
        writable: 0,
    };

    /// A register without rows: denied fields are not implemented.
    const fn denied(register: &Register) -> Self {
        let mut limits = Self::DENIED;
        let mut i = 0;
        while i < register.fields.len() {
            let field = &register.fields[i];
            limits.tops |= field.top();
            limits.bottoms |= 1 << field.lsb;
            limits.given |= field.not_implemented() << field.lsb;
            i += 1;
        }
        limits
    }

    const fn add(mut self, row: &Row, bound: &Bound) -> Self {
        let field = row.field;
        let (mask, top, lsb) = (field.mask(), field.top(), field.lsb);
        assert!(self.rows & mask == 0, "the field has a row already");
        self.rows |= mask;
        self.sign |= row.sign() << lsb;
        self.given &= !mask;
        match bound.verb {
            Verb::AtMost => {
                self.from_host |= mask;
                self.up_to |= bound.value << lsb;
                self.cut |= match row.order {
                    Order::Exact => row.safe << lsb,
                    _ => bound.value << lsb,
                };
            }
            Verb::Force => self.given |= bound.value << lsb,
        }
        let mut i = 0;
        while i < bound.overrides.len() {
            if let Some(o) = &bound.overrides[i] {
                self = self.patch(mask, o.condition, o.holds, o.value << lsb);
            }
            i += 1;
        }
        if !row.fixed {
            self.writable |= mask;
            match row.order {
                Order::LowerSafe | Order::SignedLowerSafe => {
                    self.ordered |= top;
                    self.order |= row.sign() << lsb;
                }
                Order::HigherSafe => {
                    self.ordered |= top;
                    self.higher |= top;
                    self.order |= mask ^ (row.sign() << lsb);
                }
                Order::HigherOrZeroSafe => {
                    self.ordered |= top;
                    self.higher |= top;
                    self.or_zero |= top;
                    self.order |= mask;
                }
                Order::Exact => {
                    self.exact |= top;
                    self.safe |= row.safe << lsb;
                    if bound.always {
                        self.always |= top;
                    }
                }
            }
            if !field.is_reserved() {
                self.fixed &= !mask;
            }
        }
        if let Some(least) = bound.least {
            self.minima |= top;
            self.least |= least << lsb;
        }
        if let Some(or) = row.or {
            self.or_fields |= top;
            self.or |= or << lsb;
        }
        let not_implemented = field.not_implemented() << lsb;
        self = match bound.once {
            Once::Never => self,
            Once::HostValue(conditions) => {
                self.compat(mask, None, None, conditions, not_implemented)
            }
            Once::Value(value) => self.compat(
                mask,
                Some(value << lsb),
                None,
                Conditions::NONE,
                not_implemented,
            ),
            Once::Instead(value, host, conditions) => self.compat(
                mask,
                Some(value << lsb),
                Some(host << lsb),
                conditions,
                host << lsb,
            ),
        };
        if let Some((condition, value)) = row.irqchip {
            assert!(self.irqchip.mask == 0, "more than one field in a register");
            self.conditions = self.conditions.with(condition);
            self.irqchip = Patch {
                condition,
                holds: true,
                mask,
                value: value << lsb,
            };
        }
        self
    }

    /// Adds a patch; those of one condition, and of different fields, are one.
    const fn patch(mut self, mask: u64, condition: Conditions, holds: bool, value: u64) -> Self {
        self.conditions = self.conditions.with(condition);
        let mut i = 0;
        // The field's own order counts: go on behind the last one that it has.
        let mut j = 0;
        while j < MAX_PATCHES {
            if self.patches[j].mask & mask != 0 {
                i = j + 1;
            }
            j += 1;
        }
        while self.patches[i].mask != 0
            && (self.patches[i].condition.0 != condition.0 || self.patches[i].holds != holds)
        {
            i += 1;
        }
        self.patches[i] = Patch {
            condition,
            holds,
            mask: self.patches[i].mask | mask,
            value: self.patches[i].value | value,
        };
        self
    }

    const fn compat(
        mut self,
        mask: u64,
        value: Option<u64>,
        host: Option<u64>,
        conditions: Conditions,
        stored: u64,
    ) -> Self {
        self.conditions = self.conditions.with(conditions);
        let mut i = 0;
        while self.compats[i].mask != 0 {
            i += 1;
        }
        self.compats[i] = Compat {
            mask,
            value,
            host,
            conditions,
            stored,
        };
        self
    }
}

/// The limits of all registers.
pub(super) const fn compile(table: &[Rows], nested: bool) -> [Limits; NUM_REGISTERS] {
    let mut all = [Limits::DENIED; NUM_REGISTERS];
    let mut seen = [false; NUM_REGISTERS];
    let mut i = 0;
    while i < NUM_REGISTERS {
        all[i] = Limits::denied(&generated::REGISTERS[i]);
        i += 1;
    }
    let mut i = 0;
    while i < table.len() {
        let Rows {
            register,
            condition,
            rows,
        } = &table[i];
        let index = register.index();
        assert!(!seen[index], "the register has rows already");
        seen[index] = true;
        let mut limits = all[index];
        limits.is_listed = true;
        limits.needs = *condition;
        limits.conditions = *condition;
        let mut j = 0;
        while j < rows.len() {
            let row = &rows[j];
            assert!(row.register == index);
            limits = limits.add(row, row.bound(nested));
            j += 1;
        }
        if condition.has(AARCH32) {
            // What userspace has always been told, with reserved bits.
            limits.writable = u32::MAX as u64;
        }
        all[index] = limits;
        i += 1;
    }
    all
}

/// How many registers have other limits under nested virtualization.
pub(super) const fn count_nested(table: &[Rows]) -> usize {
    let mut count = 0;
    let mut i = 0;
    while i < table.len() {
        count += table[i].has_nested() as usize;
        i += 1;
    }
    count
}

/// Only their limits, in the table's order.
pub(super) const fn compile_nested<const COUNT: usize>(table: &[Rows]) -> [Limits; COUNT] {
    let all = compile(table, true);
    let mut nested = [Limits::DENIED; COUNT];
    let mut count = 0;
    let mut i = 0;
    while i < table.len() {
        if table[i].has_nested() {
            nested[count] = all[table[i].register.index()];
            count += 1;
        }
        i += 1;
    }
    nested
}

/// The limits of all registers by index, from what [`compile`] and [`compile_nested`] return.
pub(super) const fn merge(
    table: &[Rows],
    plain: &'static [Limits; NUM_REGISTERS],
    nested: &'static [Limits],
) -> [&'static Limits; NUM_REGISTERS] {
    let mut all = [&plain[0]; NUM_REGISTERS];
    let mut i = 0;
    while i < NUM_REGISTERS {
        all[i] = &plain[i];
        i += 1;
    }
    let mut count = 0;
    let mut i = 0;
    while i < table.len() && count < nested.len() {
        if table[i].has_nested() {
            all[table[i].register.index()] = &nested[count];
            count += 1;
        }
        i += 1;
    }
    all
}
