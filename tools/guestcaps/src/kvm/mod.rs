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

use crate::{check::Finding, model::Model, place::Arch};

/// What becomes of a model on this host.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// What it doesn't get, and which rules it breaks.
    pub findings: Vec<Finding>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// What KVM says of the nearest that should fit, if it refuses that.
    pub refused: Option<String>,
}

/// What went wrong, and with what.
#[derive(Debug)]
pub struct Failed {
    what: String,
    errno: Option<i32>,
}

impl Failed {
    /// What the kernel answered, if it did: ENOEXEC is that the first vCPU is not initialized yet.
    pub const fn errno(&self) -> Option<i32> {
        self.errno
    }
}

impl From<String> for Failed {
    fn from(what: String) -> Self {
        Self { what, errno: None }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failed {}

/// Puts what was tried in front of the error.
fn failed(what: &str) -> impl Fn(kvm_ioctls::Error) -> Failed + '_ {
    move |error| Failed {
        what: format!("{what}: {error}"),
        errno: Some(error.errno()),
    }
}

/// A model of another architecture would change nothing, and nothing be said.
fn is_of(model: &Model, here: Arch) -> Result<(), Failed> {
    match model.arch() {
        Some(arch) if arch != here => Err(format!(
            "{} is a model of {arch}, and this host is {here}",
            model.name
        )
        .into()),
        _ => Ok(()),
    }
}

fn open() -> Result<kvm_ioctls::Kvm, Failed> {
    kvm_ioctls::Kvm::new().map_err(failed("/dev/kvm"))
}

/// The kernel, and what /proc/cpuinfo says of the first CPU.
pub fn about() -> BTreeMap<String, String> {
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
