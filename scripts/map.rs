// SPDX-License-Identifier: GPL-2.0

//! What `arch/arm64/kvm/idregs/limits.rs` says of each field of each register, as tab-separated
//! lines with a head. A host program for `map.py`, made from the table as the kernel compiles it.
//!
//! `map [REGISTER=HEX]...`: with registers of a host, also what becomes of each field there.

// Who would call the rest of the core stands in ffi.rs.
#![allow(dead_code, unused_imports)]

#[path = "../arch/arm64/kvm/idregs/check.rs"]
mod check;
#[path = "../arch/arm64/kvm/idregs/compat.rs"]
mod compat;
#[path = "../arch/arm64/kvm/idregs/condition.rs"]
mod condition;
#[path = "../arch/arm64/kvm/idregs/default.rs"]
mod default;
#[path = "../arch/arm64/kvm/idregs/field.rs"]
mod field;
#[path = "../arch/arm64/kvm/idregs/generated.rs"]
mod generated;
#[path = "../arch/arm64/kvm/idregs/host.rs"]
mod host;
#[path = "../arch/arm64/kvm/idregs/limits.rs"]
mod limits;
#[path = "../arch/arm64/kvm/idregs/order.rs"]
mod order;
#[path = "../arch/arm64/kvm/idregs/row.rs"]
mod row;
#[path = "../arch/arm64/kvm/idregs/view.rs"]
mod view;

use condition::Conditions;
use field::{
    Field,
    Register,
    NUM_REGISTERS, //
};
use host::Host;
use limits::LIMITS;
use row::{
    Limits,
    Patch, //
};
use std::process::ExitCode;

const REGISTERS: [Register; NUM_REGISTERS] = generated::REGISTERS;

struct Words([u64; NUM_REGISTERS]);

impl Host for Words {
    fn sanitised(&self, index: usize) -> u64 {
        self.0[index]
    }
}

/// A value by its name, or as a number.
fn name(field: &Field, value: u64) -> String {
    match field.values.iter().find(|(_, v)| *v == value) {
        Some((name, _)) => name.to_string(),
        None => value.to_string(),
    }
}

fn names(set: Conditions, between: &str) -> String {
    let named =
        |(name, condition): &(&'static str, Conditions)| set.has(*condition).then_some(*name);
    let all: Vec<_> = Conditions::ALL.iter().filter_map(named).collect();
    all.join(between)
}

fn join(clauses: Vec<String>) -> String {
    if clauses.is_empty() {
        "-".into()
    } else {
        clauses.join("; ")
    }
}

/// What the limits of a register say of one of its fields.
#[derive(PartialEq)]
struct Said {
    /// The verb, and its value by name.
    rule: String,
    /// What holds instead on some condition.
    conditions: String,
    /// All else.
    notes: String,
}

impl Said {
    fn of(limits: &Limits, field: &Field) -> Self {
        if field.is_reserved() || limits.rows & field.top() == 0 {
            return Self {
                rule: "-".into(),
                conditions: "-".into(),
                notes: "-".into(),
            };
        }
        let (top, value) = (field.top(), |word| name(field, field.get(word)));
        let covers = |mask: u64| mask & top != 0;

        let rule = if covers(limits.from_host) {
            format!("up to {}", value(limits.up_to))
        } else {
            format!("always {}", value(limits.given))
        };

        let mut conditions = Vec::new();
        for patch in limits.patches.iter().filter(|patch| covers(patch.mask)) {
            let word = if patch.holds { "if" } else { "unless" };
            let condition = names(patch.condition, " and ");
            conditions.push(format!("{} {word} {condition}", value(patch.value)));
        }
        let Patch {
            condition,
            mask,
            value: given,
            ..
        } = limits.irqchip;
        if covers(mask) {
            let (given, condition) = (value(given), names(condition, " and "));
            conditions.push(format!(
                "with an interrupt controller {given} if {condition}, else {}",
                value(0)
            ));
        }

        let mut notes = Vec::new();
        if covers(limits.exact) {
            notes.push(format!("or else {}", value(limits.safe)));
        }
        if covers(limits.minima) {
            notes.push(format!("at least {}", value(limits.least)));
        }
        if covers(limits.or_fields) {
            notes.push(format!("or else {}", value(limits.or)));
        }
        if covers(limits.always) {
            notes.push("judged even if the VM has run".into());
        }
        for compat in limits.compats.iter().filter(|compat| covers(compat.mask)) {
            let mut note = match compat.value {
                Some(word) => format!("{} accepted", value(word)),
                None => "the host's value accepted".into(),
            };
            if let Some(host) = compat.host {
                note += &format!(" if the host has {}", value(host));
            }
            if compat.conditions != Conditions::NONE {
                note += &format!(" with {}", names(compat.conditions, " and "));
            }
            notes.push(note + &format!(", reads as {}", value(compat.stored)));
        }

        Self {
            rule,
            conditions: join(conditions),
            notes: join(notes),
        }
    }
}

/// How a field's limit compares with what it can name.
fn class(limits: &Limits, field: &Field) -> &'static str {
    let sign = field.get(limits.sign);
    let named = field.values.iter().map(|(_, value)| value ^ sign).max();
    let highest = named.unwrap_or(field.max() ^ sign);
    if field.is_reserved() {
        "reserved"
    } else if limits.rows & field.top() == 0 {
        "denied"
    } else if limits.from_host & field.top() == 0 {
        "forced"
    } else if field.get(limits.up_to) ^ sign < highest {
        "limited"
    } else {
        "host"
    }
}

/// The same limits, for a VM that has all they may depend on.
fn unconditional(limits: &Limits) -> Limits {
    let mut limits = *limits;
    limits.needs = Conditions::NONE;
    for patch in &mut limits.patches {
        patch.mask = 0;
    }
    limits
}

/// What a VM gets of the host's value, and the least it may ask for.
fn on_host(limits: &Limits, field: &Field, host: u64) -> [String; 4] {
    let limits = unconditional(limits);
    let limit = limits.default(host, Conditions::NONE);
    let sign = field.get(limits.sign);
    let [host, gets, least] = [host, limit, limits.lowest(limit)].map(|word| field.get(word));
    let becomes = match (host ^ sign).cmp(&(gets ^ sign)) {
        std::cmp::Ordering::Greater => "cut",
        std::cmp::Ordering::Less => "raised",
        std::cmp::Ordering::Equal => "kept",
    };
    [
        format!("{host:x}"),
        becomes.into(),
        name(field, gets),
        if least == gets {
            "-".into()
        } else {
            name(field, least)
        },
    ]
}

/// The registers of a host that are given as arguments; none if there are no arguments.
fn host() -> Result<Option<Words>, String> {
    let mut words = None;
    for argument in std::env::args().skip(1) {
        let (name, digits) = argument
            .split_once('=')
            .ok_or("usage: map [REGISTER=HEX]...")?;
        let index = REGISTERS.iter().position(|register| register.name == name);
        let index = index.ok_or(format!(
            "{name} is no register that KVM keeps per VM: mend the name, or drop the line"
        ))?;
        let word = u64::from_str_radix(digits, 16)
            .map_err(|_| format!("{name}: {digits} is no hexadecimal number of 64 bits"))?;
        words.get_or_insert(Words([0; NUM_REGISTERS])).0[index] = word;
    }
    Ok(words)
}

fn print(host: Option<&Words>) {
    print!("register\tfield\tmsb\tlsb\tclass\trule\tnested\tneeds\tconditions\tnotes");
    print!("\twritable\torder\tsigned\tvalues");
    println!("{}", host.map_or("", |_| "\thost\tbecomes\tgets\tleast"));

    for (index, register) in REGISTERS.iter().enumerate() {
        let [plain, nested] = [&LIMITS[0][index], &LIMITS[1][index]];
        for field in register.fields {
            let said = Said::of(plain, field);
            let with_el2 = Said::of(nested, field);
            let with_el2 = if with_el2 == said {
                "-".into()
            } else {
                let said = [with_el2.rule, with_el2.conditions, with_el2.notes];
                join(said.into_iter().filter(|said| said != "-").collect())
            };
            let values = field
                .values
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            let needs = names(plain.needs, " and ");
            let mut line = vec![
                register.name.into(),
                field.name.into(),
                field.msb.to_string(),
                field.lsb.to_string(),
                class(plain, field).into(),
                said.rule,
                with_el2,
                if needs.is_empty() { "-".into() } else { needs },
                said.conditions,
                said.notes,
                if plain.fixed & field.top() == 0 {
                    "writable"
                } else {
                    "fixed"
                }
                .into(),
                plain.rule(field, plain.needs).name().into(),
                if plain.sign & field.top() == 0 {
                    "unsigned"
                } else {
                    "signed"
                }
                .into(),
                join(values.collect()),
            ];
            if let Some(host) = host {
                line.extend(on_host(plain, field, (host as &dyn Host).word(index)));
            }
            println!("{}", line.join("\t"));
        }
    }
}

fn main() -> ExitCode {
    match host() {
        Ok(host) => {
            print(host.as_ref());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
