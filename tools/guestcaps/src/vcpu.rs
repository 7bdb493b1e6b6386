// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What vCPUs that are running have, and why not more: KVM's files in debugfs.

use std::{fs, io, path::Path};

/// A feature of an x86 vCPU, or a field of an arm64 VM.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Line {
    /// As KVM has it.
    pub name: String,
    /// Where CPUID enumerates it, or which bits of the register it has.
    pub place: String,
    pub host: String,
    /// What guest CPUID asks for; what the limit is.
    pub asked: String,
    /// What the guest has.
    pub has: String,
    /// The reason, or the rule.
    pub why: String,
    /// In words, if there is more to say.
    pub words: String,
}

impl Line {
    /// Whether it is not as the host has it, or as guest CPUID asks for.
    pub fn matters(&self) -> bool {
        match self.why.as_str() {
            "-" => false,
            _ if self.place.starts_with('[') => self.host != self.has,
            _ => true,
        }
    }

    /// Whether the guest has less than it asks for, or than the host has. Values that don't compare as
    /// unsigned numbers do are taken for such.
    pub fn has_less(&self) -> bool {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        number(&self.has) < number(&self.asked).max(number(&self.host))
    }
}

/// A VM or a vCPU of the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guest {
    /// The VM's folder, and the vCPU's.
    pub name: String,
    /// What it has.
    pub lines: Vec<Line>,
    /// What was refused last.
    pub refused: Vec<String>,
}

/// `word bit cpuid name host guest effective why`, of x86.
fn feature(text: &str) -> Option<Line> {
    let mut words = text.split_whitespace();
    words.next()?.parse::<u32>().ok()?;
    let bit: u32 = words.next()?.parse().ok()?;
    let mut next = || words.next().map(String::from);
    let place = format!("{}[{bit}]", next()?);
    let [name, host, asked, has, why] = [next()?, next()?, next()?, next()?, next()?];
    let words: Vec<_> = words.collect();
    Some(Line {
        name,
        place,
        host,
        asked,
        has,
        why,
        words: words.join(" "),
    })
}

/// `REGISTER.FIELD [msb:lsb] host H limit L vm V kind rule class`, of arm64.
fn field(text: &str) -> Option<Line> {
    let (name, rest) = text.split_once('[')?;
    let (bits, rest) = rest.split_once(']')?;
    let mut words = rest.split_whitespace();
    let mut value = |key| {
        (words.next()? == key)
            .then(|| words.next().map(String::from))
            .flatten()
    };
    let [host, asked, has] = [value("host")?, value("limit")?, value("vm")?];
    let kind = words.next()?;
    let rule = words.next()?;
    let mut more: Vec<_> = words.collect();
    if kind == "writable" {
        more.push("(writable)");
    }
    Some(Line {
        name: name.trim().into(),
        place: format!("[{}]", bits.replace(' ', "")),
        host,
        asked,
        has,
        why: rule.into(),
        words: more.join(" "),
    })
}

/// All VMs of a process, under the folder that debugfs has for KVM.
pub fn guests(kvm: &Path, pid: u32) -> io::Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for entry in fs::read_dir(kvm)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name
            .split_once('-')
            .is_none_or(|(of, _)| of.parse() != Ok(pid))
        {
            continue;
        }
        let refused = fs::read_to_string(entry.path().join("idregs_refused")).unwrap_or_default();
        let refused: Vec<_> = refused.lines().map(String::from).collect();
        if let Ok(text) = fs::read_to_string(entry.path().join("idregs_limits")) {
            let lines = text.lines().filter_map(field).collect();
            guests.push(Guest {
                name: format!("VM {name}"),
                lines,
                refused,
            });
        }
        for vcpu in fs::read_dir(entry.path())?.filter_map(Result::ok) {
            let number = vcpu.file_name().to_string_lossy().into_owned();
            if let Ok(text) = fs::read_to_string(vcpu.path().join("guest_caps")) {
                let lines = text.lines().filter_map(feature).collect();
                guests.push(Guest {
                    name: format!("VM {name}, {number}"),
                    lines,
                    refused: Vec::new(),
                });
            }
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_debugfs() {
        let line = feature("     4   4 0x1.0:ecx        DSCPL                  0     1         0 denied  Not qualified.").unwrap();
        assert_eq!(
            (line.name.as_str(), line.place.as_str(), line.words.as_str()),
            ("DSCPL", "0x1.0:ecx[4]", "Not qualified.")
        );
        assert!(line.why == "denied" && line.matters() && line.has_less());
        assert!(!feature("0 0 0x1.0:edx FPU 1 1 1 -").unwrap().matters());
        assert_eq!(
            feature("word bit cpuid name host guest effective why"),
            None
        );
        let line = field("ID_AA64PFR1_EL1.NMI          [39:36]  host 0x1    limit 0x0    vm 0x0    fixed     denied (the vGIC has no NMIs)").unwrap();
        assert!(line.matters() && line.why == "denied" && line.words == "(the vGIC has no NMIs)");
        let line = field(
            "ID_AA64ISAR0_EL1.AES [ 7: 4] host 0x2 limit 0x2 vm 0x2 writable lower-safe data-path",
        )
        .unwrap();
        assert!(!line.matters() && !line.has_less() && line.place == "[7:4]");
        assert!(
            !field("ID.X [7:4] host 0xf limit 0x9 vm 0x10 writable number")
                .unwrap()
                .has_less()
        );
        for text in [
            "",
            "a",
            "a [1:2",
            "a [1:2] host",
            "1 2",
            "ID.X [3:0] host 1 limit",
        ] {
            assert!(field(text).is_none() && feature(text).is_none(), "{text}");
        }
    }
}
