// SPDX-License-Identifier: GPL-2.0

//! What KVM can say of a field: the verbs of `limits.rs`.

use super::{
    cpufeature::{
        Field,
        Register,
        SysReg, //
    },
    facts::{
        not,
        Condition, //
    },
};

/// Why KVM can virtualize what a row allows. `tests/c.rs` holds it against what the rest of
/// KVM says.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    /// The CPU does it: nothing is to be enabled, switched or emulated, and nothing traps. Denied,
    /// it is usable all the same.
    DataPath,
    /// As `DataPath`, but KVM can trap its instructions, and does where the VM does not have it and
    /// the host has fine-grained traps.
    Trapped,
    /// Control bits of registers that are the guest's own: KVM switches these as they are. Denied,
    /// it is usable all the same.
    Own(&'static [SysReg]),
    /// No more than a number to the VM: it is about exception levels, a security state or caches
    /// that the VM does not have or that KVM looks after.
    Inert,
    /// KVM has a part in it.
    Virtual(Virtual),
}

/// What KVM does for a field.
#[derive(Clone, Copy)]
pub(crate) struct Virtual {
    /// Bits that it sets in a control register of EL2's.
    pub(crate) enables: Option<(&'static Register, u64)>,
    /// Registers that it switches, or emulates.
    pub(crate) state: &'static [SysReg],
    /// The function that does in software what the field promises.
    pub(crate) mirrored: Option<&'static str>,
}

impl Virtual {
    const NOTHING: Self = Self {
        enables: None,
        state: &[],
        mirrored: None,
    };
}

/// KVM sets bits in a control register of EL2's: `HCR_EL2` or `HCRX_EL2`.
pub(crate) const fn enables(register: &'static Register, bits: u64) -> Class {
    Class::Virtual(Virtual {
        enables: Some((register, bits)),
        ..Virtual::NOTHING
    })
}

/// KVM switches or emulates registers.
pub(crate) const fn state(registers: &'static [SysReg]) -> Class {
    Class::Virtual(Virtual {
        state: registers,
        ..Virtual::NOTHING
    })
}

/// KVM does in software what the field promises, in a function of that name.
pub(crate) const fn mirrored(function: &'static str) -> Class {
    Class::Virtual(Virtual {
        mirrored: Some(function),
        ..Virtual::NOTHING
    })
}

impl Class {
    /// What KVM does for either.
    pub(crate) const fn and(self, other: Self) -> Self {
        let (Self::Virtual(this), Self::Virtual(other)) = (self, other) else {
            panic!("only what KVM does can be more than one thing");
        };
        Self::Virtual(Virtual {
            enables: match this.enables {
                Some(_) => this.enables,
                None => other.enables,
            },
            state: if this.state.is_empty() {
                other.state
            } else {
                this.state
            },
            mirrored: match this.mirrored {
                Some(_) => this.mirrored,
                None => other.mirrored,
            },
        })
    }

    /// What it is called, for people and for scripts.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::DataPath => "data-path",
            Self::Trapped => "trapped",
            Self::Own(_) => "own",
            Self::Inert => "inert",
            Self::Virtual(_) => "virtual",
        }
    }
}

/// What bounds a field.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    /// The host's value, at most this one.
    AtMost(u8),
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
    pub(crate) value: Old,
    /// What the host must have.
    pub(crate) host: Option<u8>,
    pub(crate) condition: Condition,
    /// The field that must be what the host has, too.
    pub(crate) beside: Option<&'static Field>,
}

/// Which value that is, and what is meant by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Old {
    /// This one: not implemented is meant, or the limit if only some hosts had it.
    Value(u8),
    /// What the host has: the limit is meant.
    Host,
    /// All above the limit that the host has: the limit is meant.
    Above,
}

/// Where a field has a value, or a higher one, another field has at least one of its own.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    /// The lowest value that needs the other field.
    pub(crate) value: u64,
    /// The register of the other field.
    pub(crate) register: &'static Register,
    /// The other field.
    pub(crate) field: &'static Field,
    /// The least that is needed of it.
    pub(crate) least: u64,
    /// In which VMs.
    pub(crate) condition: Condition,
    /// What KVM does if it is not so.
    pub(crate) lacking: Lacking,
}

impl Need {
    /// From a value on, the field of a register must have at least another one.
    pub(crate) const fn new(
        value: u64,
        register: &'static Register,
        field: &'static Field,
        least: u64,
    ) -> Self {
        Self {
            value,
            register,
            field,
            least,
            condition: Condition::ALWAYS,
            lacking: Lacking::Cut,
        }
    }

    /// The highest value of the row's field that doesn't need the other one.
    pub(crate) fn highest_without(&self, field: &Field) -> u64 {
        let mut below = (0..self.value).rev();
        let value = below.find(|value| field.named.wrapping_shr(*value as u32) & 1 != 0);
        value.unwrap_or(field.not_implemented)
    }

    /// Only in some VMs.
    pub(crate) const fn when(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// KVM doesn't virtualize the field without.
    pub(crate) const fn clears(mut self) -> Self {
        self.lacking = Lacking::Cleared;
        self
    }

    /// There are machines where it is not so: it is told, and left.
    pub(crate) const fn told(mut self) -> Self {
        self.lacking = Lacking::Told;
        self
    }
}

/// What KVM does about a field that lacks what it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// No VM starts with it.
    Cut,
    /// As `Cut`; and it is cleared when the VM runs first, as KVM doesn't virtualize one without
    /// the other.
    Cleared,
    /// Nothing: there are machines like that.
    Told,
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

/// What a policy says of a VM without EL2, of one with EL2, or of a protected one.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) verb: Verb,
    /// Why KVM can virtualize that; nothing, if there is nothing to virtualize.
    pub(crate) class: Option<Class>,
    pub(crate) overrides: [Option<Override>; 3],
    /// Judged before it is asked whether the VM has run.
    pub(crate) always: bool,
    /// Userspace can't ask for less.
    pub(crate) least: Option<u8>,
    /// Userspace can't change it.
    pub(crate) fixed: bool,
    pub(crate) once: Option<Once>,
}

/// Why KVM can't keep VMs from something.
#[derive(Clone, Copy)]
pub(crate) struct Untrappable {
    pub(crate) why: &'static str,
    pub(crate) condition: Condition,
    /// The least `ID_AA64MMFR0_EL1.FGT` of a host where KVM can; none does, if there is none.
    pub(crate) fgt: Option<u64>,
}

/// All that KVM says of a field. Values are numbers of the field's own, not yet in their place.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) bound: Bound,
    pub(crate) nested: Option<Bound>,
    pub(crate) protected: Option<Bound>,
    pub(crate) order: Order,
    pub(crate) signed: bool,
    /// Below the least value, this one alone is possible.
    pub(crate) or: Option<u8>,
    /// What it is once the VM has an interrupt controller: the value on a condition, else not
    /// implemented.
    pub(crate) irqchip: Option<(Condition, u8)>,
    /// Why VMs can't have it, if it is denied.
    pub(crate) why: Option<&'static str>,
    /// What it implies of other fields.
    pub(crate) needs: &'static [Need],
    /// Why VMs can use it all the same where it is denied, or where userspace asked for less.
    pub(crate) untrappable: Option<Untrappable>,
}

/// A value of a field that KVM has something to say about: none has more than eight bits.
const fn byte(value: u64) -> u8 {
    assert!(value <= u8::MAX as u64, "the field can't hold this value");
    value as u8
}

const fn policy(verb: Verb, class: Option<Class>) -> Policy {
    Policy {
        bound: Bound {
            verb,
            class,
            overrides: [None; 3],
            always: false,
            least: None,
            fixed: false,
            once: None,
        },
        nested: None,
        protected: None,
        order: Order::LowerSafe,
        signed: false,
        or: None,
        irqchip: None,
        why: None,
        needs: &[],
        untrappable: None,
    }
}

/// The host's value, but at most this one, as a number of the field's sign, and why KVM can
/// virtualize that.
pub(crate) const fn up_to(value: u64, class: Class) -> Policy {
    policy(Verb::AtMost(byte(value)), Some(class))
}

/// This value, whatever the host has.
pub(crate) const fn force(value: u64, class: Class) -> Policy {
    policy(Verb::Force(byte(value)), Some(class))
}

/// As `up_to()` in a protected VM, of which what the row says holds as well.
pub(crate) const fn at_most(value: u64) -> Policy {
    policy(Verb::AtMost(byte(value)), None)
}

/// As `force()` in a protected VM, of which what the row says holds as well.
pub(crate) const fn exactly(value: u64) -> Policy {
    policy(Verb::Force(byte(value)), None)
}

/// Not implemented, and userspace can't change that.
pub(crate) const fn denied(why: &'static str) -> Policy {
    let mut policy = policy(Verb::Denied, None).fixed();
    policy.why = Some(why);
    policy
}

/// Reserved bits that are zero, and yet published as writable.
pub(crate) const fn res0() -> Policy {
    policy(Verb::Zero, None)
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
        self.instead(not(condition), None)
    }

    /// The limit itself, even if the host has less, on a condition.
    pub(crate) const fn raise_when(self, condition: Condition) -> Self {
        match self.bound.verb {
            Verb::AtMost(limit) => self.instead(condition, Some(limit)),
            _ => panic!("only a limit can be raised"),
        }
    }

    /// This value, whatever the host has, on a condition. Later ones win.
    pub(crate) const fn force_when(self, condition: Condition, value: u64) -> Self {
        self.instead(condition, Some(byte(value)))
    }

    /// Where it is denied, or userspace asked for less, VMs can use it all the same: why no trap
    /// and no control bit can keep them from it.
    pub(crate) const fn untrappable(self, why: &'static str) -> Self {
        self.untrappable_when(Condition::ALWAYS, why)
    }

    /// The same on a condition.
    pub(crate) const fn untrappable_when(
        mut self,
        condition: Condition,
        why: &'static str,
    ) -> Self {
        self.untrappable = Some(Untrappable {
            why,
            condition,
            fgt: None,
        });
        self
    }

    /// The same where the host's fine-grained traps are less than that.
    pub(crate) const fn untrappable_below(mut self, fgt: u64, why: &'static str) -> Self {
        self.untrappable = Some(Untrappable {
            why,
            condition: Condition::ALWAYS,
            fgt: Some(fgt),
        });
        self
    }

    /// What it implies of other fields.
    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// Userspace can't change it.
    pub(crate) const fn fixed(mut self) -> Self {
        self.bound.fixed = true;
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

    const fn accepts(mut self, value: Old) -> Self {
        self.bound.once = Some(Once {
            value,
            host: None,
            condition: Condition::ALWAYS,
            beside: None,
        });
        self
    }

    const fn accepted(&mut self) -> &mut Once {
        match &mut self.bound.once {
            Some(once) => once,
            None => panic!("no value is ignored"),
        }
    }

    /// A value is accepted, and ignored.
    pub(crate) const fn ignores(self, value: u64) -> Self {
        self.accepts(Old::Value(byte(value)))
    }

    /// The host's value is accepted, and ignored.
    pub(crate) const fn ignores_host(self) -> Self {
        self.accepts(Old::Host)
    }

    /// As much as the host has is accepted, and cut to the limit.
    pub(crate) const fn cuts(self) -> Self {
        self.accepts(Old::Above)
    }

    /// Only where the host has this value, and then the limit is meant.
    pub(crate) const fn where_host(mut self, value: u64) -> Self {
        self.accepted().host = Some(byte(value));
        self
    }

    /// Only on a condition.
    pub(crate) const fn provided(mut self, condition: Condition) -> Self {
        self.accepted().condition = condition;
        self
    }

    /// Only together with what the host has in another field of the register.
    pub(crate) const fn beside(mut self, field: &'static Field) -> Self {
        self.accepted().beside = Some(field);
        self
    }

    /// What KVM sets it to when the VM runs first, and when it gets its interrupt controller: the
    /// value on a condition, else not implemented.
    pub(crate) const fn irqchip(mut self, condition: Condition, value: u64) -> Self {
        self.irqchip = Some((condition, byte(value)));
        self
    }

    /// What bounds it if the VM has EL2, instead of all that the row says but its order.
    pub(crate) const fn nested(mut self, other: Self) -> Self {
        self.nested = Some(other.only_bound());
        self
    }

    /// What bounds it in a protected VM, likewise.
    pub(crate) const fn protected(mut self, other: Self) -> Self {
        self.protected = Some(other.only_bound());
        self
    }

    /// Not implemented in a protected VM.
    pub(crate) const fn unprotected(self) -> Self {
        self.protected(policy(Verb::Denied, None))
    }

    const fn only_bound(self) -> Bound {
        assert!(
            matches!(self.order, Order::LowerSafe)
                && !self.signed
                && self.or.is_none()
                && self.needs.is_empty()
                && self.irqchip.is_none(),
            "order and the like are said once, for all VMs"
        );
        self.bound
    }
}
