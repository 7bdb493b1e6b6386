// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where two models differ.

use std::collections::BTreeSet;

use crate::{
    facts::{self, Field, Order},
    model::Model,
    place::Place,
};

/// A field that differs; none is what a model doesn't say.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Difference {
    pub place: Place,
    pub field: Field,
    pub values: [Option<u64>; 2],
}

impl Difference {
    /// Which of the two promises more, if they compare.
    pub fn more(&self) -> Option<usize> {
        let [Some(a), Some(b)] = self.values else {
            return None;
        };
        let is_less = self.field.rank(a) < self.field.rank(b);
        match self.field.order {
            Order::LowerSafe => Some(usize::from(is_less)),
            Order::HigherSafe => Some(usize::from(!is_less)),
            _ => None,
        }
    }
}

/// All fields that differ. A field that one of them doesn't say counts if the other has it.
pub fn diff(a: &Model, b: &Model) -> Vec<Difference> {
    let places: BTreeSet<_> = a.words.keys().chain(b.words.keys()).copied().collect();
    let all = places.into_iter().flat_map(|place| {
        facts::fields(place)
            .into_iter()
            .map(move |field| (place, field))
    });
    let difference = |(place, field)| {
        let values = [a, b].map(|model| model.get(place, &field));
        let differ = match values {
            [Some(a), Some(b)] => a != b,
            [one, other] => one.or(other).is_some_and(|value| value != 0),
        };
        differ.then_some(Difference {
            place,
            field,
            values,
        })
    };
    all.filter_map(difference).collect()
}
