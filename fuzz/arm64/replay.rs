// SPDX-License-Identifier: GPL-2.0

//! A real machine instead of a made-up one: reads its ID registers, lines "INDEX WORD" in
//! hexadecimal, and compares VMs of each configuration there. What the registers don't say is all
//! off, all on, and each for itself.

use super::*;

/// What a VM is configured with, but for EL2.
const OPTIONS: [Fact; 4] = [Fact::SVE, Fact::MTE, Fact::PTRAUTH, Fact::PMU];
const EL2: [u32; 3] = [0, Fact::EL2 as u32, Fact::EL2 as u32 | Fact::E2H0 as u32];

/// What each subset of some facts has, in whichever order.
fn subsets(facts: &[Fact]) -> Vec<u32> {
    facts.iter().fold(vec![0], |sets, fact| {
        let with = sets.iter().map(|set| set | *fact as u32);
        with.chain(sets.iter().copied()).collect()
    })
}

/// None of what the host and its kernel may be, all, each alone, and all but each.
fn surroundings() -> Vec<u32> {
    let facts = Fact::ALL.iter().filter(|(_, source, _)| *source != "vm");
    let facts: Vec<_> = facts.map(|(fact, ..)| *fact as u32).collect();
    let all = facts.iter().fold(0, |all, fact| all | fact);
    let each = facts.iter().flat_map(|fact| [*fact, all & !fact]);
    [0, all].into_iter().chain(each).collect()
}

/// Values of a field: all, or of a wide one those that matter.
fn values(field: &Field, host: u64) -> Vec<u64> {
    match field.max() {
        max @ 0..64 => (0..=max).collect(),
        max => vec![0, 1, field.get(host), max],
    }
}

/// Each value of each field is written, over what the VM starts with.
fn write_all(machine: &Machine) {
    let words = start(machine);
    for (index, word) in words.iter().enumerate() {
        for field in LIMITS[index].register.fields {
            for value in values(field, machine.words[index]) {
                // SAFETY: There are as many registers.
                if unsafe { base_get(index as u32) } != *word {
                    continue;
                }
                write(machine, &mut words.clone(), false, (index, field, value));
                // SAFETY: As above.
                unsafe { base_set(index as u32, *word) };
            }
        }
    }
}

fn replay(words: [u64; NUM_REGISTERS]) -> usize {
    let words = core::array::from_fn(|index| sane(index, words[index]));
    let options = subsets(&OPTIONS);
    let surroundings = surroundings();
    let mut variants = 0;
    for (n, around) in surroundings.iter().enumerate() {
        for el2 in EL2 {
            for vm in &options {
                let machine = Machine {
                    words,
                    facts: 0,
                    aarch32: false,
                    nv3: false,
                };
                let machine = settle(machine, around | el2 | vm);
                for irqchip in 0..4 {
                    run(&machine, irqchip, &mut start(&machine));
                }
                // In nothing and all: writes take their time.
                if n < 2 {
                    write_all(&machine);
                }
                variants += 1;
            }
        }
    }
    variants
}

/// The C is that which is fuzzed.
#[no_mangle]
extern "C" fn __sanitizer_cov_8bit_counters_init() {}
#[no_mangle]
extern "C" fn __sanitizer_cov_pcs_init() {}

#[no_mangle]
extern "C" fn main() -> i32 {
    let mut words = [0; NUM_REGISTERS];
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let numbers = line.split_once(' ').and_then(|(index, word)| {
            let index = usize::from_str_radix(index, 16).ok()?;
            Some((words.get_mut(index)?, u64::from_str_radix(word, 16).ok()?))
        });
        match numbers {
            Some((at, word)) => *at = word,
            None => return 2,
        }
    }
    let variants = replay(words);
    let differences = DIFFERENCES.load(Ordering::Relaxed);
    println!("{variants} variants, {differences} differences");
    i32::from(differences != 0)
}
