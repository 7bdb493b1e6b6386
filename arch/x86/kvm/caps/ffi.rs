// SPDX-License-Identifier: GPL-2.0

//! The boundary with C: pointers become references here, and nowhere else.
//!
//! Words of capabilities, `NR_KVM_CPU_CAPS` of them, are `u32` pointers in C.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

// The one exception: nobody else needs it.
#![expect(unsafe_code)]

use core::{
    fmt::Write,
    mem::MaybeUninit,
    ptr,
    slice, //
};
use kernel::{
    bindings::{
        self,
        kvm_caps_context,
        kvm_caps_snapshot,
        kvm_caps_view,
        kvm_cpuid_entry2,
        kvm_cpuid_runtime,
        kvm_cpuid_table,
        kvm_denied_cap,
        kvm_guest_cap,
        kvm_guest_cpuid,
        kvm_leaves_context,
        kvm_vendor_snapshot,
        kvm_xstate_sizes, //
    },
    prelude::*,
    seq_file::SeqFile, //
};

use crate::{
    cpufeature::{
        self,
        KernelWords,
        Leaf,
        Words,
        NCAPINTS,
        NR_KVM_CPU_CAPS, //
    },
    cpuid::{
        self,
        Index, //
    },
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    guest::{
        self,
        Context,
        GuestCaps, //
    },
    host::HostCaps,
    leaves,
    query::{
        Answer,
        Bounds,
        Components,
        Half,
        Rule,
        Verdict, //
    },
    runtime,
    tables::{
        control_regs::{
            self,
            CR4,
            EFER, //
        },
        optouts,
        policy::Missing, //
    },
    view::{
        self,
        Why, //
    },
    xstate, //
};

static_assert!(cpufeature::NCAPINTS == bindings::NCAPINTS as usize);
static_assert!(cpufeature::NBUGINTS == bindings::NBUGINTS as usize);

/// How a vCPU of each kind is. A kind that C has more, or in another place, fails the build.
const KINDS: [Flag; bindings::kvm_caps_kind_KVM_CAPS_NR_KINDS as usize] =
    [Flag::Svm, Flag::Vmx, Flag::Tdx];
static_assert!(bindings::kvm_caps_kind_KVM_CAPS_SVM == 0);
static_assert!(bindings::kvm_caps_kind_KVM_CAPS_VMX == 1);
static_assert!(bindings::kvm_caps_kind_KVM_CAPS_TDX == 2);

/// A flag, if it is so.
fn flag(flag: Flag, is_so: bool) -> Flags {
    if is_so {
        flag.into()
    } else {
        Flags::empty()
    }
}

/// How a vCPU is. What is no kind is none of them.
fn vcpu_flags(kind: bindings::kvm_caps_kind, tdp_enabled: bool) -> Flags {
    KINDS
        .get(kind as usize)
        .map_or(Flags::empty(), |kind| Flags::from(*kind))
        | flag(Flag::Tdp, tdp_enabled)
}

/// Words of capabilities.
///
/// # Safety
///
/// `words` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to them while
/// the result lives.
unsafe fn words<'a>(words: *const u32) -> &'a Words {
    // SAFETY: The caller promises that there are as many words, and that they don't change; an
    // array is aligned as its elements are.
    unsafe { &*words.cast() }
}

/// The kernel's words, a copy of `boot_cpu_data.x86_capability`.
///
/// # Safety
///
/// `words` must be valid for reading `NCAPINTS + NBUGINTS` words, and nobody may write to them
/// while the result lives.
unsafe fn kernel_words<'a>(words: *const u32) -> &'a KernelWords {
    // SAFETY: The caller promises that there are as many words, and that they don't change; an
    // array is aligned as its elements are.
    unsafe { &*words.cast() }
}

/// A table's index and its entries, none if `table` is null.
///
/// # Safety
///
/// `table` must be null, or valid for reading, with as many entries as it says, and nobody may
/// write to it while the result lives.
unsafe fn table<'a>(table: *const kvm_cpuid_table) -> (&'a Index, &'a [kvm_cpuid_entry2]) {
    if table.is_null() {
        return (&Index::EMPTY, &[]);
    }
    // SAFETY: It is not null, so the caller promises that there are an index and as many entries,
    // which don't change; `Index` is transparent.
    unsafe {
        (
            &*(&raw const (*table).index).cast(),
            slice::from_raw_parts((&raw const (*table).entries).cast(), (*table).nent as usize),
        )
    }
}

/// As [`table()`], entries to be changed.
///
/// # Safety
///
/// `table` must be null, or valid for reading and writing, with as many entries as it says, and
/// nobody else may access it while the result lives.
unsafe fn table_mut<'a>(table: *mut kvm_cpuid_table) -> (&'a Index, &'a mut [kvm_cpuid_entry2]) {
    if table.is_null() {
        return (&Index::EMPTY, &mut []);
    }
    // SAFETY: It is not null, so the caller promises that there are an index and as many entries,
    // for this function alone; `Index` is transparent.
    unsafe {
        (
            &*(&raw const (*table).index).cast(),
            slice::from_raw_parts_mut((&raw mut (*table).entries).cast(), (*table).nent as usize),
        )
    }
}

/// Has a table's entries found.
///
/// # Safety
///
/// `table` must be null, or valid for reading and writing, with as many entries as it says, and
/// nobody else may access it while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_index(table: *mut kvm_cpuid_table) {
    if table.is_null() {
        return;
    }
    // SAFETY: The caller promises that there is one, for this function alone. C may never have
    // written to it, so it is written before there is a reference; `Index` is transparent.
    let index = unsafe {
        let index = (&raw mut (*table).index).cast::<Index>();

        index.write(Index::EMPTY);
        &mut *index
    };
    // SAFETY: The caller promises that there are as many entries, which stand behind the index.
    let entries = unsafe {
        slice::from_raw_parts((&raw const (*table).entries).cast(), (*table).nent as usize)
    };

    index.add(entries);
}

/// One of a table's entries, null for none.
///
/// # Safety
///
/// `table` must be valid for reading, and have an entry there, if `position` is one.
unsafe fn entry_at(table: *mut kvm_cpuid_table, position: Option<usize>) -> *mut kvm_cpuid_entry2 {
    match position {
        // SAFETY: The caller promises that there is such an entry.
        Some(position) => unsafe {
            (&raw mut (*table).entries)
                .cast::<kvm_cpuid_entry2>()
                .add(position)
        },
        None => ptr::null_mut(),
    }
}

/// The first entry of a function, null if there is none.
///
/// # Safety
///
/// `table` must be null, or valid for reading, with as many entries as it says, and nobody may
/// write to it while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_find(
    table: *mut kvm_cpuid_table,
    function: u32,
) -> *mut kvm_cpuid_entry2 {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (index, entries) = unsafe { self::table(table) };

    // SAFETY: The entry is one of the table's, if there is one.
    unsafe { entry_at(table, index.find_inline(entries, function, None)) }
}

/// The entry that counts for a function and an index, null if there is none.
///
/// # Safety
///
/// As for [`kvm_cpuid_find()`].
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_find_index(
    table: *mut kvm_cpuid_table,
    function: u32,
    index: u32,
) -> *mut kvm_cpuid_entry2 {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (positions, entries) = unsafe { self::table(table) };

    // SAFETY: The entry is one of the table's, if there is one.
    unsafe { entry_at(table, positions.find_inline(entries, function, Some(index))) }
}

/// The entry that Intel's CPUs show instead of one that isn't there, and in `function` which one
/// that is, even if it has no such entry. Null, with `function` as it was, if the leaf is in range.
///
/// # Safety
///
/// As for [`kvm_cpuid_find()`]; `function` must be valid for reading and writing.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_find_highest_basic(
    table: *mut kvm_cpuid_table,
    function: *mut u32,
    index: u32,
) -> *mut kvm_cpuid_entry2 {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (positions, entries) = unsafe { self::table(table) };
    // SAFETY: The caller promises that it can be read.
    let Some((highest, position)) = positions.highest_basic(entries, unsafe { *function }, index)
    else {
        return ptr::null_mut();
    };

    // SAFETY: The caller promises that it can be written. The entry is one of the table's, if there
    // is one.
    unsafe {
        *function = highest;
        entry_at(table, position)
    }
}

/// How kvm-intel or kvm-amd is configured.
fn vendor_flags(vendor: &kvm_vendor_snapshot) -> Flags {
    // By name, so that a field that C has more fails the build. The kind is for vcpu_flags().
    macro_rules! flags {
        ($($field:ident: $flag:ident,)*) => {{
            let kvm_vendor_snapshot { kind: _, $($field),* } = *vendor;
            Flags::empty() $(| flag(Flag::$flag, $field))*
        }};
    }
    flags! {
        nested: Nested,
        nrips: Nrips,
        tsc_scaling: TscScaling,
        vls: Vls,
        lbrv: Lbrv,
        gmet: Gmet,
        vgif: Vgif,
        vnmi: Vnmi,
        sev: Sev,
        sev_es: SevEs,
        sev_snp: SevSnp,
        core_counters: CoreCounters,
        pmu_v2: PmuV2,
        mpx_state: MpxState,
        invpcid: Invpcid,
        pt_host_guest: PtHostGuest,
        pebs: Pebs,
        sgx: Sgx,
        umip_emulated: UmipEmulated,
        xsaves: Xsaves,
        rdtscp: Rdtscp,
        user_wait_pause: UserWaitPause,
        load_cet_state: LoadCetState,
        unrestricted_guest: UnrestrictedGuest,
        any_error_code: AnyErrorCode,
    }
}

/// Room for `nent` entries.
///
/// # Safety
///
/// `entries` must be valid for writing `nent` entries, and nobody else may access them while the
/// result lives.
unsafe fn slots<'a>(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
) -> &'a mut [MaybeUninit<kvm_cpuid_entry2>] {
    // SAFETY: The caller promises that there is room for as many entries, for this function alone;
    // nothing is said of what it holds.
    unsafe { slice::from_raw_parts_mut(entries.cast(), usize::try_from(nent).unwrap_or(0)) }
}

/// What KVM looks at to make something of guest CPUID, as far as rows depend on it.
///
/// # Safety
///
/// `context.kvm` must be valid for reading `NR_KVM_CPU_CAPS` words, `context.kernel` for
/// `NCAPINTS + NBUGINTS`, and nobody may write to them while the result lives.
unsafe fn facts_of_context<'a>(context: &kvm_caps_context) -> Facts<'a> {
    Facts {
        // SAFETY: The caller promises that `kvm` has as many words, which don't change.
        kvm: unsafe { words(context.kvm) },
        // SAFETY: The caller promises the same of `kernel`.
        kernel: unsafe { kernel_words(context.kernel) },
        flags: vcpu_flags(context.kind, context.tdp_enabled),
        ..Facts::NONE
    }
}

/// Computes what KVM supports, features in `caps` and components of IA32_XSS in `xss`.
///
/// Returns whether the host is sane, i.e. has what rows of the policy expect.
///
/// # Safety
///
/// * `caps` must be valid for writing `NR_KVM_CPU_CAPS` words, `xss` for writing.
/// * `host` must be valid for reading, its `kernel` for `NCAPINTS + NBUGINTS` words, its `cpu` for
///   `NR_KVM_CPU_CAPS`, and its `vendor`. Nobody may write to any of them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_host_caps_init(
    caps: *mut u32,
    xss: *mut u64,
    host: *const kvm_caps_snapshot,
) -> bool {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let host = unsafe { &*host };
    // SAFETY: The caller promises the same of `vendor`.
    let vendor = unsafe { &*host.vendor };
    let facts = Facts {
        // SAFETY: The caller promises that `kernel` has as many words, which don't change.
        kernel: unsafe { kernel_words(host.kernel) },
        // SAFETY: The caller promises the same of `cpu`.
        cpu: unsafe { words(host.cpu) },
        flags: vcpu_flags(vendor.kind, host.tdp_enabled)
            | vendor_flags(vendor)
            | flag(Flag::Pmu, host.enable_pmu)
            | flag(Flag::SmallerMaxphyaddr, host.allow_smaller_maxphyaddr)
            | flag(Flag::MsrTscAux, host.has_msr_tsc_aux),
        ..Facts::NONE
    };
    let supported = HostCaps::new(&facts, host.xss);

    // SAFETY: The caller promises that both can be written.
    unsafe {
        caps.cast::<Words>().write(supported.words);
        xss.write(supported.xss);
    }
    supported.is_sane
}

/// Writes a vCPU's state to incoming CPUID entries, and tells whether a guest sees the same in them
/// as in those that the vCPU has. If so, what finds these finds the incoming ones from now on.
///
/// # Safety
///
/// * `table` must be null, or valid for reading and writing, with as many entries as it says, and
///   nobody else may access it while the function runs.
/// * `its` must be null, or another one, valid for reading, with as many entries as it says, and
///   nobody may write to it meanwhile.
/// * `runtime` and `sizes` must be valid for reading, and nobody may write to them meanwhile.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_repeats(
    table: *mut kvm_cpuid_table,
    its: *const kvm_cpuid_table,
    runtime: *const kvm_cpuid_runtime,
    sizes: *const kvm_xstate_sizes,
) -> bool {
    if table.is_null() || its.is_null() {
        return table.is_null() && its.is_null();
    }
    // SAFETY: It is not null, so the caller promises that there are as many entries, for this
    // function alone.
    let entries = unsafe {
        slice::from_raw_parts_mut((&raw mut (*table).entries).cast(), (*table).nent as usize)
    };
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (index, its_entries) = unsafe { self::table(its) };
    // SAFETY: The caller promises that both can be read, and don't change.
    let (runtime, sizes) = unsafe { (&*runtime, &*sizes) };

    // Others than the vCPU's entries are refused, even if the index doesn't find what is there.
    runtime::massage_kvm_features(runtime, entries, index);
    runtime::massage(runtime, &sizes.component, entries, index);
    if !cpuid::are_same(entries, its_entries) {
        return false;
    }
    // SAFETY: The caller promises that both are there, and that they are two.
    unsafe { ptr::copy_nonoverlapping(&raw const (*its).index, &raw mut (*table).index, 1) };
    true
}

/// Writes a vCPU's state to incoming CPUID entries, which have an index, and derives all that KVM
/// derives from them: what the vCPU may use, in `caps`, and what else there is, in `guest`.
///
/// Returns 0, or `-EINVAL`, with nothing derived, if KVM can't virtualize the width of linear
/// addresses.
///
/// # Safety
///
/// * `guest` must be valid for writing, `caps` for writing `NR_KVM_CPU_CAPS` words.
/// * `context` must be valid for reading, its `kvm` for `NR_KVM_CPU_CAPS` words, its `kernel` for
///   `NCAPINTS + NBUGINTS`, its `runtime` and its `sizes`.
/// * `table` must be null, or valid for reading and writing, with as many entries as it says.
///
/// Nobody else may access what is written, or write to what is read, while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_derive(
    guest: *mut kvm_guest_cpuid,
    caps: *mut u32,
    context: *const kvm_caps_context,
    table: *mut kvm_cpuid_table,
) -> c_int {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let (index, entries) = unsafe { table_mut(table) };
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let context = unsafe { &*context };
    // SAFETY: The caller promises the same of these.
    let (runtime, sizes) = unsafe { (&*context.runtime, &*context.sizes) };
    let context = Context {
        // SAFETY: The caller promises that words can be read, and don't change.
        facts: unsafe { facts_of_context(context) },
        runtime,
        sizes: &sizes.component,
        xcr0: context.xcr0,
        xss: context.xss,
        dynamic: context.dynamic,
    };

    // SAFETY: The caller promises that as many words can be written, which nobody else accesses;
    // nothing is said of what they are. `GuestCaps` is transparent.
    let caps = unsafe { &mut *caps.cast::<MaybeUninit<GuestCaps>>() };

    match guest::derive(&context, entries, index, caps) {
        Ok(cpuid) => {
            // SAFETY: The caller promises that it can be written.
            unsafe { guest.write(cpuid) };
            0
        }
        Err(error) => error.to_errno(),
    }
}

/// Writes a vCPU's state to its CPUID entries and capabilities, but for what doesn't change while
/// it lives, i.e. whether HLT exits.
///
/// # Safety
///
/// * `caps` must be valid for reading and writing `NR_KVM_CPU_CAPS` words.
/// * `table` must be null, or valid for reading and writing, with as many entries as it says.
/// * `runtime` and `sizes` must be valid for reading.
///
/// Nobody else may access what is written, or write to what is read, while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_update(
    caps: *mut u32,
    table: *mut kvm_cpuid_table,
    runtime: *const kvm_cpuid_runtime,
    sizes: *const kvm_xstate_sizes,
) {
    // SAFETY: The caller promises that there are as many words, for this function alone;
    // `GuestCaps` is transparent.
    let caps = unsafe { &mut *caps.cast::<GuestCaps>() };
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let (index, entries) = unsafe { table_mut(table) };
    // SAFETY: The caller promises that both can be read, and don't change.
    let (runtime, sizes) = unsafe { (&*runtime, &*sizes) };
    let leaves = runtime::massage(runtime, &sizes.component, entries, index);

    caps.update(runtime, leaves);
}

/// The bytes that XSAVE takes for components, or XSAVES if they are compacted.
///
/// # Safety
///
/// `sizes` must be valid for reading, and nobody may write to it while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_xstate_required_size(
    sizes: *const kvm_xstate_sizes,
    components: u64,
    compacted: bool,
) -> u32 {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let sizes = unsafe { &*sizes };

    xstate::required_size(&sizes.component, components, compacted)
}

/// A copy of words that CPUs which come online may write to meanwhile.
///
/// # Safety
///
/// `words` must be valid for reading `N` words, and whoever writes to one bit of a word must leave
/// all others as they are meanwhile.
unsafe fn copied<const N: usize>(words: *const u32) -> [u32; N] {
    // SAFETY: The caller promises that there are as many words. This `read_volatile` is intended to
    // correspond to a READ_ONCE call.
    core::array::from_fn(|i| unsafe { words.add(i).read_volatile() })
}

/// The bits of CR4 that are reserved on a CPU with such features.
///
/// # Safety
///
/// `words`, as `cpuinfo_x86::x86_capability`, must be as [`copied()`] asks, `NCAPINTS` of them.
#[export]
pub(crate) unsafe extern "C" fn kvm_cr4_reserved_bits(words: *const u32) -> u64 {
    let mut features = NOTHING;

    // SAFETY: The caller promises that there are as many words.
    let kept: [u32; NCAPINTS] = unsafe { copied(words) };
    for (feature, kept) in features.iter_mut().zip(kept) {
        *feature = kept;
    }

    let facts = Facts {
        vcpu: &features,
        ..Facts::NONE
    };

    control_regs::reserved(CR4, &facts)
}

/// The bits of CR4 that guest CPUID has the features of, whether or not the vCPU may use them.
///
/// # Safety
///
/// `table` must be null, or valid for reading, with as many entries as it says, and nobody may
/// write to it while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_cr4_bits(table: *const kvm_cpuid_table) -> u64 {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (index, entries) = unsafe { self::table(table) };

    guest::cr4(entries, index)
}

/// The bits of EFER that KVM supports.
///
/// # Safety
///
/// `kvm` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to them while the
/// function runs; `kernel` must be as [`copied()`] asks, `NCAPINTS + NBUGINTS` words.
#[export]
pub(crate) unsafe extern "C" fn kvm_efer_supported_bits(
    kvm: *const u32,
    kernel: *const u32,
) -> u64 {
    // SAFETY: The caller promises that there are as many words, and that `kvm` doesn't change.
    let (kvm, kernel): (_, KernelWords) = unsafe { (words(kvm), copied(kernel)) };
    let facts = Facts {
        kernel: &kernel,
        kvm,
        vcpu: kvm,
        ..Facts::NONE
    };

    !control_regs::reserved(EFER, &facts)
}

/// The words that CPUID entries ask for.
///
/// # Safety
///
/// * `asked` must be valid for writing `NR_KVM_CPU_CAPS` words.
/// * `table` must be null, or valid for reading, with an index and as many entries as it says, and
///   nobody may write to it while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_words(asked: *mut u32, table: *const kvm_cpuid_table) {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (index, entries) = unsafe { self::table(table) };
    let words = guest::asked(entries, index);

    // SAFETY: The caller promises that as many words can be written.
    unsafe { asked.cast::<Words>().write(words) };
}

/// What a view is about.
///
/// # Safety
///
/// `view` must be valid for reading, and all of its words for `NR_KVM_CPU_CAPS`, those of `kernel`
/// for `NCAPINTS + NBUGINTS`. Nobody may write to them while the result lives.
unsafe fn facts_of_view<'a>(view: *const kvm_caps_view) -> Facts<'a> {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let view = unsafe { &*view };
    // SAFETY: The caller promises that all of these have as many words, which don't change.
    let (cpu, guest, vcpu) = unsafe { (words(view.cpu), words(view.asked), words(view.caps)) };

    Facts {
        // SAFETY: The caller promises the same of `kvm`.
        kvm: unsafe { words(view.kvm) },
        // SAFETY: The caller promises the same of `kernel`.
        kernel: unsafe { kernel_words(view.kernel) },
        cpu,
        guest,
        vcpu,
        flags: vcpu_flags(view.kind, view.tdp_enabled) | flag(Flag::Pmu, view.enable_pmu),
    }
}

/// Prints what a vCPU asks for and may use, a line a feature.
///
/// # Safety
///
/// * `file` must be a valid `seq_file` that nobody else accesses while the function runs.
/// * `view` must be as [`facts_of_view()`] asks.
#[export]
pub(crate) unsafe extern "C" fn kvm_guest_caps_show(
    file: *mut bindings::seq_file,
    view: *const kvm_caps_view,
) {
    // SAFETY: The caller promises that it is valid, and nobody else's.
    let file = unsafe { SeqFile::from_raw(file) };
    // SAFETY: The caller promises that view and words can be read, and don't change.
    let facts = unsafe { facts_of_view(view) };

    view::show(&facts, file);
}

/// Text in an array, cut where that ends. The last byte stays as it is.
struct Text<'a>(&'a mut [c_char]);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            let Some((first, rest @ [_, ..])) = core::mem::take(&mut self.0).split_first_mut()
            else {
                return Err(core::fmt::Error);
            };

            *first = byte as c_char;
            self.0 = rest;
        }
        Ok(())
    }
}

/// Finds the next feature, from a number on, that guest CPUID asks for and the vCPU may not use.
///
/// Returns whether there is one.
///
/// # Safety
///
/// * `cap` must be valid for writing.
/// * `view` must be as [`facts_of_view()`] asks.
#[export]
pub(crate) unsafe extern "C" fn kvm_denied_caps_next(
    cap: *mut kvm_denied_cap,
    view: *const kvm_caps_view,
    from: c_uint,
) -> bool {
    // SAFETY: The caller promises that view and words can be read, and don't change.
    let facts = unsafe { facts_of_view(view) };
    let Some(line) = view::lines(&facts, from).find(|line| line.guest && !line.vcpu) else {
        return false;
    };
    let mut denied = kvm_denied_cap {
        name: line.name().as_ptr().cast(),
        name_len: line.name().len() as u32,
        number: line.number,
        ..kvm_denied_cap::default()
    };

    if let Some(why) = line.why {
        // What is cut is still worth to be shown.
        let _ = Text(&mut denied.why).write_fmt(fmt!("{why}"));
    }
    // SAFETY: The caller promises that it can be written.
    unsafe { cap.write(denied) };
    true
}

impl From<Answer> for kvm_guest_cap {
    fn from(answer: Answer) -> Self {
        let place = |leaf: Leaf, lsb| {
            (
                u64::from(leaf.function) << 32 | u64::from(leaf.index),
                ((leaf.reg as u32 * u32::BITS) | lsb) as u8,
            )
        };
        let (id, lsb) = place(answer.leaf, answer.lsb);
        let (needs_id, needs_lsb) = answer.lacks.map_or((0, 0), |(leaf, bit)| place(leaf, bit));
        let why = match answer.why {
            None | Some(Why::Unknown | Why::Denied(_)) => bindings::KVM_GUEST_CAP_BY_RULE,
            Some(Why::Missing(Missing::Cpu)) => bindings::KVM_GUEST_CAP_NO_CPU,
            Some(Why::Missing(Missing::Kernel)) => bindings::KVM_GUEST_CAP_NO_KERNEL,
            Some(Why::Missing(Missing::Kvm)) => bindings::KVM_GUEST_CAP_NO_KVM,
            Some(Why::Runtime) => bindings::KVM_GUEST_CAP_RUNTIME,
            Some(Why::OptOut(_)) if answer.value == 0 => bindings::KVM_GUEST_CAP_LACKING,
            Some(Why::OptOut(row)) if row.is_exact() => bindings::KVM_GUEST_CAP_FORCED,
            Some(Why::OptOut(_)) => bindings::KVM_GUEST_CAP_EMULATED,
        };
        let rule = match answer.rule {
            Rule::Reserved => bindings::KVM_GUEST_CAP_RESERVED,
            Rule::Denied => bindings::KVM_GUEST_CAP_DENIED,
            Rule::Absent => bindings::KVM_GUEST_CAP_ABSENT,
            Rule::Fixed => bindings::KVM_GUEST_CAP_FIXED,
            Rule::LowerSafe => bindings::KVM_GUEST_CAP_LOWER_SAFE,
            Rule::Exact => bindings::KVM_GUEST_CAP_EXACT,
        };
        let verdict = match answer.verdict {
            Verdict::Taken => bindings::KVM_GUEST_CAP_TAKEN,
            Verdict::Refused => bindings::KVM_GUEST_CAP_REFUSED,
            Verdict::Adjusted => bindings::KVM_GUEST_CAP_ADJUSTED,
            Verdict::Ignored => bindings::KVM_GUEST_CAP_IGNORED,
            Verdict::Withheld => bindings::KVM_GUEST_CAP_WITHHELD,
            Verdict::Forbidden => bindings::KVM_GUEST_CAP_FORBIDDEN,
        };
        let is_writable = matches!(answer.rule, Rule::LowerSafe | Rule::Exact);
        let flags = [
            (bindings::KVM_GUEST_CAP_WRITABLE, is_writable),
            (bindings::KVM_GUEST_CAP_USABLE, answer.is_usable),
            (bindings::KVM_GUEST_CAP_SUPPORTED, answer.is_supported),
        ];
        let flags = flags.into_iter().filter(|(_, holds)| *holds);

        Self {
            id,
            why: why as u8,
            lsb,
            width: answer.width as u8,
            rule: rule as u8,
            verdict: verdict as u8,
            flags: flags.fold(0, |flags, (flag, _)| flags | flag as u16),
            host: answer.host.into(),
            limit: answer.highest.into(),
            lowest: answer.lowest.into(),
            highest: answer.highest.into(),
            possible: answer.possible(),
            asked: answer.asked.into(),
            value: answer.value.into(),
            needs_id,
            needs_lsb,
            needs_width: answer.lacks.is_some().into(),
            needs_least: answer.lacks.is_some().into(),
            ..Self::default()
        }
    }
}

/// Records answers, as many as there is room for: how many these are.
///
/// # Safety
///
/// `caps` must be valid for writing `KVM_CAPS_MAX_RECORDS` records, which nobody else may access
/// while the function runs.
unsafe fn record(caps: *mut kvm_guest_cap, answers: impl IntoIterator<Item = Answer>) -> c_uint {
    // SAFETY: The caller promises that there is room for as many, for this function alone; nothing
    // is said of what it holds.
    let slots = unsafe {
        slice::from_raw_parts_mut(
            caps.cast::<MaybeUninit<kvm_guest_cap>>(),
            bindings::KVM_CAPS_MAX_RECORDS as usize,
        )
    };

    slots
        .iter_mut()
        .zip(answers)
        .fold(0, |written: c_uint, (slot, answer)| {
            slot.write(answer.into());
            written.wrapping_add(1)
        })
}

/// What vCPUs may use at least, and at most, whatever their CPUID asks for.
///
/// # Safety
///
/// * `lowest` and `highest` must be valid for writing `NR_KVM_CPU_CAPS` words each.
/// * `context` must be valid for reading, its `kvm` for `NR_KVM_CPU_CAPS` words, its `kernel` for
///   `NCAPINTS + NBUGINTS`, and its `runtime`.
///
/// Nobody else may access what is written, or write to what is read, while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_bounds(
    lowest: *mut u32,
    highest: *mut u32,
    context: *const kvm_caps_context,
) {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let context = unsafe { &*context };
    // SAFETY: The caller promises the same of these.
    let (facts, runtime) = unsafe { (facts_of_context(context), &*context.runtime) };

    let bounds = Bounds::new(&facts, runtime);

    // SAFETY: The caller promises that as many words can be written to both.
    unsafe {
        lowest.cast::<Words>().write(bounds.lowest);
        highest.cast::<Words>().write(bounds.highest);
    }
}

/// Tells of all features of the next word, from `word` on, or of those of which guest CPUID and the
/// vCPU don't have the same, and leaves behind where to go on: how many these are, 0 at the end.
///
/// # Safety
///
/// * `caps` must be as [`record()`] asks, `view` as [`facts_of_view()`] does.
/// * `lowest` and `highest` must be valid for reading `NR_KVM_CPU_CAPS` words each, as
///   [`kvm_caps_bounds()`] wrote them.
/// * `word` must be valid for reading and writing.
///
/// Nobody may write to what is read while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_list(
    caps: *mut kvm_guest_cap,
    view: *const kvm_caps_view,
    lowest: *const u32,
    highest: *const u32,
    word: *mut c_uint,
    all: bool,
) -> c_uint {
    // SAFETY: The caller promises that view and words can be read, and don't change.
    let facts = unsafe { facts_of_view(view) };
    // SAFETY: The caller promises that there are as many words, which don't change.
    let (lowest, highest) = unsafe { (words(lowest), words(highest)) };
    let bounds = Bounds {
        lowest: *lowest,
        highest: *highest,
    };
    // SAFETY: The caller promises that it can be read.
    let from = unsafe { *word };

    for next in from..NR_KVM_CPU_CAPS as c_uint {
        // SAFETY: The caller promises that there is room.
        let nr = unsafe { record(caps, Answer::list(&facts, &bounds, next as usize, all)) };

        if nr != 0 {
            // SAFETY: The caller promises that it can be written.
            unsafe { *word = next.wrapping_add(1) };
            return nr;
        }
    }

    0
}

/// Tells of what KVM has written over in the next entry from `position` on that is not the same as
/// it was before, and leaves behind where to go on: how much that is.
///
/// # Safety
///
/// * `caps` must be as [`record()`] asks, `view` as [`facts_of_view()`] does.
/// * `after` must be null, or valid for reading, with as many entries as it says, and `before` for
///   reading as many. Nobody may write to them while the function runs.
/// * `position` must be valid for reading and writing.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_adjusted(
    caps: *mut kvm_guest_cap,
    view: *const kvm_caps_view,
    before: *const kvm_cpuid_entry2,
    after: *const kvm_cpuid_table,
    position: *mut c_uint,
) -> c_uint {
    // SAFETY: The caller promises that view and words can be read, and don't change.
    let facts = unsafe { facts_of_view(view) };
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (_, after) = unsafe { table(after) };

    if after.is_empty() {
        return 0;
    }

    // SAFETY: The caller promises that there are as many as in the table, and that they don't
    // change.
    let before = unsafe { slice::from_raw_parts(before, after.len()) };
    // SAFETY: The caller promises that it can be read.
    let from = unsafe { *position };
    let mut next = from as usize;

    while let (Some(before), Some(after)) = (before.get(next), after.get(next)) {
        next = next.wrapping_add(1);
        if !cpuid::are_same(slice::from_ref(before), slice::from_ref(after)) {
            // SAFETY: The caller promises that it can be written.
            unsafe { *position = next as c_uint };
            // SAFETY: The caller promises that there is room.
            return unsafe { record(caps, Answer::adjusted(&facts, before, after)) };
        }
    }

    0
}

/// Tells what a table is refused for, and mends it: how much that is.
///
/// # Safety
///
/// `caps` must be as [`record()`] asks, `table` as [`table_mut()`] does.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_mended(
    caps: *mut kvm_guest_cap,
    table: *mut kvm_cpuid_table,
) -> c_uint {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let (index, entries) = unsafe { table_mut(table) };

    // SAFETY: The caller promises that there is room.
    unsafe { record(caps, Answer::mended(entries, index)) }
}

/// Tells of components of XCR0, or at index 1 of IA32_XSS, that are asked for in one half, 0 or 1,
/// and that the vCPU will not have, on a host whose kernel has turned on `kernel`, of which KVM
/// supports `kvm`: how many these are.
///
/// # Safety
///
/// `caps` must be as [`record()`] asks.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_components(
    caps: *mut kvm_guest_cap,
    index: u32,
    half: u32,
    asked: u32,
    forbidden: bool,
    kernel: u64,
    kvm: u64,
) -> c_uint {
    let [last, ..] = read_cpuid(0, 0);
    let [eax, _, ecx, edx] = match last {
        0xd.. => read_cpuid(0xd, index),
        _ => [0; 4],
    };
    let host = Components {
        cpu: u64::from(edx) << 32 | u64::from(if index == 0 { eax } else { ecx }),
        kernel,
        kvm,
    };
    let verdict = match forbidden {
        true => Verdict::Forbidden,
        false => Verdict::Withheld,
    };

    let half = Half::new(index, half);

    // SAFETY: The caller promises that there is room.
    unsafe { record(caps, Answer::components(&half, asked, verdict, &host)) }
}

/// CPUID of this CPU.
fn read_cpuid(function: u32, index: u32) -> [u32; 4] {
    let mut regs = [0; 4];

    // SAFETY: The array has room for four registers.
    unsafe { bindings::kvm_read_cpuid(regs.as_mut_ptr(), function, index) };
    regs
}

/// Fills in what `KVM_GET_SUPPORTED_CPUID` reports of the CPU it runs on, on which the caller has
/// to stay. A bit of `contradictions` is a function in which the CPU is not as KVM expects.
///
/// Returns the number of entries, or `-E2BIG` if there is no room.
///
/// # Safety
///
/// * `entries` must be valid for writing `nent` entries, and `contradictions` for writing.
/// * `context` must be valid for reading, its `kvm` for `NR_KVM_CPU_CAPS` words, its `kernel` for
///   `NCAPINTS + NBUGINTS`, its `sizes` and its `snapshot`.
///
/// Nobody else may access what is written, or write to what is read, while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_supported_cpuid(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    context: *const kvm_leaves_context,
    contradictions: *mut u32,
) -> c_int {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let entries = unsafe { slots(entries, nent) };
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let context = unsafe { &*context };
    // SAFETY: The caller promises the same of these.
    let (sizes, snapshot) = unsafe { (&*context.sizes, &*context.snapshot) };
    let context = leaves::Context {
        facts: Facts {
            // SAFETY: The caller promises that `kvm` has as many words, which don't change.
            kvm: unsafe { words(context.kvm) },
            // SAFETY: The caller promises the same of `kernel`.
            kernel: unsafe { kernel_words(context.kernel) },
            flags: flag(Flag::Tdp, context.tdp_enabled)
                | flag(Flag::Pmu, context.enable_pmu)
                | flag(Flag::Centaur, context.centaur),
            ..Facts::NONE
        },
        sizes: &sizes.component,
        snapshot,
    };
    let (count, seen) = leaves::supported(&context, read_cpuid, entries);

    // SAFETY: The caller promises that it can be written.
    unsafe { contradictions.write(seen) };
    match count {
        Ok(count) => count as c_int,
        Err(error) => error.to_errno(),
    }
}

/// Fills in what `KVM_GET_EMULATED_CPUID` reports.
///
/// Returns the number of entries, or `-E2BIG`, with nothing written, if there is no room.
///
/// # Safety
///
/// * `entries` must be valid for writing `nent` entries, which nobody else may access while the
///   function runs.
/// * `kvm` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to it meanwhile.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_emulated_cpuid(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    kvm: *const u32,
) -> c_int {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let entries = unsafe { slots(entries, nent) };
    // SAFETY: The caller promises that there are as many words, and that they don't change.
    let kvm = unsafe { words(kvm) };

    match optouts::emulated(kvm, entries) {
        Ok(count) => count as c_int,
        Err(error) => error.to_errno(),
    }
}
