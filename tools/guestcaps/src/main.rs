// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What guests of KVM can have, and why not more: a program for operators and for scripts.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use guestcaps::{
    check, common, diff,
    document::{self, Document, Prop, Registers, Version},
    facts::{self, Order},
    kvm, lint,
    model::{Model, Word},
    offer::{Feature, Offer, Reason},
    place::Arch,
    read,
    show::{cell, wrapped, Cell, Look, Table},
    vcpu, Finding,
};

/// What guests of KVM can have, and why not more.
///
/// Exit status: 0 if it fits, is the same, breaks no rule, or all fields have a value in common; 1 if
/// not; 2 if that can't be told.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Show all, and not only what matters
    #[arg(long, short, global = true)]
    all: bool,
    /// For programs; Documentation/guestcaps.schema.json has the schema
    #[arg(long, global = true)]
    json: bool,
}

/// What VMs are configured with.
#[derive(Args)]
struct Vm {
    /// What arm64 VMs are configured with: sve, pauth, pmu, mte, el2, or none of them (default: as
    /// the model has it, or as its registers show; without a model, all but el2)
    #[arg(long, value_name = "FEATURE,...")]
    vm: Option<String>,
}

/// How KVM is asked.
#[derive(Args)]
struct Ask {
    #[command(flatten)]
    vm: Vm,
    /// Try values, as on kernels that can't be asked
    #[arg(long = "try")]
    no_ask: bool,
}

#[derive(Subcommand)]
enum Command {
    /// What this host's KVM offers
    Host(Ask),
    /// Whether a model fits on this host, why not, and the nearest that does
    Check {
        /// Lines REGISTER VALUE, what cpuid -r prints, a dump, or a CPU template of Firecracker's
        model: String,
        #[command(flatten)]
        ask: Ask,
    },
    /// What the vCPUs of a running process have, and why not more (as root)
    Vcpu {
        /// Process ID of the VMM
        pid: u32,
    },
    /// The largest model that several hosts accept, and who lacks what
    Common {
        /// A dump of each
        #[arg(required = true, num_args = 2..)]
        hosts: Vec<String>,
    },
    /// Where two models or hosts differ
    Diff {
        /// A model, or a dump of a host, as for check
        a: String,
        /// What to compare it with
        b: String,
    },
    /// What this host offers, and what its processor has, for common, diff and make replay elsewhere
    Dump(Ask),
    /// Rules between fields that a model breaks
    Lint {
        /// As for check
        model: String,
        #[command(flatten)]
        vm: Vm,
    },
}

type Failed = Box<dyn std::error::Error>;

/// What a command has to say, and whether all is well.
struct Said {
    text: String,
    document: Document,
    ok: bool,
}

impl Vm {
    fn features(&self) -> Result<Option<Vec<Feature>>, String> {
        let Some(text) = &self.vm else {
            return Ok(None);
        };
        let names = text.split(',').filter(|name| !matches!(*name, "" | "none"));
        let found: Result<Vec<_>, _> = names
            .map(|name| {
                name.trim()
                    .parse()
                    .map_err(|what: String| format!("--vm {name}: {what}"))
            })
            .collect();
        found.map(Some)
    }

    fn wanted(&self, model: &Model) -> Result<Vec<Feature>, String> {
        Ok(self.features()?.unwrap_or_else(|| model.wanted_vm()))
    }
}

impl Ask {
    fn host(&self, features: Option<&[Feature]>) -> Result<Model, kvm::Failed> {
        kvm::host(features, !self.no_ask)
    }
}

/// Dumps, by names that tell them apart.
fn files(paths: &[String]) -> Result<Vec<Model>, Failed> {
    let mut models = paths
        .iter()
        .map(|path| read::file(path))
        .collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = models.iter().map(|model| model.name.clone()).collect();
    for (model, path) in models.iter_mut().zip(paths) {
        if names.iter().filter(|name| **name == model.name).count() > 1 {
            model.name.clone_from(path);
        }
    }
    match models
        .windows(2)
        .all(|two| matches!(two, [a, b] if a.arch() == b.arch()))
    {
        true => Ok(models),
        false => Err("some are of arm64, and some of x86".into()),
    }
}

impl Cli {
    fn run(&self) -> Result<Said, Failed> {
        match &self.command {
            Command::Host(ask) => self.host(ask),
            Command::Check { model, ask } => self.check(&read::file(model)?, ask),
            Command::Vcpu { pid } => self.vcpu(*pid),
            Command::Common { hosts } => self.common(&files(hosts)?),
            Command::Diff { a, b } => match files(&[a.clone(), b.clone()])?.as_slice() {
                [a, b] => self.diff(a, b),
                _ => Err("two are compared".into()),
            },
            Command::Dump(ask) => {
                kvm::stay()?;
                let cpu = kvm::cpu();
                let features = ask.vm.features()?;
                let mut document = match ask.host(features.as_deref()) {
                    Ok(host) => of_host("dump", &host, features.as_deref()),
                    Err(missing) => Document {
                        about: kvm::about(),
                        notes: vec![format!("{missing}: only the processor is dumped")],
                        ..of_host("dump", &Model::default(), None)
                    },
                };
                for note in &document.notes {
                    let _ = writeln!(anstream::stderr(), "guestcaps: {note}");
                }
                document.arch = cpu.keys().next().map(|place| place.arch());
                document.cpu = Some(Registers(cpu));
                Ok(Said {
                    text: document::to_json(&document)?,
                    document,
                    ok: true,
                })
            }
            Command::Lint { model, vm } => {
                let mut model = read::file(model)?;
                model.vm = Some(vm.wanted(&model)?);
                self.lint(&model)
            }
        }
    }

    fn host(&self, ask: &Ask) -> Result<Said, Failed> {
        let features = ask.vm.features()?;
        let host = ask.host(features.as_deref())?;
        let document = of_host("host", &host, features.as_deref());
        let mut text = head(&host) + &dim(&document.notes);
        if self.all {
            let _ = write!(text, "\n{}", table_of_all(&host));
        } else {
            let _ = write!(text, "\n{}", summary(&host));
            let more = table_of_more(&host);
            if more.has_rows() {
                let _ = write!(text, "\n{}\n{more}", Look::Head.of("The host has more"));
            }
        }
        Ok(Said {
            text,
            document,
            ok: true,
        })
    }

    fn check(&self, model: &Model, ask: &Ask) -> Result<Said, Failed> {
        let features = ask.vm.wanted(model)?;
        let host = ask.host(Some(&features))?;
        let checked = kvm::check(model, &host)?;
        Ok(self.judged(model, &host, &features, checked))
    }

    /// What there is to say of a model, wanted on a host for VMs with these features.
    fn judged(
        &self,
        model: &Model,
        host: &Model,
        wanted: &[Feature],
        checked: kvm::Checked,
    ) -> Said {
        let (findings, mut notes) = (checked.findings, checked.notes);
        let lacks = lacks(host, wanted);
        let has_all = lacks.is_none();
        notes.extend(lacks);
        notes.extend(
            model
                .ignored
                .iter()
                .map(|what| format!("not looked at: {what}")),
        );
        let (mut misfits, broken): (Vec<_>, Vec<_>) =
            findings.iter().partition(|finding| finding.is_misfit());
        // One that wants two others is told of twice.
        misfits.dedup_by_key(|finding| (finding.place, finding.field.lsb));
        let nearest = check::nearest(model, &findings);
        let ok = misfits.is_empty() && has_all && checked.refused.is_none();

        let mut text = head(host);
        if ok {
            let _ = writeln!(text, "\n{} {}", model.name, Look::Good.of("fits."));
        } else if misfits.is_empty() {
            let look = Look::Bad.of("does not fit.");
            let _ = writeln!(text, "\n{} {look}", model.name);
        } else {
            let mut table = Table::new(&["field", "wanted", "can be", "take", "why"]);
            for finding in &misfits {
                table.row(row_of(finding));
            }
            let number = misfits.len();
            let _ = write!(
                text,
                "\n{} {}\n\n{table}\n",
                model.name,
                Look::Bad.of(format_args!(
                    "does not fit, in {number} field{}.",
                    if number == 1 { "" } else { "s" }
                )),
            );
            let _ = write!(
                text,
                "{}\n{}",
                Look::Head.of("The nearest that fits"),
                model_lines(&nearest, Some(model), self.all)
            );
        }
        text += &rules(&broken);
        let refused = checked.refused;
        notes.extend(refused.map(|what| format!("KVM refuses the nearest: {what}")));
        text += &dim(&notes);
        let document = Document {
            props: Some(findings.iter().map(Finding::prop).collect()),
            registers: Some(Registers(nearest.words)),
            ok: Some(ok),
            notes,
            ..of_model("check", host)
        };
        Said { text, document, ok }
    }

    fn vcpu(&self, pid: u32) -> Result<Said, Failed> {
        const KVM: &str = "/sys/kernel/debug/kvm";
        let guests =
            vcpu::guests(Path::new(KVM), pid).map_err(|error| format!("{KVM}: {error}"))?;
        if guests.is_empty() {
            let what = "it has no VM with a vCPU, or this kernel does not tell what VMs have";
            return Err(format!("process {pid}: {what}").into());
        }
        let (mut text, mut props) = (String::new(), Vec::new());
        for guest in &guests {
            let _ = writeln!(text, "{}", Look::Head.of(&guest.name));
            let on_arm64 = guest.lines.iter().any(|line| line.place.starts_with('['));
            let asked = if on_arm64 { "limit" } else { "asked" };
            let mut table = Table::new(&["name", "where", "host", asked, "has", "why", ""]);
            for line in guest.lines.iter().filter(|line| self.all || line.matters()) {
                let look = if line.matters() && line.has_less() {
                    Look::Bad
                } else {
                    Look::Plain
                };
                let cells = [&line.place, &line.host, &line.asked];
                let ends = [
                    cell(&line.has, look),
                    Cell::from(&line.why),
                    cell(&line.words, Look::Dim),
                ];
                table.row(
                    [Cell::from(&line.name)]
                        .into_iter()
                        .chain(cells.map(Cell::from))
                        .chain(ends),
                );
            }
            if table.has_rows() {
                let _ = write!(text, "{table}");
            }
            if !on_arm64 {
                let count = |of: fn(&vcpu::Line) -> &str| {
                    guest.lines.iter().filter(|line| of(line) == "1").count()
                };
                let (asked, has) = (count(|line| &line.asked), count(|line| &line.has));
                let _ = writeln!(
                    text,
                    "Guest CPUID asks for {asked} features, the vCPU may use {has}."
                );
            }
            for line in &guest.refused {
                let _ = writeln!(text, "{} {line}", Look::Bad.of("refused"));
            }
            text.push('\n');
            props.extend(guest.lines.iter().filter(|line| self.all || line.matters()).map(|line| {
                serde_json::json!({
                    "guest": guest.name, "name": line.name, "where": line.place, "host": line.host,
                    asked: line.asked, "has": line.has, "why": line.why, "words": line.words
                })
            }));
        }
        if self.json {
            let refused: Vec<_> = guests.iter().flat_map(|guest| &guest.refused).collect();
            // Its lines are debugfs's, and no fields of the crate's.
            let document = serde_json::json!({
                "guestcaps": 1, "command": "vcpu", "guests": props, "refused": refused
            });
            text = serde_json::to_string_pretty(&document)? + "\n";
        }
        Ok(Said {
            text,
            document: Document::default(),
            ok: true,
        })
    }

    fn common(&self, hosts: &[Model]) -> Result<Said, Failed> {
        let common = common::common(hosts);
        if common.model.words.is_empty() {
            return Err("the hosts have no register in common".into());
        }
        let name = |n: usize| hosts.get(n).map_or("", |host| host.name.as_str());
        let mut table = Table::new(&["feature", "common", "best", "who lacks it"]);
        let (mut conflicts, mut aarch32) = (Vec::new(), 0);
        for shared in &common.fields {
            let number = shared.field.order == Order::Number;
            if shared.value.is_none() && (!number || self.all) {
                conflicts.push(shared.field.full_name(shared.place));
            }
            let lacking: Vec<_> = shared.lacking().collect();
            if !self.all && shared.place.is_aarch32() && !lacking.is_empty() {
                aarch32 += 1;
                continue;
            }
            if !common::matters(shared, hosts) || lacking.is_empty() && !self.all {
                continue;
            }
            let few = if lacking.len() == hosts.len() - 1 && hosts.len() > 4 {
                let has = (0..hosts.len()).filter(|n| !lacking.contains(n)).map(name);
                format!("all but {}", has.collect::<Vec<_>>().join(", "))
            } else {
                let most = |n: usize| shared.most.get(n).copied().unwrap_or(0);
                let zero = shared.field.get(0);
                let lacking = lacking.iter().map(|n| match most(*n) {
                    value if value == zero => name(*n).to_string(),
                    value => format!("{} ({value:#x})", name(*n)),
                });
                lacking.collect::<Vec<_>>().join(", ")
            };
            let value = shared
                .value
                .map_or("none".into(), |value| shared.field.value_name(value));
            let look = if shared.value.is_none() {
                Look::Bad
            } else {
                Look::Plain
            };
            table.row([
                shared.field.full_name(shared.place).into(),
                cell(value, look),
                shared.field.value_name(shared.best).into(),
                few.into(),
            ]);
        }
        let mut notes = Vec::new();
        if aarch32 > 0 {
            notes.push(format!("Of AArch32, {aarch32} more: --all shows them."));
        }
        if hosts.iter().any(|host| host.offers.is_empty()) {
            notes.push(
                "Not all are dumps with what KVM offers: of the others, only values are known."
                    .into(),
            );
        }
        let mut missing = BTreeMap::<_, Vec<_>>::new();
        for (what, hosts) in &common.missing {
            missing.entry(hosts).or_default().push(what.as_str());
        }
        for (hosts, what) in missing {
            let hosts: Vec<_> = hosts.iter().map(|n| name(*n)).collect();
            notes.push(format!(
                "Left open, as nothing is known of {}: {}.",
                hosts.join(", "),
                what.join(", ")
            ));
        }
        if !conflicts.is_empty() {
            notes.push(format!(
                "Left open, as no value fits on all: {}.",
                conflicts.join(", ")
            ));
        }
        let mut text = format!(
            "{} {}\n",
            Look::Head.of("Hosts"),
            (0..hosts.len()).map(name).collect::<Vec<_>>().join(", ")
        );
        if table.has_rows() {
            let _ = write!(text, "\n{table}");
        }
        let vm = common.model.vm.as_ref().filter(|vm| !vm.is_empty());
        let vm = vm.map_or(String::new(), |vm| {
            format!("  # VMs with {}", Feature::names(vm))
        });
        let _ = write!(
            text,
            "\n{}{vm}\n{}",
            Look::Head.of("# The largest model that all accept"),
            model_lines(&common.model, None, self.all)
        );
        for note in &notes {
            let _ = writeln!(text, "{}", Look::Dim.of(format_args!("# {note}")));
        }
        let has_value =
            |shared: &common::Shared| shared.value.is_some() || shared.field.order == Order::Number;
        let ok = common.fields.iter().all(has_value);
        let props = common
            .fields
            .iter()
            .filter(|shared| self.all || shared.lacking().next().is_some())
            .map(|shared| Prop {
                value: shared.value,
                max: Some(shared.best),
                hosts: hosts
                    .iter()
                    .map(|host| host.name.clone())
                    .zip(shared.most.iter().copied().map(Some))
                    .collect(),
                blockers: shared.lacking().map(|n| name(n).to_string()).collect(),
                ..Prop::new(shared.place, &shared.field)
            });
        let document = Document {
            props: Some(props.collect()),
            registers: Some(Registers(common.model.words.clone())),
            ok: Some(ok),
            notes,
            ..of_model("common", &common.model)
        };
        Ok(Said { text, document, ok })
    }

    fn diff(&self, a: &Model, b: &Model) -> Result<Said, Failed> {
        let differences = diff::diff(a, b);
        let vm = diff::vm(a, b).map(|vm| vm.map(|features| Feature::names(&features)));
        let ok = differences.is_empty() && vm.is_none();
        let mut table = Table::new(&["field", &a.name, "", &b.name]);
        let mut text = String::new();
        for key in a
            .about
            .keys()
            .chain(b.about.keys())
            .collect::<std::collections::BTreeSet<_>>()
        {
            let [of_a, of_b] = [a, b].map(|model| model.about.get(key).map_or("-", String::as_str));
            if of_a != of_b {
                table.row([
                    cell(key, Look::Dim),
                    cell(of_a, Look::Dim),
                    Cell::default(),
                    cell(of_b, Look::Dim),
                ]);
            }
        }
        if let Some([of_a, of_b]) = &vm {
            table.row(["VMs with".into(), of_a.into(), Cell::default(), of_b.into()]);
        }
        let mut aarch32 = 0;
        for difference in &differences {
            if !self.all && difference.place.is_aarch32() {
                aarch32 += 1;
                continue;
            }
            let name = |word: Word| match word.mask {
                0 => "-".into(),
                mask if mask == difference.field.max() => difference.field.value_name(word.value),
                mask => format!("{:#x}/{mask:#x}", word.value),
            };
            let [of_a, of_b] = difference.values.map(name);
            let sign = match difference.more() {
                Some(0) => ">",
                Some(_) => "<",
                None => "",
            };
            table.row([
                difference.field.full_name(difference.place).into(),
                of_a.into(),
                cell(sign, Look::Bad),
                of_b.into(),
            ]);
        }
        if table.has_rows() {
            let _ = write!(text, "{table}");
        }
        if aarch32 > 0 {
            let _ = writeln!(
                text,
                "{}",
                Look::Dim.of(format_args!(
                    "Of AArch32, {aarch32} more: --all shows them."
                ))
            );
        }
        if ok {
            let _ = writeln!(text, "{}", Look::Good.of("They say the same."));
        }
        let note = |[of_a, of_b]: [String; 2]| {
            format!("{}: VMs with {of_a}; {}: VMs with {of_b}", a.name, b.name)
        };
        let said = |word: Word| (word.mask != 0).then_some(word.value);
        let props = differences.iter().map(|difference| Prop {
            hosts: [a, b]
                .map(|model| model.name.clone())
                .into_iter()
                .zip(difference.values.map(said))
                .collect(),
            ..Prop::new(difference.place, &difference.field)
        });
        let document = Document {
            props: Some(props.collect()),
            ok: Some(ok),
            notes: vm.map(note).into_iter().collect(),
            ..of_model("diff", &Model::default())
        };
        Ok(Said { text, document, ok })
    }

    fn lint(&self, model: &Model) -> Result<Said, Failed> {
        let findings = lint::lint(model);
        let ok = findings.is_empty();
        let text = match ok {
            true => format!(
                "{} {}\n",
                model.name,
                Look::Good.of("breaks no rule that is known.")
            ),
            false => rules(&findings.iter().collect::<Vec<_>>()),
        };
        let document = Document {
            props: Some(findings.iter().map(Finding::prop).collect()),
            ok: Some(ok),
            ..of_model(
                "lint",
                &Model {
                    name: model.name.clone(),
                    ..Model::default()
                },
            )
        };
        Ok(Said { text, document, ok })
    }
}

/// What there is to say before all else.
fn of_model(command: &str, model: &Model) -> Document {
    Document {
        guestcaps: Some(Version),
        command: Some(command.into()),
        arch: model.arch(),
        source: model.source,
        about: model.about.clone(),
        vm: model.vm.clone(),
        ..Document::default()
    }
}

fn of_host(command: &str, host: &Model, wanted: Option<&[Feature]>) -> Document {
    Document {
        props: Some(host.offers.iter().map(Prop::from).collect()),
        notes: lacks(host, wanted.unwrap_or_default())
            .into_iter()
            .collect(),
        ..of_model(command, host)
    }
}

fn lacks(host: &Model, wanted: &[Feature]) -> Option<String> {
    let lacking = host.lacking(wanted);
    let names = Feature::names(&lacking);
    (!lacking.is_empty()).then(|| format!("KVM has no {names} for VMs here"))
}

fn dim(notes: &[String]) -> String {
    notes.iter().map(|note| Look::Dim.of(note) + "\n").collect()
}

fn head(host: &Model) -> String {
    let about = |key: &str| host.about.get(key).cloned();
    let words: Vec<_> = ["kernel", "cpu"].into_iter().filter_map(about).collect();
    let mut text = format!("{}\n", Look::Head.of(words.join(", ")));
    if let Some(vm) = &host.vm {
        let _ = writeln!(text, "VMs with {}.", Feature::names(vm));
    }
    if let Some(source) = host.source {
        let _ = writeln!(text, "{}", Look::Dim.of(source.sentence()));
    }
    text
}

fn row_of(finding: &Finding) -> [Cell; 5] {
    let name = |value| finding.field.value_name(value);
    [
        finding.field.long_name(finding.place).into(),
        cell(name(finding.wanted), Look::Bad),
        Cell::from(&finding.range),
        cell(finding.take.map(name).unwrap_or_default(), Look::Good),
        Cell::from(&finding.why),
    ]
}

fn rules(broken: &[&Finding]) -> String {
    if broken.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["field", "is", "rule that it breaks"]);
    for finding in broken {
        let is = finding.field.value_name(finding.wanted);
        table.row([
            finding.field.full_name(finding.place).into(),
            cell(is, Look::Bad),
            Cell::from(&finding.why),
        ]);
    }
    format!("\n{table}")
}

/// In lines that are read again; what differs from another model is marked.
fn model_lines(model: &Model, other: Option<&Model>, all: bool) -> String {
    let is_zero = |word: &Word| word.value & word.mask == 0 && other.is_none() && !all;
    let mut text = String::new();
    for (place, word) in model.words.iter().filter(|(_, word)| !is_zero(word)) {
        let _ = write!(text, "{place:18} {}", document::word_text(*place, *word));
        if other.is_some_and(|other| other.words.get(place) != Some(word)) {
            let _ = write!(text, "  {}", Look::Good.of("# changed"));
        }
        text.push('\n');
    }
    text
}

/// All that a VM starts with, by name: a line a register.
fn summary(host: &Model) -> String {
    let mut lines = BTreeMap::<_, Vec<String>>::new();
    let mut emulated = Vec::new();
    for offer in &host.offers {
        let (field, value) = (&offer.field, offer.value);
        let is_feature = match offer.place.arch() {
            Arch::X86 => facts::is_judged(offer.place) && field.order == Order::LowerSafe,
            Arch::Arm64 => !field.values.is_empty(),
        };
        if offer.reason == Some(Reason::Emulated) {
            emulated.push(field.full_name(offer.place));
        }
        if is_feature && value != field.nothing() && !field.name.is_empty() {
            let names = &field.values;
            let named = names
                .iter()
                .find(|(name, number)| *number == value && *name != "IMP");
            let text = match named {
                Some((name, _)) if field.width > 1 => format!("{}={name}", field.name),
                _ => field.name.to_string(),
            };
            lines.entry(offer.place).or_default().push(text);
        }
    }
    let indent = lines
        .keys()
        .map(|place| place.to_string().len() + 2)
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (place, words) in &lines {
        let gap = indent - place.to_string().len();
        let _ = writeln!(
            text,
            "{}{:gap$}{}",
            Look::Head.of(place),
            "",
            wrapped(words, indent, 100)
        );
    }
    if !emulated.is_empty() {
        let gap = indent.saturating_sub("emulated".len());
        let _ = writeln!(
            text,
            "{}{:gap$}{}",
            Look::Head.of("emulated"),
            "",
            wrapped(&emulated, indent, 100)
        );
    }
    text
}

/// What the host has, and VMs can't have.
fn table_of_more(host: &Model) -> Table {
    let mut table = Table::new(&["field", "host", "VMs", "why"]);
    for offer in &host.offers {
        let Some(has) = offer.host else { continue };
        let more = match offer.field.order {
            Order::LowerSafe => offer.field.rank(has) > offer.field.rank(offer.limit),
            _ => has != offer.limit,
        };
        if more && !(offer.field.name.is_empty() && offer.place.arch() == Arch::X86) {
            let why = offer.why(has);
            let name = offer.field.long_name(offer.place);
            table.row([
                name.into(),
                offer.field.value_name(has).into(),
                offer.field.value_name(offer.limit).into(),
                why.into(),
            ]);
        }
    }
    table
}

fn table_of_all(host: &Model) -> Table {
    let mut table = Table::new(&["field", "bits", "host", "VM", "can be", "rule", "class"]);
    for offer in &host.offers {
        let name = |value| offer.field.value_name(value);
        let bits = Prop::new(offer.place, &offer.field).bits;
        let look = if offer.writable {
            Look::Plain
        } else {
            Look::Dim
        };
        let field = offer.field.long_name(offer.place);
        table.row([
            cell(field, look),
            cell(bits, look),
            cell(offer.host.map_or("-".into(), name), look),
            cell(name(offer.value), look),
            cell(range_of(offer), look),
            cell(offer.rule.name(), look),
            cell(offer.class.clone().unwrap_or_default(), look),
        ]);
    }
    table
}

fn range_of(offer: &Offer) -> String {
    if offer.lowest == offer.highest {
        String::new()
    } else {
        offer.range()
    }
}

fn print(text: &str) -> io::Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        // Who reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let said = cli.run().and_then(|said| {
        match cli.json && said.document.guestcaps.is_some() {
            true => print(&document::to_json(&said.document)?)?,
            false => print(&said.text)?,
        }
        Ok(said.ok)
    });
    match said {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "guestcaps: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn model(text: &str) -> Model {
        read::model("model", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_feature_that_no_vm_has() {
        let cli = Cli::parse_from(["guestcaps", "host"]);
        let host = model(r#"{"vm": ["pmu"], "registers": {"ID_AA64ISAR0_EL1": "0"}}"#);
        let wanted = [Feature::Sve, Feature::Pmu, Feature::Mte];
        let said = cli.judged(&host, &host, &wanted, kvm::Checked::default());
        let lacks = "KVM has no sve, mte for VMs here";
        assert_eq!((said.ok, said.document.ok), (false, Some(false)));
        assert!(said.text.contains("does not fit.") && said.text.contains(lacks));
        assert_eq!(said.document.notes, [lacks]);
        assert_eq!(of_host("host", &host, Some(&wanted)).notes, [lacks]);
        assert!(
            cli.judged(&host, &host, &[Feature::Pmu], kvm::Checked::default())
                .ok
        );
    }

    #[test]
    fn vms_are_as_the_help_says() {
        let mut cli = Cli::command();
        let check = cli.find_subcommand_mut("check").unwrap();
        let help = check.render_help().to_string();
        let help: Vec<_> = help.split_whitespace().collect();
        let said = "as the model has it, or as its registers show; without a model, all but el2";
        assert!(help.join(" ").contains(said));
        let wanted = |text| Vm { vm: None }.wanted(&model(text)).unwrap();
        assert_eq!(wanted("ID_AA64PFR0_EL1 100000000"), [Feature::Sve]);
        assert_eq!(wanted("ID_AA64ISAR0_EL1 0"), []);
    }

    #[test]
    fn a_difference_of_vms() {
        let cli = Cli::parse_from(["guestcaps", "host"]);
        let dump = |vm: &str| {
            model(&format!(
                r#"{{"vm": [{vm}], "registers": {{"ID_AA64ISAR0_EL1": "0"}}}}"#
            ))
        };
        let said = cli.diff(&dump(""), &dump(r#""sve""#)).unwrap();
        assert!(!said.ok && said.text.contains("VMs with"));
        assert_eq!(
            said.document.notes,
            ["model: VMs with nothing optional; model: VMs with sve"]
        );
    }
}
