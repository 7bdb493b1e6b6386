// SPDX-License-Identifier: Apache-2.0 OR MIT

//! JSON that is read and written: `guestcaps dump` and all that `--json` prints, whose schema is in
//! Documentation/guestcaps.schema.json; and Firecracker's CPU templates and fingerprints.

use std::{collections::BTreeMap, fmt};

use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    facts::{self, Field, Order},
    model::{Source, Word},
    offer::{Feature, Offer, Reason, Rule},
    place::{hex, Arch, Place, Reg},
};

/// A document; what it does not say is left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Document {
    /// The version of the format: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guestcaps: Option<Version>,
    /// What was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// How it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Kernel, CPU, microcode.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub about: BTreeMap<String, String>,
    /// What the VM is configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<Vec<Feature>>,
    /// Whether it fits, or is the same, or breaks no rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// A line a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub props: Option<Vec<Prop>>,
    /// A model: the nearest that fits, or what hosts have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registers: Option<Registers>,
    /// What the processor itself has, whatever KVM makes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Registers>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,

    // A CPU template of Firecracker's.
    #[serde(default, skip_serializing)]
    pub kvm_capabilities: Vec<String>,
    #[serde(default, skip_serializing)]
    pub vcpu_features: Vec<VcpuFeature>,
    #[serde(default, skip_serializing)]
    pub reg_modifiers: Vec<Modifier>,
    #[serde(default, skip_serializing)]
    pub cpuid_modifiers: Vec<CpuidModifier>,
    #[serde(default, skip_serializing)]
    pub msr_modifiers: Vec<Modifier>,
    // A fingerprint of its cpu-template-helper's.
    #[serde(default, skip_serializing)]
    pub firecracker_version: Option<String>,
    #[serde(default, skip_serializing)]
    pub kernel_version: Option<String>,
    #[serde(default, skip_serializing)]
    pub microcode_version: Option<String>,
    #[serde(default, skip_serializing)]
    pub bios_version: Option<String>,
    #[serde(default, skip_serializing)]
    pub bios_revision: Option<String>,
    #[serde(default, skip_serializing)]
    pub guest_cpu_config: Option<Box<Document>>,
}

/// The version that this is about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Version;

impl From<Version> for u64 {
    fn from(_: Version) -> Self {
        1
    }
}

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        match version {
            1 => Ok(Self),
            _ => Err(format!(
                "version {version} of the format is unknown, 1 is known"
            )),
        }
    }
}

/// What there is to say of a field. Numbers are those of the field, not in their place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Prop {
    #[serde(default)]
    pub name: String,
    pub register: Place,
    pub bits: Bits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// Inclusive, by the field's sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// What can be, where that isn't all between them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<u64>,
    /// What promises most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writable: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usable: bool,
    /// What gives it to a VM, and its value without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<Feature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<u64>,
    /// What was asked for, what becomes of it, and what would fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<String>,
    /// The most that each host can have, or its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, Option<u64>>,
}

/// Bits of a word, as "47:44".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Bits {
    pub msb: u8,
    pub lsb: u8,
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.msb, self.lsb)
    }
}

impl std::str::FromStr for Bits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bits = text.split_once(':').and_then(|(msb, lsb)| {
            let (msb, lsb) = (msb.parse().ok()?, lsb.parse().ok()?);
            (lsb <= msb && msb < 64).then_some(Self { msb, lsb })
        });
        bits.ok_or_else(|| format!("{text} are no bits: name them as 47:44"))
    }
}

/// Words by the names of their registers: hexadecimal, and a mask if not all bits count.
#[derive(Clone, Debug, Default)]
pub struct Registers(pub BTreeMap<Place, Word>);

/// A number in hexadecimal, and perhaps a mask.
pub fn word(place: Place, text: &str) -> Option<Word> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (hex(value)?, hex(mask)?),
        None => (hex(text)?, place.mask()),
    };
    ((value | mask) & !place.mask() == 0).then_some(Word {
        mask,
        value: value & mask,
    })
}

/// The same, written.
pub fn word_text(place: Place, word: Word) -> String {
    let digits = usize::from(place.width()).div_ceil(4);
    let value = format!("{:0digits$x}", word.value & word.mask);
    if word.mask == place.mask() {
        value
    } else {
        format!("{value}/{:0digits$x}", word.mask)
    }
}

impl Serialize for Registers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |(place, word): (&Place, &Word)| (*place, word_text(*place, *word));
        serializer.collect_map(self.0.iter().map(text))
    }
}

impl<'de> Deserialize<'de> for Registers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Registers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("registers and their values")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Registers, A::Error> {
                let mut words = BTreeMap::new();
                while let Some((place, text)) = map.next_entry::<Place, String>()? {
                    let word = word(place, &text).ok_or_else(|| {
                        de::Error::custom(format!(
                            "{text} is no hexadecimal number of {} bits",
                            place.width()
                        ))
                    })?;
                    if words.insert(place, word).is_some() {
                        return Err(de::Error::custom(format!("{place} is there twice")));
                    }
                }
                Ok(Registers(words))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A type that stands as text, and says itself what is wrong with it.
macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(Place);
as_text!(Bits);
as_text!(Hex);
as_text!(Bitmap);
as_text!(Reg);

/// A number in hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Hex(pub u64);

impl std::str::FromStr for Hex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        hex(text)
            .map(Self)
            .ok_or_else(|| format!("{text} is no hexadecimal number"))
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl std::str::FromStr for Reg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| format!("{text} is none of eax, ebx, ecx, edx"))
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bits of Firecracker's: "0b" and 0, 1 or x, from the highest to the lowest.
#[derive(Clone, Copy, Debug)]
pub struct Bitmap {
    mask: u128,
    value: u128,
}

impl Bitmap {
    /// As a word of so many bits, if it is no wider.
    pub fn word(self, place: Place) -> Option<Word> {
        let [mask, value] = [self.mask, self.value].map(|bits| u64::try_from(bits).ok());
        let (mask, value) = mask.zip(value)?;
        (mask & !place.mask() == 0).then_some(Word { mask, value })
    }
}

impl std::str::FromStr for Bitmap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is no bitmap: write 0b and then 0, 1 or x for each bit");
        let digits = text
            .strip_prefix("0b")
            .ok_or_else(wrong)?
            .bytes()
            .filter(|c| *c != b'_');
        let (mut mask, mut value, mut bits) = (0, 0, 0);
        for digit in digits {
            mask = mask << 1 | u128::from(digit != b'x');
            value = value << 1 | u128::from(digit == b'1');
            bits += 1;
            if !matches!(digit, b'0' | b'1' | b'x') || bits > 128 {
                return Err(wrong());
            }
        }
        if bits == 0 {
            return Err(wrong());
        }
        Ok(Self { mask, value })
    }
}

impl fmt::Display for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0b")?;
        for bit in (0..128 - self.mask.leading_zeros()).rev() {
            let is_set = |bits: u128| bits >> bit & 1 != 0;
            f.write_str(match (is_set(self.mask), is_set(self.value)) {
                (false, _) => "x",
                (_, false) => "0",
                (_, true) => "1",
            })?;
        }
        Ok(())
    }
}

/// A word of KVM_ARM_VCPU_INIT's features.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct VcpuFeature {
    pub index: u32,
    pub bitmap: Bitmap,
}

/// A register of arm64, or an MSR.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Modifier {
    pub addr: Hex,
    pub bitmap: Bitmap,
}

/// What CPUID returns.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CpuidModifier {
    pub leaf: Hex,
    pub subleaf: Hex,
    #[serde(default)]
    pub flags: u32,
    pub modifiers: Vec<CpuidRegister>,
}

/// One of its registers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CpuidRegister {
    pub register: Reg,
    pub bitmap: Bitmap,
}

impl Prop {
    /// That names a field, and says nothing of it.
    pub fn new(place: Place, field: &Field) -> Self {
        let msb = field.lsb.saturating_add(field.width).saturating_sub(1);
        Self {
            name: field.full_name(place),
            register: place,
            bits: Bits {
                msb,
                lsb: field.lsb,
            },
            value: None,
            min: None,
            max: None,
            values: Vec::new(),
            limit: None,
            host: None,
            rule: None,
            class: None,
            reason: None,
            signed: field.signed,
            writable: false,
            usable: false,
            vm: None,
            without: None,
            wanted: None,
            verdict: None,
            take: None,
            blockers: Vec::new(),
            hosts: BTreeMap::new(),
        }
    }

    /// What it is about.
    pub fn field(&self) -> Field {
        let width = self.bits.msb - self.bits.lsb + 1;
        facts::field(self.register, self.bits.lsb, width)
    }

    /// What it says that a host can give, if it says so.
    pub fn offer(&self) -> Option<Offer> {
        let mut field = self.field();
        field.signed = self.signed;
        let max = field.max();
        let cut = |value: Option<u64>| value.map(|value| value & max);
        let (lowest, highest) = cut(self.min).zip(cut(self.max))?;
        let limit = cut(self.limit).unwrap_or(highest);
        let narrow = self.values.iter().filter(|value| **value < 64);
        field.order = match (self.rule, field.order) {
            (Some(Rule::LowerSafe), _) => Order::LowerSafe,
            (Some(Rule::HigherSafe), _) => Order::HigherSafe,
            (Some(Rule::Exact), _) => Order::Exact(if limit == lowest { highest } else { lowest }),
            (_, order) => order,
        };
        Some(Offer {
            place: self.register,
            field,
            rule: self.rule.unwrap_or(Rule::Unknown),
            class: self.class.clone(),
            reason: self.reason.clone(),
            writable: self.writable,
            usable: self.usable,
            host: cut(self.host),
            limit,
            lowest,
            highest,
            possible: narrow.fold(0, |bits, value| bits | 1 << value),
            value: cut(self.value).unwrap_or(limit),
            given: self.vm.zip(cut(self.without)),
        })
    }
}

impl From<&Offer> for Prop {
    fn from(offer: &Offer) -> Self {
        let values: Vec<_> = offer.values().collect();
        let is_whole = offer.is_whole(&values);
        Self {
            value: Some(offer.value),
            min: Some(offer.lowest),
            max: Some(offer.highest),
            values: if is_whole { Vec::new() } else { values },
            limit: (offer.limit != offer.highest).then_some(offer.limit),
            host: offer.host,
            rule: Some(offer.rule),
            class: offer.class.clone(),
            reason: offer.reason.clone(),
            writable: offer.writable,
            usable: offer.usable,
            vm: offer.given.map(|(feature, _)| feature),
            without: offer.given.map(|(_, value)| value),
            ..Self::new(offer.place, &offer.field)
        }
    }
}

/// As JSON, with a line a field: two of them compare line by line.
pub fn to_json(document: &Document) -> serde_json::Result<String> {
    let mut head = document.clone();
    let Some(props) = head.props.take() else {
        return serde_json::to_string_pretty(&head).map(|text| text + "\n");
    };
    let lines: Result<Vec<_>, _> = props.iter().map(serde_json::to_string).collect();
    let text = serde_json::to_string_pretty(&head)?;
    let text = text.strip_suffix('}').unwrap_or(&text).trim_end();
    let comma = if text.ends_with('{') { "" } else { "," };
    Ok(format!(
        "{text}{comma}\n  \"props\": [\n    {}\n  ]\n}}\n",
        lines?.join(",\n    ")
    ))
}
