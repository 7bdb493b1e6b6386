// SPDX-License-Identifier: GPL-2.0

//! What rows mean, field by field and in signed numbers, as plainly as it can be said.

use super::*;

/// The number that a value stands for.
pub(super) fn number(row: &Row, value: u64) -> i64 {
    let field = row.field;
    if field.kind == Kind::Signed || row.policy.signed {
        let unused = u64::BITS - 1 - (field.msb - field.lsb);
        (value << unused) as i64 >> unused
    } else {
        value as i64
    }
}

fn holds(condition: &Condition, flags: u32) -> bool {
    let [all, none] = [condition.all, condition.none].map(u32::from);
    flags & all == all && flags & none == 0
}

/// A field of a VM: what is there, by its flags, with those that are derived.
pub(super) struct Reference {
    pub(super) limits: &'static Limits,
    pub(super) row: &'static Row,
    pub(super) flags: u32,
    pub(super) host: u64,
}

impl Reference {
    pub(super) fn is_there(&self) -> bool {
        holds(&self.limits.condition, self.flags)
    }

    pub(super) fn bound(&self) -> Bound {
        let policy = self.row.policy;
        let of = |bound: Option<Bound>, fact| bound.filter(|_| self.flags & flags(&[fact]) != 0);
        of(policy.protected, PROTECTED)
            .or(of(policy.nested, EL2))
            .unwrap_or(policy.bound)
    }

    /// The value that the VM starts with.
    pub(super) fn limit(&self) -> u64 {
        if !self.is_there() {
            return 0;
        }
        let Self { row, host, .. } = *self;
        let none = row.field.not_implemented;
        let bound = self.bound();
        let mut value = match bound.verb {
            Verb::AtMost(limit) if number(row, host) <= number(row, limit.into()) => host,
            Verb::AtMost(limit) => match row.policy.order {
                Order::Exact(safe) => safe.into(),
                _ => limit.into(),
            },
            Verb::Force(value) => value.into(),
            Verb::Denied => none,
            Verb::Zero => 0,
        };
        for instead in bound.overrides.into_iter().flatten() {
            if holds(&instead.condition, self.flags) {
                value = instead.value.map_or(none, u64::from);
            }
        }
        value
    }

    /// Whether KVM once handed out a value; then what is meant by it.
    pub(super) fn meant(&self, value: u64) -> u64 {
        let Some(once) = self.bound().once else {
            return value;
        };
        let is_it = match once.value {
            Old::Value(handed_out) => value == handed_out.into(),
            Old::Host => value == self.host,
            Old::Above => {
                let [value, limit, host] =
                    [value, self.limit(), self.host].map(|value| number(self.row, value));
                (limit + 1..=host).contains(&value)
            }
        };
        let is_host = once.host.is_none() || once.host.map(u64::from) == Some(self.host);
        if is_it && is_host && holds(&once.condition, self.flags) {
            match (once.value, once.host) {
                (Old::Value(_), None) => self.row.field.not_implemented,
                _ => self.limit(),
            }
        } else {
            value
        }
    }

    pub(super) fn is_within(&self, value: u64) -> bool {
        let (row, limit) = (self.row, self.limit());
        let is_less = match row.policy.order {
            Order::LowerSafe => number(row, value) < number(row, limit),
            Order::HigherSafe => number(row, value) > number(row, limit),
            Order::Exact(safe) => value == safe.into(),
        };
        let changes = !self.bound().fixed && !row.field.is_reserved() && self.is_there();
        value == limit || changes && is_less && self.has_meaning(value)
    }

    /// Whether a value has a name, or fields of that kind have values without.
    pub(super) fn has_meaning(&self, value: u64) -> bool {
        let Row { field, policy, .. } = self.row;
        let has_name = |value: u64| field.named >> value & 1 != 0;
        let is_nameless = match (policy.bound.verb, policy.order) {
            (Verb::AtMost(limit), Order::LowerSafe) => !has_name(limit.into()),
            (_, Order::HigherSafe) => true,
            _ => false,
        };
        is_nameless || has_name(value)
    }

    pub(super) fn is_possible(&self, value: u64) -> bool {
        let bound = self.bound();
        let is_enough = bound.least.is_none_or(|least| {
            number(self.row, value) >= number(self.row, least.into())
                || self.row.policy.or.map(u64::from) == Some(value)
        });
        is_enough && (!bound.always || self.is_within(value))
    }

    /// What becomes of a value if the others are as the VM starts with them.
    pub(super) fn verdict(&self, value: u64, has_run: bool) -> Verdict {
        if !self.is_there() && self.limits.condition == facts::vm(AARCH32) {
            return Reads(0);
        }
        let value = self.meant(value);
        if !self.is_possible(value) {
            Refused(Reason::Impossible)
        } else if has_run && value != self.limit() {
            Refused(Reason::HasRun)
        } else if has_run || self.is_within(value) {
            Reads(value)
        } else {
            Refused(Reason::Limit)
        }
    }
}
