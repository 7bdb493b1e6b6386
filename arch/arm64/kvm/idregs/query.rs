// SPDX-License-Identifier: GPL-2.0

//! What userspace is told of fields when it asks first: `KVM_GUEST_CAPS`.

use super::{
    check::Reason,
    cpufeature::{
        Field,
        Register, //
    },
    facts::Facts,
    policy::{
        Lacking,
        Need, //
    },
    row::{
        sign,
        Row, //
    },
    view::View,
    vm::VmRegister, //
};

/// What becomes of a value that userspace asks for.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// The VM gets it.
    Taken,
    /// It is taken for another one.
    Adjusted,
    /// The register ignores writes.
    Ignored,
    /// It is refused.
    Refused(Reason),
    /// It implies another field, which the VM lacks.
    Lacks(&'static Need),
}

/// What is told of a field. Values are numbers of its own, not in their place.
pub(crate) struct Answer {
    pub(crate) register: &'static Register,
    pub(crate) view: View,
    /// Whether guests can use what the host has, whatever the field says.
    pub(crate) is_usable: bool,
    /// The value's highest bit, if it is signed.
    pub(crate) sign: u64,
    /// The lowest and the highest value that the VM can have, by that sign.
    pub(crate) range: (u64, u64),
    /// Each value that it can have, as a bit, if the field has no more than six.
    pub(crate) possible: u64,
    pub(crate) verdict: Verdict,
    /// What is stored of the view's value, or else the next one that can be.
    pub(crate) nearest: u64,
}

/// No row has values of more bits; see `policy.rs`.
const MAX_VALUE: u64 = u8::MAX as u64;

impl Answer {
    fn new(register: &VmRegister<'_>, field: &'static Field, word: u64, now: Option<u64>) -> Self {
        let row = register.row(field);
        let view = View::new(register, field, word);
        let sign = row.map_or(sign(field), |row| row.sign);
        let sign = field.get(sign);
        let judge = |value| register.judge(field, row, field.put(word, value), now);
        let judged = judge(view.value);
        let mut answer = Self {
            register: register.limits.register,
            is_usable: register.is_there() && row.is_some_and(|row| row.is_usable(&register.facts)),
            sign,
            range: (view.limit, view.limit),
            possible: 0,
            verdict: Verdict::new(register, judged, view.value),
            nearest: now.map_or(view.limit, |now| field.get(now)),
            view,
        };
        if field.max() <= MAX_VALUE {
            let (mut lowest, mut highest) = (u64::MAX, 0);
            let asked = answer.view.value ^ sign;
            for value in (0..=field.max()).filter(|value| judge(*value) == Ok(*value)) {
                let ranked = value ^ sign;
                lowest = lowest.min(ranked);
                highest = highest.max(ranked);
                if field.max() < u64::BITS.into() {
                    answer.possible |= 1u64.wrapping_shl(value as u32);
                }
                if ranked.abs_diff(asked) < (answer.nearest ^ sign).abs_diff(asked) {
                    answer.nearest = value;
                }
            }
            if lowest <= highest {
                answer.range = (lowest ^ sign, highest ^ sign);
            }
        }
        if let Ok(value) = judged {
            answer.nearest = value;
        }
        answer
    }

    /// All fields of a register that holds `word`, from the highest to the lowest.
    pub(crate) fn list(index: usize, facts: &Facts<'_>, word: u64, mut tell: impl FnMut(Self)) {
        let Some(register) = VmRegister::new(index, facts) else {
            return;
        };
        for field in register.limits.register.fields {
            tell(Self::new(&register, field, word, None));
        }
    }

    /// Those fields of a register that would not hold what `word` asks of them; `now` is what the
    /// register holds, if the VM has run. The result is what it would hold, and `word` where that
    /// is refused.
    pub(crate) fn check(
        index: usize,
        facts: &Facts<'_>,
        word: u64,
        now: Option<u64>,
        mut tell: impl FnMut(Self),
    ) -> u64 {
        let Some(register) = VmRegister::new(index, facts) else {
            return word;
        };
        // Most registers are taken as they are, and then each of their fields is.
        if register.check(word, now) == Ok(word) {
            return word;
        }
        let mut stored = word;
        for field in register.limits.register.fields {
            let value = field.get(word);
            match register.judge(field, register.row(field), word, now) {
                Ok(taken) if taken == value => continue,
                Ok(taken) => stored = field.put(stored, taken),
                Err(_) => (),
            }
            tell(Self::new(&register, field, word, now));
        }
        stored
    }

    /// The field with a bit, which is to blame for what becomes of `word`.
    pub(crate) fn blamed(
        index: usize,
        bit: u32,
        verdict: Verdict,
        facts: &Facts<'_>,
        word: u64,
    ) -> Option<Self> {
        let register = VmRegister::new(index, facts)?;
        let field = register.field(bit)?;
        let answer = Self::new(&register, field, word, None);
        let nearest = match verdict {
            Verdict::Lacks(need) if need.lacking == Lacking::Cleared => need.highest_without(field),
            _ => answer.nearest,
        };
        Some(Self {
            verdict,
            nearest,
            ..answer
        })
    }
}

impl Verdict {
    fn new(register: &VmRegister<'_>, judged: Result<u64, Reason>, asked: u64) -> Self {
        match judged {
            Err(reason) => Self::Refused(reason),
            Ok(value) if value == asked => Self::Taken,
            Ok(_) if register.ignores_writes() => Self::Ignored,
            Ok(_) => Self::Adjusted,
        }
    }
}

impl VmRegister<'_> {
    /// Judges the value that a word has of a field, by itself, as [`check`](Self::check) does: the
    /// one to store, or why it is refused.
    fn judge(
        &self,
        field: &Field,
        row: Option<&Row>,
        word: u64,
        now: Option<u64>,
    ) -> Result<u64, Reason> {
        if self.ignores_writes() {
            return Ok(0);
        }
        let word = match row {
            Some(row) => row
                .meant(word, word, self)
                .map_err(|refusal| refusal.reason)?,
            None => word,
        };
        let value = field.get(word);
        let is_limit = value == field.get(self.limit);
        match (now, row) {
            (Some(now), _) if value != field.get(now) => Err(Reason::HasRun),
            (None, Some(row))
                if self.is_there() && row.is_within(word, self.limit, &self.facts) =>
            {
                Ok(value)
            }
            (None, _) if !is_limit => Err(Reason::Limit),
            _ => Ok(value),
        }
    }
}
