// SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note
// Made by scripts/facts.py: KVM_GUEST_CAPS of linux/kvm.h.


pub const KVM_CAP_GUEST_CAPS: u32 = 252;
pub const KVM_GUEST_CAPS_LIST: u32 = 0;
pub const KVM_GUEST_CAPS_CHECK: u32 = 1;
pub const KVM_GUEST_CAPS_READ: u32 = 2;
pub const KVM_GUEST_CAPS_MAX_ASKED: u32 = 256;
pub const KVM_GUEST_CAP_BY_RULE: u32 = 0;
pub const KVM_GUEST_CAP_NO_CPU: u32 = 1;
pub const KVM_GUEST_CAP_NO_KERNEL: u32 = 2;
pub const KVM_GUEST_CAP_NO_KVM: u32 = 3;
pub const KVM_GUEST_CAP_RUNTIME: u32 = 4;
pub const KVM_GUEST_CAP_EMULATED: u32 = 5;
pub const KVM_GUEST_CAP_FORCED: u32 = 6;
pub const KVM_GUEST_CAP_LACKING: u32 = 7;
pub const KVM_GUEST_CAP_RESERVED: u32 = 0;
pub const KVM_GUEST_CAP_DENIED: u32 = 1;
pub const KVM_GUEST_CAP_ABSENT: u32 = 2;
pub const KVM_GUEST_CAP_FIXED: u32 = 3;
pub const KVM_GUEST_CAP_LOWER_SAFE: u32 = 4;
pub const KVM_GUEST_CAP_HIGHER_SAFE: u32 = 5;
pub const KVM_GUEST_CAP_EXACT: u32 = 6;
pub const KVM_GUEST_CAP_NO_CLASS: u32 = 0;
pub const KVM_GUEST_CAP_DATA_PATH: u32 = 1;
pub const KVM_GUEST_CAP_TRAPPED: u32 = 2;
pub const KVM_GUEST_CAP_OWN: u32 = 3;
pub const KVM_GUEST_CAP_INERT: u32 = 4;
pub const KVM_GUEST_CAP_VIRTUAL: u32 = 5;
pub const KVM_GUEST_CAP_TAKEN: u32 = 0;
pub const KVM_GUEST_CAP_REFUSED: u32 = 1;
pub const KVM_GUEST_CAP_HAS_RUN: u32 = 2;
pub const KVM_GUEST_CAP_ADJUSTED: u32 = 3;
pub const KVM_GUEST_CAP_IGNORED: u32 = 4;
pub const KVM_GUEST_CAP_NEEDS: u32 = 5;
pub const KVM_GUEST_CAP_CLEARED: u32 = 6;
pub const KVM_GUEST_CAP_WITHHELD: u32 = 7;
pub const KVM_GUEST_CAP_FORBIDDEN: u32 = 8;
pub const KVM_GUEST_CAP_SIGNED: u32 = 1;
pub const KVM_GUEST_CAP_WRITABLE: u32 = 2;
pub const KVM_GUEST_CAP_USABLE: u32 = 4;
pub const KVM_GUEST_CAP_SUPPORTED: u32 = 8;
pub const KVM_GUEST_CAP_SIZE_VER0: u32 = 120;
pub type __u8 = ::core::ffi::c_uchar;
pub type __u16 = ::core::ffi::c_ushort;
pub type __u32 = ::core::ffi::c_uint;
pub type __u64 = ::core::ffi::c_ulonglong;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct kvm_guest_caps_reg {
    pub id: __u64,
    pub value: __u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of kvm_guest_caps_reg"][::core::mem::size_of::<kvm_guest_caps_reg>() - 16usize];
    ["Alignment of kvm_guest_caps_reg"][::core::mem::align_of::<kvm_guest_caps_reg>() - 8usize];
    ["Offset of field: kvm_guest_caps_reg::id"]
        [::core::mem::offset_of!(kvm_guest_caps_reg, id) - 0usize];
    ["Offset of field: kvm_guest_caps_reg::value"]
        [::core::mem::offset_of!(kvm_guest_caps_reg, value) - 8usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct kvm_guest_caps {
    pub op: __u32,
    pub flags: __u32,
    pub asked: __u64,
    pub caps: __u64,
    pub nr_asked: __u32,
    pub nr_caps: __u32,
    pub cap_size: __u32,
    pub reserved: [__u32; 9usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of kvm_guest_caps"][::core::mem::size_of::<kvm_guest_caps>() - 72usize];
    ["Alignment of kvm_guest_caps"][::core::mem::align_of::<kvm_guest_caps>() - 8usize];
    ["Offset of field: kvm_guest_caps::op"][::core::mem::offset_of!(kvm_guest_caps, op) - 0usize];
    ["Offset of field: kvm_guest_caps::flags"]
        [::core::mem::offset_of!(kvm_guest_caps, flags) - 4usize];
    ["Offset of field: kvm_guest_caps::asked"]
        [::core::mem::offset_of!(kvm_guest_caps, asked) - 8usize];
    ["Offset of field: kvm_guest_caps::caps"]
        [::core::mem::offset_of!(kvm_guest_caps, caps) - 16usize];
    ["Offset of field: kvm_guest_caps::nr_asked"]
        [::core::mem::offset_of!(kvm_guest_caps, nr_asked) - 24usize];
    ["Offset of field: kvm_guest_caps::nr_caps"]
        [::core::mem::offset_of!(kvm_guest_caps, nr_caps) - 28usize];
    ["Offset of field: kvm_guest_caps::cap_size"]
        [::core::mem::offset_of!(kvm_guest_caps, cap_size) - 32usize];
    ["Offset of field: kvm_guest_caps::reserved"]
        [::core::mem::offset_of!(kvm_guest_caps, reserved) - 36usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct kvm_guest_cap {
    pub id: __u64,
    pub why: __u8,
    pub lsb: __u8,
    pub width: __u8,
    pub rule: __u8,
    pub virt_class: __u8,
    pub verdict: __u8,
    pub flags: __u16,
    pub host: __u64,
    pub limit: __u64,
    pub lowest: __u64,
    pub highest: __u64,
    pub possible: __u64,
    pub asked: __u64,
    pub value: __u64,
    pub needs_id: __u64,
    pub needs_lsb: __u8,
    pub needs_width: __u8,
    pub reserved2: [__u8; 6usize],
    pub needs_least: __u64,
    pub reserved3: [__u64; 3usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of kvm_guest_cap"][::core::mem::size_of::<kvm_guest_cap>() - 120usize];
    ["Alignment of kvm_guest_cap"][::core::mem::align_of::<kvm_guest_cap>() - 8usize];
    ["Offset of field: kvm_guest_cap::id"][::core::mem::offset_of!(kvm_guest_cap, id) - 0usize];
    ["Offset of field: kvm_guest_cap::why"][::core::mem::offset_of!(kvm_guest_cap, why) - 8usize];
    ["Offset of field: kvm_guest_cap::lsb"][::core::mem::offset_of!(kvm_guest_cap, lsb) - 9usize];
    ["Offset of field: kvm_guest_cap::width"]
        [::core::mem::offset_of!(kvm_guest_cap, width) - 10usize];
    ["Offset of field: kvm_guest_cap::rule"]
        [::core::mem::offset_of!(kvm_guest_cap, rule) - 11usize];
    ["Offset of field: kvm_guest_cap::virt_class"]
        [::core::mem::offset_of!(kvm_guest_cap, virt_class) - 12usize];
    ["Offset of field: kvm_guest_cap::verdict"]
        [::core::mem::offset_of!(kvm_guest_cap, verdict) - 13usize];
    ["Offset of field: kvm_guest_cap::flags"]
        [::core::mem::offset_of!(kvm_guest_cap, flags) - 14usize];
    ["Offset of field: kvm_guest_cap::host"]
        [::core::mem::offset_of!(kvm_guest_cap, host) - 16usize];
    ["Offset of field: kvm_guest_cap::limit"]
        [::core::mem::offset_of!(kvm_guest_cap, limit) - 24usize];
    ["Offset of field: kvm_guest_cap::lowest"]
        [::core::mem::offset_of!(kvm_guest_cap, lowest) - 32usize];
    ["Offset of field: kvm_guest_cap::highest"]
        [::core::mem::offset_of!(kvm_guest_cap, highest) - 40usize];
    ["Offset of field: kvm_guest_cap::possible"]
        [::core::mem::offset_of!(kvm_guest_cap, possible) - 48usize];
    ["Offset of field: kvm_guest_cap::asked"]
        [::core::mem::offset_of!(kvm_guest_cap, asked) - 56usize];
    ["Offset of field: kvm_guest_cap::value"]
        [::core::mem::offset_of!(kvm_guest_cap, value) - 64usize];
    ["Offset of field: kvm_guest_cap::needs_id"]
        [::core::mem::offset_of!(kvm_guest_cap, needs_id) - 72usize];
    ["Offset of field: kvm_guest_cap::needs_lsb"]
        [::core::mem::offset_of!(kvm_guest_cap, needs_lsb) - 80usize];
    ["Offset of field: kvm_guest_cap::needs_width"]
        [::core::mem::offset_of!(kvm_guest_cap, needs_width) - 81usize];
    ["Offset of field: kvm_guest_cap::reserved2"]
        [::core::mem::offset_of!(kvm_guest_cap, reserved2) - 82usize];
    ["Offset of field: kvm_guest_cap::needs_least"]
        [::core::mem::offset_of!(kvm_guest_cap, needs_least) - 88usize];
    ["Offset of field: kvm_guest_cap::reserved3"]
        [::core::mem::offset_of!(kvm_guest_cap, reserved3) - 96usize];
};
