// SPDX-License-Identifier: GPL-2.0

//! What people and programs are told about limits.

use kernel::{
    seq_file::SeqFile,
    seq_print, //
};

use super::{
    check::Reason,
    cpufeature::Field,
    facts::{
        Fact,
        Facts, //
    },
    policy::{
        Class,
        Need, //
    },
    row::Rule,
    vm::VmRegister, //
};

/// A field of a VM's register.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(crate) register: &'static str,
    pub(crate) field: &'static Field,
    /// What decides about its values.
    pub(crate) rule: Rule,
    /// Why VMs can't have it, if it is denied.
    pub(crate) why: Option<&'static str>,
    /// Why KVM can virtualize it, if there is something to virtualize.
    pub(crate) class: Option<&'static Class>,
    /// Why the guest can use it whatever its registers say, if the class doesn't say that.
    pub(crate) untrappable: Option<&'static str>,
    /// Whether userspace can change it, before the VM runs.
    pub(crate) writable: bool,
    /// What the host has, as a number.
    pub(crate) host: u64,
    /// The most that the VM can have.
    pub(crate) limit: u64,
    /// What the register holds, or was asked to hold.
    pub(crate) value: u64,
}

/// Prints a class, and what it is about.
fn show_class(class: &Class, file: &SeqFile) {
    seq_print!(file, " {}", class.name());
    let registers = match class {
        Class::Own(registers) => registers,
        Class::Virtual(does) => {
            if let Some((register, bits)) = does.enables {
                let fields = register.fields.iter();
                for field in fields.filter(|field| bits & field.mask() != 0) {
                    seq_print!(file, " {}.{}", register.name, field.name);
                }
            }
            if let Some(function) = does.mirrored {
                seq_print!(file, " {}()", function);
            }
            does.state
        }
        Class::DataPath | Class::Trapped | Class::Inert => &[],
    };
    for register in registers.iter() {
        seq_print!(file, " {}", register.name);
    }
}

impl View {
    pub(super) fn new(register: &VmRegister<'_>, field: &'static Field, word: u64) -> Self {
        let row = register.row(field);
        // Userspace has no say in protected VMs.
        let is_protected = register.facts.has(Fact::PROTECTED);
        let rule = match row.map_or(Rule::Reserved, |row| row.rule(row.bound(&register.facts))) {
            rule @ (Rule::Reserved | Rule::Denied) => rule,
            _ if !register.is_there() => Rule::Absent,
            _ if is_protected => Rule::Fixed,
            rule => rule,
        };
        Self {
            register: register.limits.register.name,
            field,
            rule,
            why: row
                .and_then(|row| row.policy.why)
                .or((rule == Rule::Denied).then_some("protected VMs do without")),
            class: row.and_then(|row| row.bound(&register.facts).class.as_ref()),
            untrappable: row.and_then(|row| row.untrappable(&register.facts)),
            writable: register.is_there()
                && !is_protected
                && row.is_some_and(|row| row.is_writable(&register.facts)),
            host: field.get(register.host),
            limit: field.get(register.limit),
            value: field.get(word),
        }
    }

    /// All fields of a register that holds `word`, from the highest to the lowest.
    pub(crate) fn for_each(index: usize, facts: &Facts<'_>, word: u64, mut show: impl FnMut(Self)) {
        let Some(register) = VmRegister::new(index, facts) else {
            return;
        };
        for field in register.limits.register.fields {
            show(Self::new(&register, field, word));
        }
    }

    /// The field that is to blame for a refusal of `word`, by a bit of it.
    pub(crate) fn of_refusal(
        index: usize,
        bit: u32,
        reason: Reason,
        facts: &Facts<'_>,
        word: u64,
    ) -> Option<Self> {
        let register = VmRegister::new(index, facts)?;
        let view = Self::new(&register, register.field(bit)?, word);
        Some(Self {
            rule: match reason {
                Reason::Impossible if view.rule != Rule::Exact => Rule::Least,
                Reason::HasRun => Rule::HasRun,
                Reason::Needs => Rule::Needs,
                Reason::Impossible | Reason::Limit => view.rule,
            },
            ..view
        })
    }

    /// Prints a line of `idregs_limits`.
    pub(crate) fn show(&self, file: &SeqFile) {
        seq_print!(file, "{}.{}", self.register, self.field.name);
        for _ in self.register.len().saturating_add(self.field.name.len())..27 {
            seq_print!(file, " ");
        }
        seq_print!(
            file,
            " [{:>2}:{:>2}]  host 0x{:<4x} limit 0x{:<4x} vm 0x{:<4x} {:<8}  {}",
            self.field.msb,
            self.field.lsb,
            self.host,
            self.limit,
            self.value,
            if self.writable { "writable" } else { "fixed" },
            self.rule.name()
        );
        if let Some(class) = self.class {
            show_class(class, file);
        }
        if let Some(why) = self.why {
            seq_print!(file, " ({})", why);
        }
        if let Some(why) = self.untrappable {
            seq_print!(file, " usable ({})", why);
        }
        seq_print!(file, "\n");
    }

    /// Prints a line of `idregs_refused`, with what the field needs if that is to blame.
    pub(crate) fn show_refused(&self, file: &SeqFile, need: Option<&Need>) {
        seq_print!(
            file,
            "{}.{} asked 0x{:x} limit 0x{:x} host 0x{:x} rule {}",
            self.register,
            self.field.name,
            self.value,
            self.limit,
            self.host,
            self.rule.name()
        );
        if let Some(need) = need {
            let (register, field) = (need.register.name, need.field.name);
            seq_print!(file, " {}.{} 0x{:x}", register, field, need.least);
        }
        seq_print!(file, "\n");
    }
}
