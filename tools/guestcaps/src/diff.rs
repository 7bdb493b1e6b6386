// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where two models differ.

use std::collections::BTreeSet;

use crate::{
    facts::{self, Field, Order},
    model::{Model, Word},
    offer::Feature,
    place::Place,
};

/// A field that differs.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Difference {
    pub place: Place,
    pub field: Field,
    /// What each says of it, shifted down; the masks have the bits that they say.
    pub values: [Word; 2],
}

impl Difference {
    /// Which of the two promises more, if they compare.
    pub fn more(&self) -> Option<usize> {
        let [a, b] = self.values;
        let is_less = self.field.rank(a.value) < self.field.rank(b.value);
        match self.field.order {
            _ if a.mask & b.mask != self.field.max() => None,
            Order::LowerSafe => Some(usize::from(is_less)),
            Order::HigherSafe => Some(usize::from(!is_less)),
            _ => None,
        }
    }
}

/// All fields that differ. Bits that one of them doesn't say count if the other has them.
pub fn diff(a: &Model, b: &Model) -> Vec<Difference> {
    let places: BTreeSet<_> = a.words.keys().chain(b.words.keys()).copied().collect();
    let all = places.into_iter().flat_map(|place| {
        facts::fields(place)
            .into_iter()
            .map(move |field| (place, field))
    });
    let difference = |(place, field): (Place, Field)| {
        let values = [a, b].map(|model| {
            let word = model.words.get(&place).copied().unwrap_or_default();
            Word {
                mask: field.get(word.mask),
                value: field.get(word.value & word.mask),
            }
        });
        let [of_a, of_b] = values;
        (of_a.value != of_b.value).then_some(Difference {
            place,
            field,
            values,
        })
    };
    all.filter_map(difference).collect()
}

/// What their VMs are configured with, if that is said, and differs.
pub fn vm(a: &Model, b: &Model) -> Option<[Vec<Feature>; 2]> {
    let said = a.vm.is_some() || b.vm.is_some();
    let [of_a, of_b] = [a, b].map(Model::wanted_vm);
    let differ = !a.lacking(&of_b).is_empty() || !b.lacking(&of_a).is_empty();
    (said && differ).then_some([of_a, of_b])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    #[test]
    fn bits_of_a_field() {
        let model = |text: &str| read::model("m", text.as_bytes()).unwrap();
        let differ = |a, b| {
            let found = diff(&model(a), &model(b));
            found.iter().map(|one| one.field.name).collect::<Vec<_>>()
        };
        let [one, none] = ["ID_AA64ISAR0_EL1 10/10", "ID_AA64ISAR0_EL1 0/10"];
        assert_eq!(differ(one, none), ["AES"]);
        assert_eq!(differ(one, "ID_AA64ISAR0_EL1 0/20"), ["AES"]);
        assert_eq!(differ(one, "ID_AA64ISAR0_EL1 10"), [""; 0]);
        assert_eq!(differ(none, "ID_AA64ISAR0_EL1 0/20"), [""; 0]);
    }

    #[test]
    fn what_vms_are_configured_with() {
        let model = |vm: &str| {
            let text =
                format!(r#"{{{vm} "registers": {{"ID_AA64PFR0_EL1": "0000000100000000"}}}}"#);
            read::model("m", text.as_bytes()).unwrap()
        };
        let [silent, sve, pmu] = ["", r#""vm": ["sve"],"#, r#""vm": ["pmu", "sve"],"#].map(model);
        assert_eq!(vm(&silent, &sve), None);
        assert_eq!(vm(&sve, &pmu), Some([sve.wanted_vm(), pmu.wanted_vm()]));
    }
}
