// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What machines have in common whose registers are published: scripts/baseline/hosts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use guestcaps::{
    common::common,
    diff::diff,
    document::{to_json, word_text, Document, Prop, Registers},
    facts::{self, Order},
    model::Model,
    offer::{Offer, Rule},
    read,
};

fn machines() -> Vec<Model> {
    // As it is now: a checkout elsewhere may have built this.
    let path = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../scripts/baseline/hosts";
    let text = std::fs::read_to_string(path).unwrap();
    let mut files = BTreeMap::<&str, String>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(' ').unwrap();
        *files.entry(name).or_default() += &format!("{rest}\n");
    }
    let models = files
        .iter()
        .map(|(name, text)| read::model(name, text.as_bytes()).unwrap());
    let models: Vec<_> = models.collect();
    assert!(models.len() > 50);
    models
}

/// By the order of each field alone: no host has less than what they have in common, and the one
/// that has the least has no more.
#[test]
fn no_machine_has_less() {
    let machines = machines();
    for hosts in machines.windows(3) {
        let common = common(hosts);
        assert!(!common.fields.is_empty());
        for shared in &common.fields {
            let field = &shared.field;
            let values: Vec<_> = hosts
                .iter()
                .map(|host| host.get(shared.place, field).unwrap())
                .collect();
            let ranks = values.iter().map(|value| field.rank(*value));
            let name = field.full_name(shared.place);
            match field.order {
                Order::LowerSafe => {
                    assert_eq!(
                        field.rank(shared.value.unwrap()),
                        ranks.min().unwrap(),
                        "{name}"
                    );
                }
                Order::HigherSafe => {
                    assert_eq!(
                        field.rank(shared.value.unwrap()),
                        ranks.max().unwrap(),
                        "{name}"
                    );
                }
                Order::Exact(other) => {
                    let same = values.iter().all(|value| *value == values[0]);
                    assert_eq!(
                        shared.value,
                        Some(if same { values[0] } else { other }),
                        "{name}"
                    );
                }
                Order::Number => {}
            }
            let most = hosts
                .iter()
                .enumerate()
                .filter(|(n, _)| values[*n] != shared.best);
            assert!(shared.lacking().eq(most.map(|(n, _)| n)), "{name}");
        }
    }
}

/// In whichever order, and two by two as well.
#[test]
fn it_does_not_depend_on_the_order() {
    let machines = machines();
    for hosts in machines.windows(3) {
        let [a, b, c] = hosts else { panic!() };
        let whole = common(hosts).model;
        let turned = common(&[c.clone(), a.clone(), b.clone()]).model;
        assert!(diff(&whole, &turned).is_empty());
        let two = common(&[a.clone(), b.clone()]).model;
        let pair = common(&[two, c.clone()]).model;
        for (place, word) in &pair.words {
            assert_eq!(whole.words.get(place), Some(word), "{place}");
        }
    }
}

/// What is written is read again: lines, and dumps with what each host offers.
#[test]
fn dumps_are_read_back() {
    for machine in machines() {
        let mut offers = Vec::new();
        for (place, word) in &machine.words {
            for field in facts::fields(*place) {
                let value = field.get(word.value);
                let rule = match field.order {
                    Order::HigherSafe => Rule::HigherSafe,
                    Order::Exact(_) => Rule::Exact,
                    Order::LowerSafe => Rule::LowerSafe,
                    Order::Number => Rule::Number,
                };
                let (lowest, highest) = match field.order {
                    Order::HigherSafe => (value, field.max()),
                    Order::Exact(other) => (value.min(other), value.max(other)),
                    _ if field.signed => (field.max() ^ field.max() >> 1, value),
                    _ => (0, value),
                };
                let offer = Offer::only(*place, field, rule, value);
                let possible = match field.order {
                    Order::Exact(other) => 1 << value | 1 << other,
                    _ => 0,
                };
                offers.push(Offer {
                    lowest,
                    highest,
                    possible,
                    writable: true,
                    ..offer
                });
            }
        }
        let document = Document {
            props: Some(offers.iter().map(Prop::from).collect()),
            registers: Some(Registers(machine.words.clone())),
            ..Document::default()
        };
        let read = read::model(&machine.name, to_json(&document).unwrap().as_bytes()).unwrap();
        assert!(diff(&machine, &read).is_empty());
        assert_eq!(read.offers.len(), offers.len());
        for (one, other) in read.offers.iter().zip(&offers) {
            let name = one.field.full_name(one.place);
            assert_eq!(
                (one.lowest, one.highest, one.value),
                (other.lowest, other.highest, other.value),
                "{name}"
            );
            assert!(
                (0..=one.field.max().min(63)).all(|n| one.can(n) == other.can(n)),
                "{name}"
            );
        }
        // With what they offer, the same is common as by values alone.
        let [by_offers, by_values] =
            [&read, &machine].map(|host| common(&[host.clone(), host.clone()]).model);
        assert!(diff(&by_offers, &by_values).is_empty());

        let lines: Vec<_> = machine
            .words
            .iter()
            .map(|(place, word)| format!("{place} {}\n", word_text(*place, *word)))
            .collect();
        let read = read::model(&machine.name, lines.concat().as_bytes()).unwrap();
        assert_eq!(read.words, machine.words);
    }
}
