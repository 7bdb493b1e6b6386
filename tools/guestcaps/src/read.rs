// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files with models: JSON, lines, and what `cpuid -r` prints.

use std::{collections::BTreeMap, fmt};

use crate::{
    document::{word, Document},
    model::{Model, Source, Word},
    offer::{Feature, Offer},
    place::{hex, Place, Reg},
};

/// What is wrong with a file, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Broken {
    /// The file's name.
    pub file: String,
    /// From one; zero if it is about the whole file.
    pub line: usize,
    /// From one; zero if it is about the whole file.
    pub column: usize,
    /// What is wrong, in words.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self {
                file,
                line: 0,
                what,
                ..
            } => write!(f, "{file}: {what}"),
            Self {
                file,
                line,
                column,
                what,
            } => write!(f, "{file}:{line}:{column}: {what}"),
        }
    }
}

impl std::error::Error for Broken {}

/// A file's model; "-" is standard input.
pub fn file(path: &str) -> Result<Model, Broken> {
    let broken = |what: String| Broken {
        file: path.into(),
        line: 0,
        column: 0,
        what,
    };
    let bytes = match path {
        "-" => std::io::read_to_string(std::io::stdin()).map(String::into_bytes),
        _ => std::fs::read(path),
    };
    let bytes = bytes.map_err(|error| broken(error.to_string()))?;
    model(path, &bytes)
}

/// The model that is in a file of this name.
pub fn model(file: &str, bytes: &[u8]) -> Result<Model, Broken> {
    let at = |line, column, what| Broken {
        file: file.into(),
        line,
        column,
        what,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.split(|c| *c == b'\n').count();
        let column = before.rsplit(|c| *c == b'\n').next().map_or(0, <[u8]>::len) + 1;
        at(line, column, "this is not UTF-8".into())
    })?;
    let mut model = if text.trim_start().starts_with('{') {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            let what = error.to_string();
            let what = what
                .rsplit_once(" at line ")
                .map_or(what.as_str(), |(what, _)| what);
            at(error.line(), error.column(), what.into())
        })?;
        of_document(document).map_err(|what| at(0, 0, what))?
    } else {
        lines(text).map_err(|(line, column, what)| at(line, column, what))?
    };
    let (words, others): (BTreeMap<_, _>, BTreeMap<_, _>) = model
        .words
        .into_iter()
        .partition(|(place, _)| place.is_about_cpu());
    model.words = words;
    model.ignored.extend(others.keys().map(ToString::to_string));
    if model.words.is_empty() {
        return Err(at(
            0,
            0,
            "no register in it: write lines REGISTER VALUE".into(),
        ));
    }
    if model
        .words
        .keys()
        .any(|place| Some(place.arch()) != model.arch())
    {
        return Err(at(0, 0, "it has registers of arm64 and of x86".into()));
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    model.name = if stem.is_empty() { name } else { stem }.into();
    model.source = model.source.or(Some(Source::Values));
    Ok(model)
}

type Wrong = (usize, usize, String);

/// Words of a line, each with the column where it begins.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = line.split('#').next().unwrap_or_default();
    let is_space = |c: char| c.is_whitespace() || c == ',';
    let begin = text.as_ptr() as usize;
    text.split(is_space)
        .filter(|word| !word.is_empty())
        .map(move |word| {
            let bytes = word.as_ptr() as usize - begin;
            let before = text.bytes().take(bytes).filter(|c| c & 0xc0 != 0x80);
            (before.count() + 1, word)
        })
}

/// Lines `REGISTER value` or `REGISTER value/mask`, or those of `cpuid -r`.
fn lines(text: &str) -> Result<Model, Wrong> {
    let mut model = Model::default();
    let mut cpus = 0;
    for (n, line) in text.lines().enumerate() {
        let wrong = |(column, what): (usize, String)| (n + 1, column, what);
        let found: Vec<_> = words(line).collect();
        let is_cpu = |word: &str| word.trim_end_matches(':').eq_ignore_ascii_case("CPU");
        match found.as_slice() {
            [] => {}
            [(_, first), ..] if is_cpu(first) => cpus += 1,
            // All CPUs are alike, but for what is theirs alone.
            _ if cpus > 1 => {}
            [_, rest @ ..] if rest.iter().any(|(_, word)| word.contains('=')) => {
                cpuid_line(&found, &mut model).map_err(wrong)?;
            }
            [(at, name), rest @ ..] => {
                let place: Place = name.parse().map_err(|what| wrong((*at, what)))?;
                let (column, text) = match rest {
                    [value] => *value,
                    [] => {
                        return Err(wrong((
                            at + name.chars().count(),
                            "its value is missing".into(),
                        )))
                    }
                    [_, (column, _), ..] => {
                        return Err(wrong((*column, "one value is enough".into())));
                    }
                };
                let word = word(place, text).ok_or_else(|| {
                    let what = format!("{text} is no hexadecimal number of {} bits", place.width());
                    wrong((column, what))
                })?;
                if model.words.insert(place, word).is_some() {
                    return Err(wrong((*at, format!("{place} is there twice"))));
                }
            }
        }
    }
    Ok(model)
}

/// `0x00000007 0x00: eax=0x00000002 ebx=...`
fn cpuid_line(words: &[(usize, &str)], model: &mut Model) -> Result<(), (usize, String)> {
    let mut numbers = Vec::new();
    for (column, word) in words {
        let wrong = |what: &str| (*column, format!("{word}: {what}"));
        let number = |text| {
            hex(text)
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| wrong("no hexadecimal number of 32 bits"))
        };
        let Some((name, value)) = word.split_once('=') else {
            numbers.push(number(word.trim_end_matches(':'))?);
            continue;
        };
        let reg = Reg::named(name).ok_or_else(|| wrong("none of eax, ebx, ecx, edx"))?;
        let (function, index) = match numbers.as_slice() {
            [function] => (*function, 0),
            [function, index] => (*function, *index),
            _ => return Err(wrong("a function and an index should be before it")),
        };
        let place = Place::Cpuid(function, index, reg);
        let word = Word {
            mask: place.mask(),
            value: number(value)?.into(),
        };
        if model.words.insert(place, word).is_some() {
            return Err(wrong("it is there twice"));
        }
    }
    Ok(())
}

fn of_document(document: Document) -> Result<Model, String> {
    let mut model = Model {
        vm: document.vm,
        source: document.source,
        about: document.about,
        ..Model::default()
    };
    if document.props.is_none() && document.registers.is_none() && document.cpu.is_some() {
        return Err("it says nothing of KVM: take the dump where /dev/kvm can be opened".into());
    }
    let mut ignore = |what: String| model.ignored.push(what);
    document
        .kvm_capabilities
        .iter()
        .for_each(|cap| ignore(format!("capability {cap}")));
    let mut words: Vec<_> = document
        .registers
        .unwrap_or_default()
        .0
        .into_iter()
        .collect();
    for modifier in document.reg_modifiers {
        let place = Place::Arm64(modifier.addr.0);
        match modifier.bitmap.word(place) {
            Some(word) if place.is_about_cpu() => words.push((place, word)),
            _ => ignore(format!("register {}", modifier.addr)),
        }
    }
    document
        .msr_modifiers
        .iter()
        .for_each(|msr| ignore(format!("MSR {}", msr.addr)));
    for modifier in document.cpuid_modifiers {
        let [leaf, subleaf] = [modifier.leaf, modifier.subleaf].map(|hex| u32::try_from(hex.0));
        // KVM_CPUID_FLAG_SIGNIFCANT_INDEX; of the others KVM takes no notice.
        if modifier.flags & 1 != 0 {
            model.indexed.extend(leaf);
        }
        for register in modifier.modifiers {
            let place = leaf.ok().zip(subleaf.ok());
            let place = place.map(|(leaf, index)| Place::Cpuid(leaf, index, register.register));
            let word = place.and_then(|place| Some((place, register.bitmap.word(place)?)));
            words.push(word.ok_or_else(|| {
                format!(
                    "leaf {}, subleaf {}: more than 32 bits",
                    modifier.leaf, modifier.subleaf
                )
            })?);
        }
    }
    words
        .into_iter()
        .for_each(|(place, word)| model.set(place, word));

    for features in &document.vcpu_features {
        let (index, bitmap) = (features.index, features.bitmap);
        let mut ignore =
            |what: String| model.ignored.push(format!("vcpu_features {index}: {what}"));
        let Some(bits) = bitmap.word(Place::Arm64(0)).filter(|_| index == 0) else {
            ignore(bitmap.to_string());
            continue;
        };
        // As KVM_ARM_VCPU_INIT has them.
        let masks = [
            (Feature::Sve, 1 << 4),
            (Feature::Pauth, 3 << 5),
            (Feature::Pmu, 1 << 3),
            (Feature::El2, 1 << 7),
        ];
        let found = masks.into_iter().filter(|(_, mask)| bits.value & mask != 0);
        model.vm = Some(found.map(|(feature, _)| feature).collect());
        let known = masks.into_iter().fold(0, |bits, (_, mask)| bits | mask);
        let unread = bits.value & !known;
        if unread != 0 {
            ignore(format!("bits {unread:#x}"));
        }
    }

    for prop in document.props.unwrap_or_default() {
        if prop.bits.msb >= prop.register.width() {
            return Err(format!("{} has no bits {}", prop.register, prop.bits));
        }
        let offer = prop.offer();
        if let Some(value) = prop.value.or(prop.take).or(prop.wanted) {
            model.put(prop.register, &prop.field(), value);
        }
        model
            .offers
            .extend(offer.filter(|_: &Offer| prop.wanted.is_none()));
    }

    for (name, said) in [
        ("kernel", document.kernel_version),
        ("microcode", document.microcode_version),
        ("bios", document.bios_version.or(document.bios_revision)),
        ("firecracker", document.firecracker_version),
    ] {
        model
            .about
            .extend(said.map(|said| (name.to_string(), said)));
    }
    if let Some(template) = document.guest_cpu_config {
        let template = of_document(*template)?;
        template
            .words
            .into_iter()
            .for_each(|(place, word)| model.set(place, word));
        model.vm = model.vm.or(template.vm);
        model.indexed.extend(template.indexed);
        model.ignored.extend(template.ignored);
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Model, Broken> {
        model("file", text.as_bytes())
    }

    fn wrong(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    fn value(model: &Model, place: &str) -> Word {
        model.words[&place.parse().unwrap()]
    }

    const ARM64: &str = r#"{
  "kvm_capabilities": ["!56"],
  "vcpu_features": [{"index": 0, "bitmap": "0b101100010"}, {"index": 1, "bitmap": "0b1"}],
  "reg_modifiers": [
    {"addr": "0x603000000013c020", "bitmap": "0bxxxxxxxx0001xxxx"},
    {"addr": "0x6040000000100054", "bitmap": "0b1"}
  ]
}"#;
    const X86: &str = r#"{
  "cpuid_modifiers": [
    {"leaf": "0x7", "subleaf": "0x0", "flags": 1, "modifiers": [
      {"register": "ebx", "bitmap": "0bxxxxxxxxxxxxxxxxxxxxxxxxxx_0_xxxx1"},
      {"register": "ecx", "bitmap": "0b0x"}]}
  ],
  "msr_modifiers": [{"addr": "0x10a", "bitmap": "0b1x"}]
}"#;

    #[test]
    fn firecrackers_templates() {
        let model = read(ARM64).unwrap();
        assert_eq!(
            value(&model, "ID_AA64PFR0_EL1"),
            Word {
                mask: 0xf0,
                value: 0x10
            }
        );
        assert_eq!(model.vm, Some(vec![Feature::Pauth]));
        assert_eq!(
            model.ignored,
            [
                "capability !56",
                "register 0x6040000000100054",
                "vcpu_features 0: bits 0x102",
                "vcpu_features 1: 0b1"
            ]
        );
        let model = read(X86).unwrap();
        assert_eq!(
            value(&model, "0x7.0:ebx"),
            Word {
                mask: 0x21,
                value: 1
            }
        );
        assert_eq!(model.ignored, ["MSR 0x10a"]);
        let text = format!(
            r#"{{"kernel_version": "6.1", "microcode_version": "0x1", "guest_cpu_config": {X86}}}"#
        );
        let model = read(&text).unwrap();
        assert_eq!(
            (model.words.len(), model.about["microcode"].as_str()),
            (2, "0x1")
        );
    }

    #[test]
    fn lines_of_registers() {
        let model =
            read("# a host\nID_AA64PFR0_EL1 0x11  # or more\n\nS3_0_0_C4_1\tf/ff\n").unwrap();
        assert_eq!(
            value(&model, "ID_AA64PFR0_EL1"),
            Word {
                mask: u64::MAX,
                value: 17
            }
        );
        assert_eq!(
            value(&model, "ID_AA64PFR1_EL1"),
            Word {
                mask: 255,
                value: 15
            }
        );
        let model = read("0x7.0:ebx ffffffff\n0xd.1:EAX 0x1\nmsr:0x10a 1\n").unwrap();
        assert_eq!(value(&model, "0xd.1:eax").value, 1);
        assert_eq!(
            (model.words.len(), model.ignored),
            (2, vec!["msr:0x10a".to_string()])
        );
    }

    #[test]
    fn what_cpuid_prints() {
        let text = "CPU 0:\n   0x00000007 0x00: eax=0x00000002 ebx=0x00000020 ecx=0x0 edx=0x0\n\
                    CPU 1:\n   0x00000007 0x00: eax=0x0 ebx=0x0 ecx=0x0 edx=0x0\n";
        let model = read(text).unwrap();
        assert_eq!(
            (model.words.len(), value(&model, "0x7.0:ebx").value),
            (4, 0x20)
        );
        let model = read("0x80000008: EAX=0x3030, EBX=0x1, ECX=0x0, EDX=0x0\n").unwrap();
        assert_eq!(value(&model, "0x80000008.0:eax").value, 0x3030);
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, said) in [
            ("", "file: no register in it: write lines REGISTER VALUE"),
            (
                "\n  ID_NONE_EL1 0\n",
                "file:2:3: ID_NONE_EL1 is no register: name one as ID_AA64PFR0_EL1 or 0x7.0:ebx",
            ),
            ("CTR_EL0\n", "file:1:8: its value is missing"),
            ("CTR_EL0 0 1\n", "file:1:11: one value is enough"),
            (
                "CTR_EL0 xyz\n",
                "file:1:9: xyz is no hexadecimal number of 64 bits",
            ),
            (
                "CTR_EL0 +1\n",
                "file:1:9: +1 is no hexadecimal number of 64 bits",
            ),
            (
                "0x1.0:eax 100000000\n",
                "file:1:11: 100000000 is no hexadecimal number of 32 bits",
            ),
            ("CTR_EL0 0\nCTR_EL0 0\n", "file:2:1: CTR_EL0 is there twice"),
            (
                "CTR_EL0 0\n0x1.0:eax 0\n",
                "file: it has registers of arm64 and of x86",
            ),
            (
                "0x7 0x0: eax=g\n",
                "file:1:10: eax=g: no hexadecimal number of 32 bits",
            ),
            (
                "0x7 0x0: exx=1\n",
                "file:1:10: exx=1: none of eax, ebx, ecx, edx",
            ),
            (
                "0x7 1 2 eax=1\n",
                "file:1:9: eax=1: a function and an index should be before it",
            ),
            ("{", "file:1:1: EOF while parsing an object"),
            ("{}", "file: no register in it: write lines REGISTER VALUE"),
            (
                "msr:0x10a 1",
                "file: no register in it: write lines REGISTER VALUE",
            ),
            (
                "{\"cpu\": {\"0x1.0:eax\": \"00000000\"}, \"notes\": []}",
                "file: it says nothing of KVM: take the dump where /dev/kvm can be opened",
            ),
            (
                "{\"reg_modifiers\": [\n{\"addr\": \"0xg\", \"bitmap\": \"0b1\"}]}",
                "file:2:14: 0xg is no hexadecimal number",
            ),
            (
                "{\"reg_modifiers\":\n [{\"addr\": \"0x1\", \"bitmap\": \"0b12\"}]}",
                "file:2:35: 0b12 is no bitmap: write 0b and then 0, 1 or x for each bit",
            ),
            (
                "{\"guestcaps\": 2}",
                "file:1:16: version 2 of the format is unknown, 1 is known",
            ),
            (
                "{\"registers\": {\"CTR_EL0\": \"zz\"}}",
                "file:1:31: zz is no hexadecimal number of 64 bits",
            ),
            (
                r#"{"props": [{"register": "0x7.0:ebx", "bits": "63:0", "value": 0}]}"#,
                "file: 0x7.0:ebx has no bits 63:0",
            ),
            (
                "{\"props\": [{\"register\": \"CTR_EL0\", \"bits\": \"3:4\"}]}",
                "file:1:49: 3:4 are no bits: name them as 47:44",
            ),
        ] {
            assert_eq!(wrong(text), said, "{text}");
        }
        assert!(wrong("{\"typo\": 1}").starts_with("file:1:7: unknown field `typo`"));
        assert_eq!(
            model("file", b"CTR_EL0 0\nab\xff").unwrap_err().to_string(),
            "file:2:3: this is not UTF-8"
        );
        assert!(file("/nonexistent")
            .unwrap_err()
            .to_string()
            .starts_with("/nonexistent: No such file"));
    }

    /// No file ends in a panic: valid ones with a few bytes changed, cut or doubled.
    #[test]
    fn nothing_panics() {
        let lines = "ID_AA64PFR0_EL1 11/ff # x\n0x7.0:ebx 1\n   0x00000007 0x00: eax=0x1 ebx=0x2\n";
        let dump = r#"{"guestcaps":1,"arch":"arm64","props":[{"name":"a","register":"CTR_EL0","bits":"63:0","value":18446744073709551615,"min":0,"max":3,"values":[63,64],"rule":"exact","vm":"sve","without":9},{"register":"ID_AA64PFR0_EL1","bits":"7:4","min":9,"max":1,"signed":true}],"registers":{"CTR_EL0":"f/ff"}}"#;
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below.max(1)
        };
        let digits = b"0x19fg_:.,/#\"{}[]\n\xff\xc3-";
        for _ in 0..20_000 {
            let mut bytes = [lines, dump, ARM64, X86][random(4)].as_bytes().to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = digits[random(digits.len())],
                    1 => bytes.truncate(at + 1),
                    2 => bytes.insert(at, digits[random(digits.len())]),
                    _ => drop(bytes.drain(at..at + random(bytes.len() - at))),
                }
                bytes.push(b'\n');
            }
            let Ok(model) = model("file", &bytes) else {
                continue;
            };
            let host = crate::lint::lint(&model);
            let findings = crate::check::check(&model, &model.offers);
            let nearest = crate::check::nearest(&model, &findings);
            let _ = (
                host,
                nearest,
                crate::common::common(&[model.clone(), model.clone()]),
                crate::diff::diff(&model, &model),
            );
        }
    }
}
