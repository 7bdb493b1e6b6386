// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What guests of KVM can have, and why not more.
//!
//! A [`Model`] is what somebody wants a guest to have, or what a host has: registers of arm64, or
//! what CPUID returns on x86. An [`Offer`] says what a host can give in one field. Everything but
//! [`kvm`] computes on any machine, from files of any other.
//!
//! | module     | from                     | to                                                |
//! | ---------- | ------------------------ | ------------------------------------------------- |
//! | [`read`]   | a file                   | a model, with offers if the file has them         |
//! | [`kvm`]    | this host                | the same                                          |
//! | [`check`]  | a model and offers       | what doesn't fit, why, and the nearest that does  |
//! | [`common`] | models of several hosts  | the largest that all accept, and who lacks what   |
//! | [`diff`]   | two models               | where they differ                                 |
//! | [`lint`]   | a model                  | rules between fields that it breaks               |
//! | [`vcpu`]   | debugfs                  | what running vCPUs have                           |

pub mod check;
pub mod common;
pub mod diff;
pub mod document;
pub mod facts;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod ffi;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub mod kvm;
pub mod lint;
pub mod model;
mod names;
pub mod offer;
pub mod place;
pub mod read;
#[cfg(feature = "cli")]
pub mod show;
pub mod vcpu;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    clippy::indexing_slicing
)]
mod uapi;

pub use check::Finding;
pub use model::Model;
pub use offer::Offer;
pub use place::Place;
