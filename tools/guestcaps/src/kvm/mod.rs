// SPDX-License-Identifier: Apache-2.0 OR MIT

//! This host's KVM. VMs are made to ask, and go; none of them runs. VMMs ask about their own with [`fit`].

#[cfg(target_arch = "aarch64")]
mod arm64;
mod caps;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use arm64::{check, cpu, fit, host};
#[cfg(target_arch = "x86_64")]
pub use x86::{check, cpu, fit, host};

pub use crate::ffi::{stay, Asked};

use std::{collections::BTreeMap, fmt, fs};

/// What went wrong, and with what.
#[derive(Debug)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// Puts what was tried in front of the error.
fn failed<E: fmt::Display>(what: &str) -> impl Fn(E) -> Failed + '_ {
    move |error| Failed(format!("{what}: {error}"))
}

fn open() -> Result<kvm_ioctls::Kvm, Failed> {
    kvm_ioctls::Kvm::new().map_err(failed("/dev/kvm"))
}

/// The kernel, and what /proc/cpuinfo says of the first CPU.
fn about() -> BTreeMap<String, String> {
    let mut about = BTreeMap::new();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    about.insert("kernel".to_string(), format!("Linux {}", kernel.trim()));
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = cpuinfo.split("\n\n").next().unwrap_or_default();
    for line in first.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let name = match key.trim() {
            "model name" => "cpu",
            "vendor_id" => "vendor",
            "microcode" => "microcode",
            _ => continue,
        };
        about.insert(name.into(), value.trim().into());
    }
    about
}
