// SPDX-License-Identifier: GPL-2.0

//! What the core uses of the kernel's own crate, for a program.

#[path = "../../rust/kernel/cpufeature/x86.rs"]
pub mod cpufeature;

pub use flags::impl_flags;

/// C's types, as the kernel has them.
pub mod ffi {
    #![allow(non_camel_case_types)]

    pub type c_char = u8;
    pub type c_schar = i8;
    pub type c_uchar = u8;
    pub type c_short = i16;
    pub type c_ushort = u16;
    pub type c_int = i32;
    pub type c_uint = u32;
    pub type c_long = isize;
    pub type c_ulong = usize;
    pub type c_longlong = i64;
    pub type c_ulonglong = u64;
    pub use core::ffi::c_void;
}

#[allow(
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    improper_ctypes
)]
pub mod bindings {
    include!(env!("FUZZ_BINDINGS"));
}

pub mod error {
    /// An errno.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Error(pub(crate) i32);

    impl Error {
        pub fn to_errno(self) -> i32 {
            self.0
        }
    }

    pub type Result<T = (), E = Error> = core::result::Result<T, E>;
}

pub mod prelude {
    pub use crate::{
        error::{
            Error,
            Result, //
        },
        ffi::{
            c_char,
            c_int,
            c_uint, //
        },
        fmt,
        static_assert, //
    };
    pub use export::export;

    pub const E2BIG: Error = Error(-7);
    pub const EINVAL: Error = Error(-22);
}

/// Format strings.
pub mod fmt {
    pub use core::fmt::{
        Arguments,
        Debug,
        Display,
        Error,
        Formatter,
        Result,
        Write, //
    };
}

#[macro_export]
macro_rules! fmt {
    ($($args:tt)*) => { ::core::format_args!($($args)*) };
}

#[macro_export]
macro_rules! static_assert {
    ($condition:expr $(,$message:literal)?) => {
        const _: () = ::core::assert!($condition $(,$message)?);
    };
}

#[macro_export]
macro_rules! seq_print {
    ($file:expr, $($args:tt)*) => { $file.print(::core::format_args!($($args)*)) };
}

pub mod seq_file {
    use crate::bindings;

    /// A file that nobody reads.
    pub struct SeqFile(());

    impl SeqFile {
        /// # Safety
        ///
        /// None is needed.
        pub unsafe fn from_raw<'a>(_: *mut bindings::seq_file) -> &'a Self {
            &SeqFile(())
        }

        pub fn print(&self, _: core::fmt::Arguments<'_>) {}
    }
}
