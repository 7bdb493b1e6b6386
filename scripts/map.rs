// SPDX-License-Identifier: GPL-2.0

//! What `arch/arm64/kvm/idregs/limits.rs` says of each field of each register, as tab-separated
//! lines with a head. A host program for `map.py`: the rows that it walks are those that the kernel
//! reads.
//!
//! `map [REGISTER=HEX]...`: with registers of a host, also what becomes of each field there.

// Who would call the rest of the core stands in ffi.rs.
#![allow(dead_code, unused_imports)]

use flags::impl_flags;

mod c {
    include!(env!("KVM_IDREG_FACTS"));
}
#[path = "../rust/kernel/cpufeature/arm64.rs"]
mod cpufeature;
#[path = "../arch/arm64/kvm/idregs/facts.rs"]
mod facts;
#[path = "../arch/arm64/kvm/idregs/limits.rs"]
mod limits;
#[path = "../arch/arm64/kvm/idregs/needs.rs"]
mod needs;
#[path = "../arch/arm64/kvm/idregs/policy.rs"]
mod policy;
#[path = "../arch/arm64/kvm/idregs/row.rs"]
mod row;
#[path = "../arch/arm64/kvm/idregs/vm.rs"]
mod vm;

use cpufeature::{
    Field,
    Values, //
};
use facts::{
    Condition,
    Fact,
    Facts,
    Flags,
    Host,
    NUM_REGISTERS, //
};
use limits::LIMITS;
use policy::{
    Bound,
    Lacking,
    Old,
    Order,
    Policy,
    Verb, //
};
use row::{
    Limits,
    Row,
    Rule, //
};
use std::process::ExitCode;

struct Words([u64; NUM_REGISTERS]);

impl Host for Words {
    fn sanitised(&self, index: usize) -> u64 {
        self.0[index]
    }
}

/// A field of a register, with the names of its values.
#[derive(Clone, Copy)]
struct Named {
    field: &'static Field,
    values: Values,
}

impl Named {
    fn new(register: &str, field: &'static Field) -> Self {
        let mut all = cpufeature::VALUES.iter();
        let names = all.find(|(of, name, _)| (*of, *name) == (register, field.name));
        let values = names.map_or(&[][..], |(_, _, values)| values);
        Self { field, values }
    }

    /// A value by its name, or as a number.
    fn name(self, value: u64) -> String {
        match self.values.iter().find(|(_, number)| *number == value) {
            Some((name, _)) => name.to_string(),
            None => value.to_string(),
        }
    }
}

/// A condition, with a word in front of what must be so, and of what must not; nothing if it always
/// holds.
fn conditional(condition: Condition, if_so: &str, unless: &str) -> String {
    let names = |flags: Flags, word: &str| {
        let named = |(fact, source, name): &(Fact, &str, &str)| {
            flags.contains(*fact).then(|| format!("{source}({name})"))
        };
        let all: Vec<_> = Fact::ALL.iter().filter_map(named).collect();
        if all.is_empty() {
            String::new()
        } else {
            format!(" {word} {}", all.join(" and "))
        }
    };
    names(condition.all, if_so) + &names(condition.none, unless)
}

fn join(clauses: Vec<String>) -> String {
    if clauses.is_empty() {
        "-".into()
    } else {
        clauses.join("; ")
    }
}

/// What a row says of a VM without EL2, or of one with EL2.
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
    fn of(named: Named, row: &Row, bound: &Bound) -> Self {
        let Row { field, policy, .. } = row;
        let value = |value: u8| named.name(value.into());
        let or_none =
            |number: Option<u8>| named.name(number.map_or(field.not_implemented, u64::from));

        let mut conditions: Vec<_> = bound
            .overrides
            .iter()
            .flatten()
            .map(|o| or_none(o.value) + &conditional(o.condition, "if", "unless"))
            .collect();
        if let Some((condition, given)) = policy.irqchip {
            conditions.push(format!(
                "with an interrupt controller {}{}, else {}",
                value(given),
                conditional(condition, "if", "unless"),
                or_none(None)
            ));
        }

        let mut notes = Vec::new();
        if let Order::Exact(safe) = policy.order {
            notes.push(format!("or else {}", value(safe)));
        }
        if let Some(least) = bound.least {
            notes.push(format!("at least {}", value(least)));
        }
        if let Some(or) = policy.or {
            notes.push(format!("or else {}", value(or)));
        }
        if bound.always {
            notes.push("judged even if the VM has run".into());
        }
        if let Some(once) = bound.once {
            let mut note = match once.value {
                Old::Value(number) => format!("{} accepted", value(number)),
                Old::Host => "the host's value accepted".into(),
                Old::Above => "all that the host has accepted".into(),
            };
            if let Some(host) = once.host {
                note += &format!(" if the host has {}", value(host));
            }
            note += &conditional(once.condition, "with", "without");
            if let Some(field) = once.beside {
                note += &format!(" together with {}", field.name);
            }
            let reads = match (once.value, once.host) {
                (Old::Value(_), None) => or_none(None),
                _ => "the limit".into(),
            };
            notes.push(format!("{note}, reads as {reads}"));
        }
        for need in policy.needs {
            let other = Named::new(need.register.name, need.field);
            notes.push(format!(
                "{} needs {}.{} {}{}{}",
                named.name(need.value),
                need.register.name,
                need.field.name,
                other.name(need.least),
                conditional(need.condition, "with", "without"),
                match need.lacking {
                    Lacking::Cut => "",
                    Lacking::Cleared => ", else it is cleared",
                    Lacking::Told => ", else it is told",
                }
            ));
        }
        if let Some(class) = &bound.class {
            notes.push(format!("class {}", class.name()));
        }
        if let Some(untrappable) = policy.untrappable {
            let hosts = match untrappable.fgt {
                None => "",
                Some(2..) => " without FEAT_FGT2",
                Some(_) => " without FEAT_FGT",
            };
            notes.push(format!(
                "usable whatever it says{hosts}{}: {}",
                conditional(untrappable.condition, "with", "without"),
                untrappable.why
            ));
        }

        Self {
            rule: match bound.verb {
                Verb::AtMost(limit) => format!("up to {}", value(limit)),
                Verb::Force(forced) => format!("always {}", value(forced)),
                Verb::Denied | Verb::Zero => "-".into(),
            },
            conditions: join(conditions),
            notes: join(notes),
        }
    }

    /// Of bits without a row.
    fn nothing() -> Self {
        let [rule, conditions, notes] = ["-", "-", "-"].map(String::from);
        Self {
            rule,
            conditions,
            notes,
        }
    }
}

/// What makes a field's numbers compare as unsigned ones.
fn sign(field: &Field, row: Option<&Row>) -> u64 {
    row.map_or(0, |row| field.get(row.sign))
}

/// How a field's limit compares with what it can name.
fn class(Named { field, values }: Named, row: Option<&Row>) -> &'static str {
    let sign = sign(field, row);
    let named = values.iter().map(|(_, value)| value ^ sign).max();
    let highest = named.unwrap_or(field.max() ^ sign);
    match row.map(|row| row.policy.bound.verb) {
        None | Some(Verb::Zero) => "reserved",
        Some(Verb::Denied) => "denied",
        Some(Verb::Force(_)) => "forced",
        Some(Verb::AtMost(limit)) if u64::from(limit) ^ sign < highest => "limited",
        Some(Verb::AtMost(_)) => "host",
    }
}

/// The least that userspace can ask for if the most is `limit`, both in their place: in the field's
/// own order; of two values, the one that is not the limit.
fn least(row: &Row, limit: u64, facts: &Facts<'_>) -> u64 {
    let (policy, limit) = (row.policy, limit & row.mask);
    if !row.is_writable(facts) {
        return limit;
    }
    match (policy.order, policy.or, row.bound(facts).least) {
        (Order::Exact(safe), _, _) => row.place(safe),
        (Order::HigherSafe, _, _) => row.mask ^ row.sign,
        (Order::LowerSafe, Some(or), _) => row.place(or),
        (Order::LowerSafe, None, Some(least)) => row.place(least),
        (Order::LowerSafe, None, None) => (0..=row.field.max())
            .map(|value| value << row.field.lsb)
            .filter(|word| row.has_meaning(*word))
            .fold(limit, |least, word| {
                if row.is_higher(least, word) {
                    word
                } else {
                    least
                }
            }),
    }
}

/// What a VM that has all it may depend on gets of the host's value, and the least it may ask for.
fn on_host(named: Named, row: Option<&Row>, limits: &Limits, host: u64) -> [String; 4] {
    let field = named.field;
    let words = Words([0; NUM_REGISTERS]);
    let facts = Facts::new(0, &words);
    let [most, least] = match row {
        None => [limits.reserved, limits.reserved],
        Some(row) => {
            let policy = Policy {
                bound: Bound {
                    overrides: [None; 3],
                    ..row.policy.bound
                },
                ..*row.policy
            };
            let row = Row::new(field, Box::leak(Box::new(policy)));
            let most = row.limit(host, &facts);
            [most, least(&row, most, &facts)]
        }
    };
    let [host, gets, least] = [host, most, least].map(|word| field.get(word));
    let sign = sign(field, row);
    let becomes = match (host ^ sign).cmp(&(gets ^ sign)) {
        std::cmp::Ordering::Greater => "cut",
        std::cmp::Ordering::Less => "raised",
        std::cmp::Ordering::Equal => "kept",
    };
    [
        format!("{host:x}"),
        becomes.into(),
        named.name(gets),
        if least == gets {
            "-".into()
        } else {
            named.name(least)
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
        let index = LIMITS
            .iter()
            .position(|limits| limits.register.name == name);
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
    print!("register\tfield\tmsb\tlsb\tclass\trule\tnested\tprotected\tneeds\tconditions\tnotes");
    print!("\twritable\torder\tsigned\twhy\tvalues");
    println!("{}", host.map_or("", |_| "\thost\tbecomes\tgets\tleast"));

    for (index, limits) in LIMITS.iter().enumerate() {
        let needs = conditional(limits.condition, "", "without");
        for field in limits.register.fields {
            let named = Named::new(limits.register.name, field);
            let row = limits.rows.iter().find(|row| row.mask == field.mask());
            let said =
                row.map_or_else(Said::nothing, |row| Said::of(named, row, &row.policy.bound));
            let otherwise = |bound: fn(&Policy) -> &Option<Bound>| {
                let other =
                    row.and_then(|row| Some(Said::of(named, row, bound(row.policy).as_ref()?)));
                match other {
                    Some(other) if other.rule == "-" => "nothing".into(),
                    Some(other) if other != said => {
                        let clauses = [other.rule, other.conditions, other.notes];
                        join(clauses.into_iter().filter(|said| said != "-").collect())
                    }
                    _ => "-".into(),
                }
            };
            let nested = otherwise(|policy| &policy.nested);
            let protected = otherwise(|policy| &policy.protected);
            let is_fixed = row.is_none_or(|row| row.policy.bound.fixed || field.is_reserved());
            let values = named
                .values
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            let mut line = vec![
                limits.register.name.into(),
                field.name.into(),
                field.msb.to_string(),
                field.lsb.to_string(),
                class(named, row).into(),
                said.rule,
                nested,
                protected,
                match needs.trim() {
                    "" => "-".into(),
                    needs => needs.into(),
                },
                said.conditions,
                said.notes,
                if is_fixed { "fixed" } else { "writable" }.into(),
                row.map_or(Rule::Reserved, |row| row.rule(&row.policy.bound))
                    .name()
                    .into(),
                if sign(field, row) == 0 {
                    "unsigned"
                } else {
                    "signed"
                }
                .into(),
                row.and_then(|row| row.policy.why).unwrap_or("-").into(),
                join(values.collect()),
            ];
            if let Some(host) = host {
                let word = Facts::new(0, host).of_host(index);
                line.extend(on_host(named, row, limits, word));
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
