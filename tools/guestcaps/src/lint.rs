// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Rules between fields that a model breaks, and what programs expect of the core that it names.

use crate::{
    check::{Finding, Verdict},
    facts,
    model::Model,
    offer::Feature,
    place::Place,
};

/// Each rule that a model breaks. What it doesn't say breaks none.
pub fn lint(model: &Model) -> Vec<Finding> {
    let word = |place: Place| {
        model
            .words
            .get(&place)
            .filter(|word| word.mask == place.mask())
    };
    let vm = model.wanted_vm();
    let is_about = |vm_with: &str| match vm_with {
        "SVE" => vm.contains(&Feature::Sve),
        "EL2" => vm.contains(&Feature::El2),
        "AARCH32" => model
            .named("ID_AA64PFR0_EL1", "EL0")
            .is_some_and(|value| value >= 2),
        _ => true,
    };
    let rules = facts::needs().filter(|need| is_about(need.vm));
    let broken = rules.filter_map(|facts::Need { has, needs, .. }| {
        let (a, b) = (
            model.get(has.place, &has.field)?,
            model.get(needs.place, &needs.field)?,
        );
        let broken = has.holds(a) && !needs.holds(b);
        broken.then(|| Finding {
            place: has.place,
            field: has.field,
            wanted: a,
            take: None,
            verdict: Verdict::Needs,
            range: String::new(),
            why: format!(
                "needs {} of at least {}, and there is {}",
                needs.field.full_name(needs.place),
                needs.field.value_name(needs.least),
                needs.field.value_name(b)
            ),
            offer: None,
        })
    });
    let midr = Place::named("MIDR_EL1").and_then(word);
    let core = midr.and_then(|midr| facts::core(midr.value));
    broken
        .chain(core.into_iter().flat_map(|core| expected(model, core)))
        .collect()
}

/// What programs are told of, that the core has and the model doesn't.
fn expected<'a>(
    model: &'a Model,
    core: &'static facts::Core,
) -> impl Iterator<Item = Finding> + 'a {
    let words = core
        .words
        .iter()
        .filter_map(|(name, value)| Some((Place::named(name)?, *value)));
    let all = words.flat_map(|(place, word)| {
        facts::fields(place)
            .into_iter()
            .map(move |field| (place, field, field.get(word)))
    });
    all.filter_map(move |(place, field, of_core)| {
        let wanted = model.get(place, &field)?;
        let lacks = field.hwcap && field.rank(wanted) < field.rank(of_core);
        lacks.then(|| Finding {
            place,
            field,
            wanted,
            take: None,
            verdict: Verdict::Needs,
            range: String::new(),
            why: format!(
                "MIDR_EL1 names {}, which has {}: programs that go by it may use that",
                core.name,
                field.value_name(of_core)
            ),
            offer: None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn said(text: &str) -> Vec<String> {
        let found = lint(&read::model("m", text.as_bytes()).unwrap());
        found
            .iter()
            .map(|f| format!("{} {}", f.field.full_name(f.place), f.why))
            .collect()
    }

    #[test]
    fn rules_between_fields() {
        assert_eq!(
            said("ID_AA64ISAR0_EL1 1000\n"),
            ["ID_AA64ISAR0_EL1.SHA2 needs ID_AA64ISAR0_EL1.SHA1 of at least 0x1 IMP, and there is 0x0 NI"]
        );
        assert!(said("ID_AA64ISAR0_EL1 1100\n").is_empty());
        // Nothing is said of SHA1.
        assert!(said("ID_AA64ISAR0_EL1 1000/f000\n").is_empty());
        // AVX2 without AVX.
        assert_eq!(
            said("0x7.0:ebx 20\n0x1.0:ecx 0\n"),
            ["avx2 needs avx of at least 1, and there is 0"]
        );
    }

    #[test]
    fn a_core_without_what_it_has() {
        let found = said("MIDR_EL1 411fd401\nID_AA64PFR0_EL1 1101000011111111\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0]
            .starts_with("ID_AA64PFR0_EL1.SVE MIDR_EL1 names Neoverse-V1, which has 0x1 IMP"));
        assert!(said("MIDR_EL1 410fd0c0\nID_AA64PFR0_EL1 1101000011111111\n").is_empty());
    }
}
