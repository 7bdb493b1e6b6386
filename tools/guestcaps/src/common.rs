// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The largest model that several hosts accept.

use std::collections::BTreeSet;

use crate::{
    facts::{self, Field, Order},
    model::{Model, Source},
    offer::{Feature, Rule},
    place::{Arch, Place},
};

/// A field, on all hosts.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where it is.
    pub place: Place,
    /// In which bits, and how values compare.
    pub field: Field,
    /// What all accept; none if there is no such value.
    pub value: Option<u64>,
    /// The most that each host can have, in the hosts' order.
    pub most: Vec<u64>,
    /// The most that any of them can have.
    pub best: u64,
}

impl Shared {
    /// Which hosts have less than another one, by their numbers.
    pub fn lacking(&self) -> impl Iterator<Item = usize> + '_ {
        let most = self.most.iter().enumerate();
        most.filter(|(_, most)| **most != self.best).map(|(n, _)| n)
    }
}

/// What hosts have in common.
#[derive(Clone, Debug, Default)]
pub struct Common {
    /// All fields that all of them speak of.
    pub fields: Vec<Shared>,
    /// The model.
    pub model: Model,
    /// Words and fields that there is something in, and that some hosts don't speak of.
    pub missing: Vec<(String, Vec<usize>)>,
}

/// What a host says of a field.
enum Side<'a> {
    Offer(&'a crate::Offer),
    /// By its value alone.
    Value(u64),
}

impl Side<'_> {
    fn most(&self) -> u64 {
        match self {
            Self::Offer(offer) => match offer.field.order {
                Order::HigherSafe => offer.lowest,
                _ => offer.limit,
            },
            Self::Value(value) => *value,
        }
    }

    fn can(&self, field: &Field, value: u64) -> bool {
        match (self, field.order) {
            (Self::Offer(offer), _) => offer.can(value),
            (Self::Value(own), Order::LowerSafe) => field.rank(value) <= field.rank(*own),
            (Self::Value(own), Order::HigherSafe) => field.rank(value) >= field.rank(*own),
            (Self::Value(own), Order::Exact(other)) => value == *own || value == other,
            (Self::Value(own), Order::Number) => value == *own,
        }
    }
}

/// What a host says of a field, if the VM is not configured with some features. What a list of
/// KVM's leaves out, a VM does not have.
fn side<'a>(
    host: &'a Model,
    place: Place,
    field: &Field,
    vm: &BTreeSet<Feature>,
) -> Option<Side<'a>> {
    let mut offers = host.offers.iter();
    let found = offers.find(|offer| offer.place == place && offer.field.mask() == field.mask());
    match found {
        Some(offer) => Some(match offer.given {
            Some((feature, without)) if !vm.contains(&feature) => Side::Value(without),
            _ => Side::Offer(offer),
        }),
        None => host
            .get(place, field)
            .or((!host.offers.is_empty()).then_some(0))
            .map(Side::Value),
    }
}

/// What hosts have in common, of the words that all of them speak of.
pub fn common(hosts: &[Model]) -> Common {
    let mut common = Common::default();
    let has = |host: &Model, feature: Feature| host.wanted_vm().contains(&feature);
    let vm: BTreeSet<_> = Feature::ALL
        .into_iter()
        .filter(|feature| hosts.iter().all(|host| has(host, *feature)))
        .collect();
    let places: BTreeSet<_> = hosts
        .iter()
        .flat_map(|host| host.words.keys())
        .copied()
        .collect();

    let values = |place| hosts.iter().filter_map(move |host| host.words.get(&place));
    for place in places {
        // Which CPU it is, and how many, of which there is nothing to share.
        let is_about_features = match place {
            Place::Arm64(_) => {
                facts::register(place).is_some_and(|register| !register.fields.is_empty())
            }
            _ => facts::is_judged(place),
        };
        if !is_about_features {
            continue;
        }
        let without = hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| !host.words.contains_key(&place));
        let without: Vec<_> = without.map(|(n, _)| n).collect();
        let is_complete = |n: &usize| hosts.get(*n).is_some_and(|host| !host.offers.is_empty());
        if !without.iter().all(is_complete)
            || place.arch() != hosts.first().and_then(Model::arch).unwrap_or(place.arch())
        {
            if values(place).any(|word| word.value != 0) {
                common.missing.push((place.to_string(), without));
            }
            continue;
        }
        // The host's list may know more fields than the crate does.
        let listed = hosts
            .iter()
            .flat_map(|host| &host.offers)
            .filter(|offer| offer.place == place);
        let mut fields: Vec<_> = listed.map(|offer| offer.field).collect();
        fields.sort_by_key(|field| (std::cmp::Reverse(field.lsb), field.width));
        fields.dedup_by_key(|field| (field.lsb, field.width));
        if fields.iter().fold(0, |bits, field| bits | field.mask()) != place.mask() {
            fields = facts::fields(place);
        }

        for field in fields {
            let sides = hosts.iter().map(|host| side(host, place, &field, &vm));
            let (sides, silent): (Vec<_>, Vec<_>) =
                (0..).zip(sides).partition(|(_, side)| side.is_some());
            let sides: Vec<_> = sides.into_iter().filter_map(|(_, side)| side).collect();
            if !silent.is_empty() {
                if sides.iter().any(|side| side.most() != field.nothing()) {
                    let silent = silent.into_iter().map(|(n, _)| n).collect();
                    common.missing.push((field.full_name(place), silent));
                }
                continue;
            }
            let shared = share(place, field, &sides);
            if let Some(value) = shared.value {
                common.model.put(place, &field, value);
            }
            common.fields.push(shared);
        }
    }
    common.model.name = "common".into();
    common.model.source = Some(Source::Values);
    common.model.vm = (common.model.arch() == Some(Arch::Arm64)).then(|| vm.into_iter().collect());
    common
}

fn share(place: Place, field: Field, sides: &[Side<'_>]) -> Shared {
    let most: Vec<_> = sides.iter().map(Side::most).collect();
    let rank = |value: &u64| match field.order {
        Order::HigherSafe => !field.rank(*value),
        _ => field.rank(*value),
    };
    let mut candidates = most.clone();
    for side in sides {
        if let Side::Offer(offer) = side {
            candidates.extend(offer.values().chain([offer.lowest, offer.highest]));
        }
    }
    if let Order::Exact(other) = field.order {
        candidates.push(other);
    }
    let best = match field.order {
        Order::LowerSafe | Order::HigherSafe => most.iter().copied().max_by_key(rank),
        _ => most.first().copied(),
    };
    candidates.retain(|value| sides.iter().all(|side| side.can(&field, *value)));
    let value = match best {
        // Where KVM takes any, the first host's is as good as another.
        Some(best) if candidates.contains(&best) => Some(best),
        _ => match field.order {
            Order::Exact(other) if candidates.contains(&other) => Some(other),
            _ => candidates.iter().copied().max_by_key(rank),
        },
    };
    Shared {
        place,
        field,
        value,
        most,
        best: best.unwrap_or(0),
    }
}

/// Whether somebody can do something about it: features, and not numbers.
pub fn matters(shared: &Shared, hosts: &[Model]) -> bool {
    let is_number = shared.field.order == Order::Number;
    let rules = hosts.iter().flat_map(|host| &host.offers);
    let mut rules =
        rules.filter(|offer| offer.place == shared.place && offer.field == shared.field);
    !is_number && !rules.any(|offer| offer.rule == Rule::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read, Offer};

    /// A host whose VMs can have these values of a field.
    fn host(register: &str, lsb: u8, rule: Rule, limit: u64, possible: u64) -> Model {
        let place = Place::named(register).unwrap();
        let field = facts::field(place, lsb, 4);
        let offer = Offer {
            possible,
            writable: true,
            lowest: u64::from(possible.trailing_zeros()),
            highest: u64::from(possible.ilog2()),
            ..Offer::only(place, field, rule, limit)
        };
        Model::of_host("host", vec![offer], Source::GuestCaps)
    }

    fn shared(hosts: &[Model], lsb: u8) -> Shared {
        let fields = common(hosts).fields;
        fields
            .into_iter()
            .find(|shared| shared.field.lsb == lsb)
            .unwrap()
    }

    #[test]
    fn the_most_that_all_accept() {
        // SpecSEI: one's least is 1, the other's 2.
        let sei = |least: u64| {
            host(
                "ID_AA64MMFR1_EL1",
                24,
                Rule::HigherSafe,
                least,
                0xffff << least & 0xffff,
            )
        };
        let both = shared(&[sei(1), sei(2)], 24);
        assert_eq!(
            (both.value, both.best, both.lacking().collect::<Vec<_>>()),
            (Some(2), 1, vec![1])
        );
        // ATOMIC can't be 1, so that less than 2 is 0.
        let atomic =
            |limit, possible| host("ID_AA64ISAR0_EL1", 20, Rule::LowerSafe, limit, possible);
        assert_eq!(
            shared(&[atomic(3, 0b1101), atomic(1, 0b11)], 20).value,
            Some(0)
        );
        // Both granules are exact: NI is what they share, or nothing.
        let granule = |limit, possible| host("ID_AA64MMFR0_EL1", 40, Rule::Exact, limit, possible);
        assert_eq!(
            shared(&[granule(3, 0b1010), granule(2, 0b110)], 40).value,
            Some(1)
        );
        let none = [granule(3, 0b1000), granule(2, 0b100)];
        assert_eq!(shared(&none, 40).value, None);
        let word = common(&none).model.words[&Place::named("ID_AA64MMFR0_EL1").unwrap()];
        assert_eq!(word.mask >> 40 & 15, 0);
    }

    #[test]
    fn what_one_does_not_say_is_open() {
        let model = |text: &str| read::model("m", text.as_bytes()).unwrap();
        let place = Place::named("ID_AA64PFR0_EL1").unwrap();
        let hosts = [model("ID_AA64PFR0_EL1 20/f0"), model("ID_AA64PFR0_EL1 f12")];
        let both = common(&hosts);
        let word = both.model.words[&place];
        assert_eq!((word.mask, word.value), (0xf0, 0x10));
        let names = ["AdvSIMD", "FP", "EL2", "EL0"];
        let missing = names.map(|name| (format!("ID_AA64PFR0_EL1.{name}"), vec![0]));
        assert_eq!(both.missing, missing);
        // What is open stays so.
        let granule = |limit, possible| host("ID_AA64MMFR0_EL1", 40, Rule::Exact, limit, possible);
        let two = common(&[granule(3, 0b1000), granule(2, 0b100)]).model;
        let three = common(&[two, granule(2, 0b1111)]).model;
        let place = Place::named("ID_AA64MMFR0_EL1").unwrap();
        assert_eq!(three.words[&place].mask >> 40 & 15, 0);
    }

    #[test]
    fn a_feature_that_one_lacks_is_left_out() {
        let host = |vm: &[Feature], limit| {
            let mut host = host("ID_AA64PFR0_EL1", 32, Rule::Fixed, limit, 1 << limit);
            host.vm = Some(vm.to_vec());
            if let (Some(offer), true) = (host.offers.first_mut(), vm.contains(&Feature::Sve)) {
                offer.given = Some((Feature::Sve, 0));
            }
            host
        };
        let (with, without) = (
            host(&[Feature::Sve, Feature::Pmu], 1),
            host(&[Feature::Pmu], 0),
        );
        assert_eq!(shared(&[with.clone(), with.clone()], 32).value, Some(1));
        let hosts = [with, without];
        assert_eq!(shared(&hosts, 32).value, Some(0));
        assert_eq!(common(&hosts).model.vm, Some(vec![Feature::Pmu]));
    }
}
