// SPDX-License-Identifier: GPL-2.0

//! What KVM can say of a field: the verbs of `limits.rs`.

use super::facts::{
    not,
    Condition, //
};

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
    policy(Verb::AtMost(byte(value)))
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
