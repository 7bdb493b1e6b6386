// SPDX-License-Identifier: GPL-2.0

//! The kernel's macros, for a program: `#[export]` without what else it checks, and suites as what
//! the compiler's own tests are.

use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn export(_: TokenStream, function: TokenStream) -> TokenStream {
    let mut exported: TokenStream = "#[no_mangle]".parse().unwrap();

    exported.extend(function);
    exported
}

#[proc_macro_attribute]
pub fn kunit_tests(_: TokenStream, suite: TokenStream) -> TokenStream {
    suite
}
