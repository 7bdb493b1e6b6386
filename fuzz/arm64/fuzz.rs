// SPDX-License-Identifier: GPL-2.0

//! The target: a host, made of a real one by changing some of its fields, and a VM on it. Both
//! kernels must have it start with the same registers, and say the same of what userspace writes,
//! but for what the documentation says is different: [`EXCUSES`].

// Who would call the rest of the core stands in ffi.rs.
#![allow(dead_code, unused_imports, unexpected_cfgs)]

use flags::impl_flags;

mod c {
    include!(env!("KVM_IDREG_FACTS"));
}
#[path = "../../arch/arm64/kvm/idregs/check.rs"]
mod check;
#[path = "../../rust/kernel/cpufeature/arm64.rs"]
mod cpufeature;
#[path = "../../arch/arm64/kvm/idregs/facts.rs"]
mod facts;
#[path = "../../arch/arm64/kvm/idregs/limits.rs"]
mod limits;
#[path = "../../arch/arm64/kvm/idregs/needs.rs"]
mod needs;
#[path = "../../arch/arm64/kvm/idregs/policy.rs"]
mod policy;
#[cfg(replay)]
mod replay;
#[path = "../../arch/arm64/kvm/idregs/row.rs"]
mod row;
#[path = "../../arch/arm64/kvm/idregs/vm.rs"]
mod vm;

// `HOSTS`: those of scripts/baseline/hosts.
include!(env!("FUZZ_HOSTS"));

use check::Reason;
use cpufeature::{
    Field,
    Kind, //
};
use facts::{
    Fact,
    Facts,
    Flags,
    Host,
    CTR_EL0,
    NUM_REGISTERS, //
};
use limits::LIMITS;
use std::{
    collections::BTreeSet,
    sync::{
        atomic::{
            AtomicUsize,
            Ordering, //
        },
        Mutex,
        OnceLock, //
    }, //
};

/// As `machine.h` has it.
#[repr(C)]
#[derive(Clone)]
struct Machine {
    words: [u64; NUM_REGISTERS],
    facts: u32,
    aarch32: bool,
    nv3: bool,
}

extern "C" {
    fn base_reset(machine: *const Machine);
    fn base_set(index: u32, value: u64) -> i32;
    fn base_get(index: u32) -> u64;
    fn base_run(irqchip: u32);
    fn base_known(index: u32) -> u64;
}

impl Host for Machine {
    fn sanitised(&self, index: usize) -> u64 {
        self.words[index]
    }
}

/// The input: its bytes, and then what follows from the first of them.
struct Input<'a> {
    bytes: &'a [u8],
    seed: u64,
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        if let Some((first, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return *first;
        }
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    }

    fn below(&mut self, limit: usize) -> usize {
        let number = usize::from(self.byte()) | usize::from(self.byte()) << 8;
        number % limit
    }

    fn one_in(&mut self, limit: usize) -> bool {
        usize::from(self.byte()) % limit == 0
    }

    /// A value of a field, most often one that has a name.
    fn value(&mut self, field: &Field) -> u64 {
        let any = (u64::from(self.byte()) | u64::from(self.byte()) << 8) & field.max();
        if field.named == !0 || self.one_in(16) {
            return any;
        }
        let mut values = field.named;
        for _ in 0..u32::from(self.byte()) % values.count_ones() {
            values &= values - 1;
        }
        values.trailing_zeros().into()
    }
}

/// When a difference is one that the documentation has.
#[derive(Clone, Copy)]
enum When {
    Always,
    Vm(Fact),
    Not(Fact),
    /// The host has FEAT_MTE2 without FEAT_MTE_ASYNC, and the VM has no MTE.
    Mte2,
}
use When::*;

/// What may differ then.
#[derive(Clone, Copy)]
enum Allowed {
    /// VMs start with this, and what is above is refused, or ignored.
    Limit(u64),
    /// What is below what VMs start with is taken, too.
    Lower,
    /// The same values are signed.
    Signed,
}
use Allowed::*;

/// What may differ, by register and field: as Documentation/virt/kvm/arm/id-reg-limits.rst and
/// scripts/baseline/idregs-differences have it.
#[rustfmt::skip]
const EXCUSES: &[(&str, &str, When, Allowed)] = &[
    ("ID_AA64DFR0_EL1",  "DoubleLock",   Always,             Limit(0xf)),
    ("ID_AA64ISAR1_EL1", "LS64",         Not(Fact::EL2),     Limit(2)),
    ("ID_AA64ISAR1_EL1", "APA",          Always,             Limit(5)),
    ("ID_AA64ISAR1_EL1", "API",          Always,             Limit(5)),
    ("ID_AA64ISAR2_EL1", "APA3",         Always,             Limit(5)),
    ("ID_AA64PFR0_EL1",  "RAS",          Always,             Limit(2)),
    ("ID_AA64PFR0_EL1",  "GIC",          Always,             Limit(1)),
    ("ID_AA64PFR1_EL1",  "*",            Mte2,               Lower),
    ("ID_AA64PFR2_EL1",  "MTEFAR",       Vm(Fact::EL2),      Limit(0)),
    ("ID_AA64PFR2_EL1",  "MTESTOREONLY", Vm(Fact::EL2),      Limit(0)),
    ("ID_AA64MMFR0_EL1", "ASIDBITS",     Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR0_EL1", "PARANGE",      Not(Fact::EL2),     Limit(6)),
    ("ID_AA64MMFR0_EL1", "TGRAN4",       Vm(Fact::EL2),      Limit(0)),
    ("ID_AA64MMFR0_EL1", "TGRAN16",      Vm(Fact::EL2),      Limit(1)),
    ("ID_AA64MMFR1_EL1", "VH",           Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR1_EL1", "XNX",          Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR1_EL1", "VMIDBits",     Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR2_EL1", "EVT",          Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR2_EL1", "FWB",          Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR2_EL1", "IDS",          Not(Fact::EL2),     Lower),
    ("ID_AA64MMFR4_EL1", "E2H0",         Not(Fact::EL2),     Lower),
    ("CTR_EL0",          "DminLine",     Always,             Limit(9)),
    ("CTR_EL0",          "IminLine",     Always,             Limit(9)),
    // A VM with EL2 has no AArch32.
    ("AArch32",          "*",            Vm(Fact::EL2),      Limit(0)),
    ("ID_DFR0_EL1",      "PerfMon",      Not(Fact::AARCH32), Limit(0)),
    ("ID_DFR0_EL1",      "CopSDbg",      Always,             Limit(10)),
    ("ID_DFR0_EL1",      "CopTrc",       Always,             Limit(0)),
    ("ID_DFR0_EL1",      "MProfDbg",     Always,             Limit(0)),
    ("ID_ISAR0_EL1",     "Coproc",       Always,             Limit(0)),
    ("ID_ISAR3_EL1",     "T32EE",        Always,             Limit(0)),
    ("ID_ISAR4_EL1",     "PSR_M",        Always,             Limit(0)),
    ("ID_MMFR0_EL1",     "FCSE",         Always,             Limit(0)),
    ("ID_MMFR0_EL1",     "PMSA",         Always,             Limit(0)),
    ("ID_MMFR0_EL1",     "TCM",          Always,             Limit(0)),
    ("ID_MMFR3_EL1",     "Supersec",     Always,             Signed),
    ("ID_PFR0_EL1",      "State2",       Always,             Limit(1)),
    ("ID_PFR0_EL1",      "State3",       Always,             Limit(0)),
    ("ID_PFR1_EL1",      "MProgMod",     Always,             Limit(0)),
];

/// Whether a field may differ, and how.
fn excuse(register: &str, field: &Field, machine: &Machine) -> Option<Allowed> {
    let has = |fact: Fact| machine.facts & fact as u32 != 0;
    let row = EXCUSES.iter().find(|(of, name, when, _)| {
        let is_of = match *of {
            "AArch32" => {
                register.starts_with("MVFR")
                    || !register.contains("AA64") && register.starts_with("ID_")
            }
            of => of == register,
        };
        is_of
            && (*name == "*" || *name == field.name)
            && match when {
                Always => true,
                Vm(fact) => has(*fact),
                Not(fact) => !has(*fact),
                Mte2 => {
                    use cpufeature::ID_AA64PFR1_EL1::{
                        MTE_frac,
                        MTE,
                        REGISTER, //
                    };

                    let host = machine.words[facts::index(&REGISTER)];
                    MTE::FIELD.get(host) == MTE::MTE2
                        && MTE_frac::FIELD.get(host) == MTE_frac::NI
                        && (!has(Fact::MTE) || has(Fact::EL2))
                }
            }
    });
    row.map(|(.., allowed)| *allowed)
}

fn errno(reason: Reason) -> i32 {
    match reason {
        Reason::HasRun => -16,
        _ => -22,
    }
}

/// What a VM starts with, before rules between fields, which C didn't know.
const AT_MOST: &str = "at most";

static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static DIFFERENCES: AtomicUsize = AtomicUsize::new(0);

fn differ(what: &str, index: usize, machine: &Machine, base: &str, ours: &str) {
    let facts: Vec<_> = Fact::ALL
        .iter()
        .filter(|(fact, ..)| machine.facts & *fact as u32 != 0)
        .map(|(_, source, name)| format!("{source}({name})"))
        .collect();
    DIFFERENCES.fetch_add(1, Ordering::Relaxed);
    let survey = cfg!(replay) || std::env::var_os("FUZZ_SURVEY").is_some();
    let difference = format!(
        "DIFFERENCE in {}{what}: unmodified {base}, ours {ours}",
        LIMITS[index].register.name
    );
    // On real machines, and with FUZZ_SURVEY=1, each is told once.
    let key = if machine.facts & Fact::EL2 as u32 != 0 {
        format!("nested {}{what}", LIMITS[index].register.name)
    } else {
        format!("{}{what}", LIMITS[index].register.name)
    };
    if !survey || SEEN.lock().unwrap().insert(key) {
        eprintln!(
            "\n{difference}, nested {}\nhost: {:#018x}, AArch32 {}, {}",
            machine.facts & Fact::EL2 as u32 != 0,
            machine.words[index],
            machine.aarch32,
            facts.join(" ")
        );
    }
    if !survey {
        std::process::abort();
    }
}

/// Compares two words, but for fields that may differ.
fn same(what: &str, index: usize, machine: &Machine, base: u64, ours: u64) {
    let register = LIMITS[index].register;
    let differs = |field: &&Field| (base ^ ours) & field.mask() != 0;
    for field in register.fields.iter().filter(differs) {
        let [old, new] = [base, ours].map(|word| field.get(word));
        let may_differ = match excuse(register.name, field, machine) {
            Some(Limit(limit)) => what != AT_MOST || limit == new,
            Some(_) => what != AT_MOST,
            None => false,
        };
        if !may_differ {
            differ(
                &format!(".{}, {what}", field.name),
                index,
                machine,
                &format!("{old:#x}"),
                &format!("{new:#x}"),
            );
        }
    }
}

/// What cpufeature would have: nothing that it has no row for, and, as values without a name are cut,
/// which is documented, and no host has one, what has a name.
fn sane(index: usize, word: u64) -> u64 {
    static KNOWN: OnceLock<[u64; NUM_REGISTERS]> = OnceLock::new();

    // SAFETY: There are as many registers.
    let known =
        KNOWN.get_or_init(|| core::array::from_fn(|index| unsafe { base_known(index as u32) }));
    let known = known[index];
    let fields = LIMITS[index].register.fields;
    let mut sane = 0;
    for field in fields.iter().filter(|field| known & field.mask() != 0) {
        let value = field.get(word);
        let named = |value: &u64| *value > 63 || field.named >> value & 1 != 0;
        let value = match field.kind {
            Kind::Unsigned | Kind::Signed => (0..=value)
                .rev()
                .chain(value..=field.max())
                .find(named)
                .unwrap_or(0),
            Kind::Number => value,
            Kind::Res1 => field.max(),
            Kind::Res0 | Kind::Raz => 0,
        };
        sane = field.put(sane, value);
    }
    sane
}

fn make_machine(input: &mut Input<'_>) -> Machine {
    let (_, words) = HOSTS[input.below(HOSTS.len())];
    let mut machine = Machine {
        words,
        facts: 0,
        aarch32: false,
        nv3: false,
    };
    for _ in 0..input.below(8) {
        let index = input.below(NUM_REGISTERS);
        let fields = LIMITS[index].register.fields;
        let field = &fields[input.below(fields.len())];
        machine.words[index] = field.put(machine.words[index], input.value(field));
    }
    for (index, word) in machine.words.iter_mut().enumerate() {
        *word = sane(index, *word);
    }

    let facts = u32::from(input.byte())
        | u32::from(input.byte()) << 8
        | u32::from(input.byte()) << 16
        | u32::from(input.byte()) << 24;
    settle(machine, facts)
}

/// The machine with these facts, as far as they don't follow from others or from its registers.
fn settle(mut machine: Machine, mut facts: u32) -> Machine {
    let mut rule = |fact: Fact, holds: bool| {
        facts = facts & !(fact as u32) | if holds { fact as u32 } else { 0 };
    };
    for fact in [
        Fact::PROTECTED,
        Fact::VGIC_V3,
        Fact::VGIC_V5,
        Fact::PMU_IMP_DEF,
        Fact::RAS_IMP,
        Fact::MTE2,
        Fact::STAGE2_4K,
        Fact::STAGE2_16K,
        Fact::STAGE2_64K,
    ] {
        rule(fact, false);
    }
    // What the kernel makes of the CPUs follows from their registers.
    const PFR0: usize = facts::index(&cpufeature::ID_AA64PFR0_EL1::REGISTER);
    const MMFR4: usize = facts::index(&cpufeature::ID_AA64MMFR4_EL1::REGISTER);
    use cpufeature::{
        ID_AA64MMFR4_EL1::NV_frac,
        ID_AA64PFR0_EL1::{
            CSV2,
            CSV3,
            EL0, //
        }, //
    };
    machine.aarch32 = EL0::FIELD.get(machine.words[PFR0]) == EL0::AARCH32;
    machine.nv3 = NV_frac::FIELD.get(machine.words[MMFR4]) >= NV_frac::NV3;
    if !machine.aarch32 {
        machine.words[..24].fill(0);
    }
    if CSV2::FIELD.get(machine.words[PFR0]) != 0 {
        rule(Fact::SPECTRE_V2_UNAFFECTED, true);
    }
    if CSV3::FIELD.get(machine.words[PFR0]) != 0 {
        rule(Fact::MELTDOWN_UNAFFECTED, true);
    }
    let has = |fact: Fact| facts & fact as u32 != 0;
    let nested = has(Fact::EL2);
    let e2h0 = has(Fact::E2H0) && nested;
    let aarch32 = machine.aarch32 && !nested;
    let over_4k = has(Fact::PAGE_OVER_4K) || has(Fact::PAGE_OVER_16K);
    let mut rule = |fact: Fact, holds: bool| {
        facts = facts & !(fact as u32) | if holds { fact as u32 } else { 0 };
    };
    rule(Fact::E2H0, e2h0);
    rule(Fact::AARCH32, aarch32);
    rule(Fact::PAGE_OVER_4K, over_4k);
    machine.facts = facts
        & Fact::ALL
            .iter()
            .fold(0, |all, (fact, ..)| all | *fact as u32);
    machine
}

/// What a VM starts with.
fn start(machine: &Machine) -> [u64; NUM_REGISTERS] {
    let facts = Facts::new(machine.facts, machine);

    // SAFETY: It is as C has it.
    unsafe { base_reset(machine) };
    core::array::from_fn(|index| {
        let word = vm::highest(index, &facts);
        // SAFETY: There are as many registers.
        let base = unsafe { base_get(index as u32) };
        same(AT_MOST, index, machine, base, word);
        word
    })
}

/// What is left once it has run with an interrupt controller.
fn run(machine: &Machine, irqchip: u32, words: &mut [u64; NUM_REGISTERS]) {
    // SAFETY: No more is asked of it.
    unsafe { base_run(irqchip) };
    let has = match irqchip {
        2 => Fact::VGIC_V3 as u32,
        3 => Fact::VGIC_V5 as u32,
        _ => 0,
    };
    let facts = Facts::new(machine.facts | has, machine);
    for (index, word) in words.iter_mut().enumerate() {
        *word = vm::with_irqchip(index, *word, &facts);
    }
    needs::clear(words, &facts);
    for (index, word) in words.iter().enumerate() {
        // SAFETY: There are as many registers.
        let base = unsafe { base_get(index as u32) };
        same("once it has run", index, machine, base, *word);
    }
}

/// What userspace writes to a field of a register that is the same in both. Returns whether both
/// can go on.
fn write(
    machine: &Machine,
    words: &mut [u64; NUM_REGISTERS],
    has_run: bool,
    (index, field, value): (usize, &Field, u64),
) -> bool {
    let register = LIMITS[index].register;
    let before = words[index];
    let asked = field.put(before, value);
    // SAFETY: There are as many registers.
    let (base, after) = unsafe { (base_set(index as u32, asked), base_get(index as u32)) };
    let facts = Facts::new(machine.facts, machine);
    let ours = check::check(index, &facts, asked, has_run.then_some(before));
    let verdict = match ours {
        Ok(_) => 0,
        Err(refusal) => errno(refusal.reason),
    };
    let is_named = value > 63 || field.named >> value & 1 != 0;
    if let (Ok(word), false) = (ours, has_run) {
        words[index] = word;
    }
    let start = field.get(vm::highest(index, &facts));
    let sign = match field.kind {
        Kind::Signed => (field.max() >> 1) + 1,
        _ => 0,
    };
    let is_above = value ^ sign > start ^ sign;
    let may_be = match excuse(register.name, field, machine) {
        Some(_) if ours == Ok(before) => true,
        Some(Limit(_)) => base == 0 && verdict != 0 && is_above,
        Some(Lower) => base != 0 && verdict == 0 && !is_above,
        Some(Signed) => true,
        None => false,
    };
    if may_be {
        return true;
    }
    // Values without a name are refused, which is documented.
    if !is_named && base == 0 && verdict != 0 {
        // SAFETY: As above.
        return unsafe { base_set(index as u32, before) } == 0;
    }
    if base != verdict {
        differ(
            &format!(
                ".{}, written {value:#x} over {:#x}",
                field.name,
                field.get(before)
            ),
            index,
            machine,
            &base.to_string(),
            &verdict.to_string(),
        );
    }
    same("written", index, machine, after, words[index]);
    true
}

fn fuzz(input: &mut Input<'_>) {
    let machine = make_machine(input);
    let mut words = start(&machine);
    let mut has_run = false;
    for _ in 0..input.below(24) {
        if !has_run && input.one_in(16) {
            run(&machine, input.below(4) as u32, &mut words);
            has_run = true;
        }

        let index = input.below(NUM_REGISTERS);
        let register = LIMITS[index].register;
        let field = &register.fields[input.below(register.fields.len())];
        // SAFETY: There are as many registers.
        if unsafe { base_get(index as u32) } != words[index] {
            continue;
        }
        let value = if input.one_in(8) {
            field.get(machine.words[index])
        } else {
            input.value(field)
        };
        if !write(&machine, &mut words, has_run, (index, field, value)) {
            return;
        }
    }
}

#[no_mangle]
extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> i32 {
    let bytes = if size == 0 {
        &[][..]
    } else {
        // SAFETY: The fuzzer promises that there are as many.
        unsafe { std::slice::from_raw_parts(data, size) }
    };
    let seed = bytes
        .iter()
        .take(8)
        .fold(0x9e37_79b9_7f4a_7c15_u64, |seed, byte| {
            (seed ^ u64::from(*byte)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        });
    fuzz(&mut Input {
        bytes: &bytes[bytes.len().min(4)..],
        seed: seed | 1,
    });
    0
}
