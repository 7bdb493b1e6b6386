// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether a model fits, field by field.

use crate::{
    document::Prop,
    facts::{self, Field},
    model::Model,
    offer::Offer,
    place::Place,
};

/// What becomes of what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// KVM refuses it.
    Refused,
    /// It is taken for another value.
    Adjusted,
    /// The register ignores writes.
    Ignored,
    /// Guests see it, and can't use it.
    Withheld,
    /// The calling process may not use it.
    Forbidden,
    /// It is taken, and breaks a rule between fields.
    Needs,
    /// The same, and it is cleared when the VM runs first.
    Cleared,
    /// The VM has run, and keeps what it has.
    HasRun,
    /// A later kernel's.
    Other,
}

impl Verdict {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Adjusted => "adjusted",
            Self::Ignored => "ignored",
            Self::Withheld => "withheld",
            Self::Forbidden => "forbidden",
            Self::Needs => "needs",
            Self::Cleared => "cleared",
            Self::HasRun => "has-run",
            Self::Other => "unknown",
        }
    }
}

/// Something that is not as the model wants it.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct Finding {
    pub place: Place,
    pub field: Field,
    pub wanted: u64,
    /// What fits; none if nothing has to change.
    pub take: Option<u64>,
    pub verdict: Verdict,
    /// What can be, in words.
    pub range: String,
    /// Why, in words.
    pub why: String,
    pub offer: Option<Offer>,
}

impl Finding {
    /// Whether the guest would not get what the model says.
    pub const fn is_misfit(&self) -> bool {
        self.take.is_some()
    }

    /// For programs.
    pub fn prop(&self) -> Prop {
        let mut prop = match &self.offer {
            Some(offer) => Prop::from(offer),
            None => Prop::new(self.place, &self.field),
        };
        prop.value = None;
        prop.wanted = Some(self.wanted);
        prop.verdict = Some(self.verdict.name().into());
        prop.take = self.take;
        prop.blockers = vec![self.why.clone()];
        prop
    }
}

/// The fields of a model that don't fit what a host offers. What the model leaves open is as the host
/// has it; of words that the host doesn't speak of, nothing is said.
pub fn check(model: &Model, offers: &[Offer]) -> Vec<Finding> {
    let misfit = |offer: &Offer| {
        let word = model.words.get(&offer.place)?;
        let wanted = offer.field.get(word.over(offer.field.put(0, offer.value)));
        let asks = model.asks(offer.place, &offer.field);
        (asks && !offer.can(wanted)).then(|| Finding {
            place: offer.place,
            field: offer.field,
            wanted,
            take: Some(offer.nearest(wanted)),
            verdict: if facts::is_judged(offer.place) {
                Verdict::Withheld
            } else {
                Verdict::Refused
            },
            range: offer.range(),
            why: offer.why(wanted),
            offer: Some(offer.clone()),
        })
    };
    offers.iter().filter_map(misfit).collect()
}

/// The model with what fits in the place of what does not.
pub fn nearest(model: &Model, findings: &[Finding]) -> Model {
    let mut nearest = model.clone();
    for finding in findings {
        if let Some(take) = finding.take {
            nearest.put(finding.place, &finding.field, take);
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{offer::Rule, read};

    fn host() -> Vec<Offer> {
        let place = Place::named("ID_AA64ISAR0_EL1").unwrap();
        let offer = |lsb: u8, rule, highest| {
            let field = facts::field(place, lsb, 4);
            Offer {
                highest,
                lowest: 0,
                host: Some(2),
                ..Offer::only(place, field, rule, highest)
            }
        };
        vec![
            offer(4, Rule::LowerSafe, 2),
            offer(40, Rule::LowerSafe, 1),
            offer(24, Rule::Denied, 0),
        ]
    }

    #[test]
    fn only_what_is_asked_for_is_judged() {
        let model = read::model("m", b"ID_AA64ISAR0_EL1 20\n").unwrap();
        assert_eq!(check(&model, &host()), []);
        let model = read::model("m", b"ID_AA64ISAR0_EL1 030000000000/0f0000000000\n").unwrap();
        let found = check(&model, &host());
        let said: Vec<_> = found
            .iter()
            .map(|f| (f.field.name, f.wanted, f.take, f.why.as_str()))
            .collect();
        assert_eq!(said, [("SM4", 3, Some(1), "KVM has no more, the host 0x2")]);
        assert_eq!(check(&nearest(&model, &found), &host()), []);
        // A bit of a field is asked for: the others are the host's.
        let model = read::model("m", b"ID_AA64ISAR0_EL1 10/10\n").unwrap();
        let found = check(&model, &host());
        assert_eq!(
            found.iter().map(|f| (f.wanted, f.take)).collect::<Vec<_>>(),
            [(3, Some(2))]
        );
    }
}
