// SPDX-License-Identifier: GPL-2.0

//! What the cores, and their tests, use of the kernel's own crate, for a program.

#[cfg_attr(arm64, path = "../../rust/kernel/cpufeature/arm64.rs")]
#[cfg_attr(not(arm64), path = "../../rust/kernel/cpufeature/x86.rs")]
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
    #[cfg(arm64)]
    pub struct seq_file;

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

pub mod alloc {
    use crate::error::Result;

    /// Flags that mean nothing here.
    #[derive(Clone, Copy)]
    pub struct Flags;

    pub const GFP_KERNEL: Flags = Flags;

    /// The kernel's vector, for which there is always memory.
    pub struct KVec<T>(Vec<T>);

    impl<T> KVec<T> {
        pub fn new() -> Self {
            Self(Vec::new())
        }

        pub fn with_capacity(capacity: usize, _: Flags) -> Result<Self> {
            Ok(Self(Vec::with_capacity(capacity)))
        }

        pub fn push(&mut self, element: T, _: Flags) -> Result {
            self.0.push(element);
            Ok(())
        }

        pub fn extend_from_slice(&mut self, elements: &[T], _: Flags) -> Result
        where
            T: Clone,
        {
            self.0.extend_from_slice(elements);
            Ok(())
        }
    }

    impl<'a, T> IntoIterator for &'a KVec<T> {
        type Item = &'a T;
        type IntoIter = core::slice::Iter<'a, T>;

        fn into_iter(self) -> Self::IntoIter {
            self.0.iter()
        }
    }

    impl<T> core::ops::Deref for KVec<T> {
        type Target = Vec<T>;

        fn deref(&self) -> &Vec<T> {
            &self.0
        }
    }

    impl<T> core::ops::DerefMut for KVec<T> {
        fn deref_mut(&mut self) -> &mut Vec<T> {
            &mut self.0
        }
    }
}

pub mod str {
    use crate::{
        error::{
            Error,
            Result, //
        },
        fmt, //
    };

    /// A string of C's.
    pub struct CString(std::ffi::CString);

    impl CString {
        pub fn try_from_fmt(text: fmt::Arguments<'_>) -> Result<Self> {
            let text = std::ffi::CString::new(text.to_string());

            text.map(Self).map_err(|_| Error(-22))
        }
    }

    impl core::ops::Deref for CString {
        type Target = core::ffi::CStr;

        fn deref(&self) -> &core::ffi::CStr {
            &self.0
        }
    }
}

pub mod prelude {
    pub use crate::{
        alloc::{
            KVec,
            GFP_KERNEL, //
        },
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
    pub use core::ffi::CStr;
    pub use export::{
        export,
        kunit_tests, //
    };

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
