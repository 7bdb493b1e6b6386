#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hold the Rust cores against the C that the series replaces, guided by coverage.

usage: fuzz.py [--seconds N] [--runs N] [--build | --keep | --coverage | --faults] [TARGET...]

Both kernels' C is compiled for this machine, each with variables of its own: the unmodified one's,
as git has it, and ours with the Rust core. A target feeds both the same, and stops where they
differ. Documentation/lab.rst says how.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import series
from common import PLACE
from left import leave, left

HERE = Path(__file__).resolve().parent.parent
FUZZ, FUZZ_ARM64 = HERE / "fuzz/x86", HERE / "fuzz/arm64"
LAB = PLACE["LAB"]
LINUX = LAB / "linux"
OUT = LAB / "build/fuzz"
# Headers that the kernel's build makes.
OBJTREE = LAB / "build/x86"
RUSTC = os.environ["RUSTC"]
BINDGEN = os.environ["BINDGEN"]
LLVM = os.environ["LLVM"]
CLANG = f"clang{LLVM}"
TARGETS = "supported", "guest", "idregs"
# And of scripts/replay.py.
REPLAY = {"x86": "replay", "arm64": "replay-arm64"}

# {the file to make: {where from: what}}; what a kernel lacks is left out.
CUTS = {
    "cut-svm.h": {
        "arch/x86/kvm/svm/sev.c": ["sev_set_cpu_caps", "sev_take_snapshot"],
        "arch/x86/kvm/svm/svm.c": ["svm_set_cpu_caps", "svm_vcpu_after_set_cpuid"],
    },
    "cut-vmx.h": {
        "arch/x86/kvm/vmx/vmx.c": ["vmx_set_cpu_caps", "nested_vmx_cr_fixed1_bits_update",
                                   "vmx_vcpu_after_set_cpuid"],
    },
    "cut-kernel.h": {
        "arch/x86/kvm/x86.c": ["XFEATURE_MASK_CET_ALL", "kvm_setup_xss_caps", "kvm_setup_efer_caps"],
        "arch/x86/kvm/msrs.c": ["__kvm_valid_efer", "kvm_valid_efer"],
    },
    "cut-cpu.h": {
        "arch/x86/kernel/cpu/scattered.c": ["cpuid_bit", "cpuid_bits", "init_scattered_cpuid_features"],
        "arch/x86/kernel/cpu/common.c": ["init_speculation_control", "get_cpu_cap", "get_cpu_address_sizes"],
        "arch/x86/kvm/x86.c": ["XFEATURE_MASK_CET_ALL", "KVM_SUPPORTED_XCR0", "KVM_SUPPORTED_XSS"],
    },
}
# The same for arm64, of which nothing is compiled as a whole. A pair is all from one line to another.
ARM64_CUTS = {
    "cut-cpufeature.h": {
        "arch/arm64/include/asm/cpufeature.h": [
            "ftr_type", "FTR_STRICT", "FTR_NONSTRICT", "FTR_SIGNED", "FTR_UNSIGNED", "FTR_VISIBLE",
            "FTR_HIDDEN", "FTR_VISIBLE_IF_IS_ENABLED", "arm64_ftr_bits", "arm64_ftr_override",
            "arm64_ftr_reg", "cpuid_feature_extract_signed_field_width",
            "cpuid_feature_extract_unsigned_field_width", "cpuid_feature_extract_field_width",
            "arm64_ftr_mask", "arm64_ftr_value"],
        "arch/arm64/kernel/cpufeature.c": [
            ("#define __ARM64_FTR_BITS(", "	{ SYS_CTR_EL0, &arm64_ftr_reg_ctrel0 },"), "\n};\n",
            "search_cmp_ftr_reg", "get_arm64_ftr_reg_nowarn", "get_arm64_ftr_reg", "arm64_ftr_safe_value"],
    },
    "cut-kvm.h": {
        "arch/arm64/include/asm/kvm_host.h": [
            "IDREG_IDX", "__vm_id_reg", "kvm_read_vm_id_reg", "__expand_field_sign_unsigned",
            "__expand_field_sign_signed", "get_idreg_field_unsigned", "get_idreg_field_signed",
            "kvm_cmp_feat_signed", "kvm_cmp_feat_unsigned", "kvm_cmp_feat", "__kvm_has_feat", "kvm_has_feat"],
        "arch/arm64/kvm/sys_regs.h": [
            "reg_to_encoding", "sys_reg_desc", "REG_HIDDEN", "REG_RAZ", "REG_USER_WI", "sysreg_visibility",
            "sysreg_visible_as_raz", "sysreg_user_write_ignore", "Op0", "Op1", "CRn", "CRm", "Op2",
            "SYS_DESC", "ID_REG_LIMIT_FIELD_ENUM"],
        "arch/arm64/kvm/pmu-emul.c": ["kvm_arm_pmu_get_pmuver_limit"],
        "arch/arm64/kvm/nested.c": ["_has_tgran_2", "limit_nv_id_reg"],
        "arch/arm64/kvm/config.c": ["FEAT_S1POE", "FEAT_S1PIE", "FEAT_ATS1A", "FEAT_TCR2", "FEAT_HPDS",
                                    "feat_s1pie", "feat_s1poe"],
        "arch/arm64/kvm/sys_regs.c": [
            "kvm_set_vm_id_reg", "kvm_arm64_ftr_safe_value", "arm64_check_features", "pmuver_to_perfmon",
            "sanitise_id_aa64pfr0_el1", "sanitise_id_aa64pfr1_el1", "sanitise_id_aa64pfr2_el1",
            "sanitise_id_aa64dfr0_el1", "__kvm_read_sanitised_id_reg", "kvm_read_sanitised_id_reg",
            "read_id_reg", "id_visibility", "aa32_id_visibility", "raz_visibility", "ignore_feat_doublelock",
            "set_id_aa64dfr0_el1", "read_sanitised_id_dfr0_el1", "set_id_dfr0_el1", "set_id_aa64pfr0_el1",
            "set_id_aa64pfr1_el1", "set_id_aa64pfr2_el1", "tgran2_val_allowed", "set_id_aa64mmfr0_el1",
            "set_id_aa64mmfr2_el1", "set_ctr_el0", "set_id_reg", "ID_DESC_DEFAULT_CALLBACKS", "ID_DESC",
            "ID_SANITISED", "ID_WRITABLE", "AA32_ID_WRITABLE", "ID_FILTERED", "ID_UNALLOCATED", "ID_HIDDEN"],
    },
    "cut-finalize.h": {
        "arch/arm64/kvm/vgic/vgic-init.c": ["kvm_vgic_finalize_idregs"],
        "arch/arm64/kvm/sys_regs.c": ["kvm_finalize_sys_regs"],
    },
    "cut-descs.h": {
        "arch/arm64/kvm/sys_regs.c": [("	AA32_ID_WRITABLE(ID_PFR0_EL1),", "	ID_UNALLOCATED(7,7),"),
                                      ("	ID_FILTERED(CTR_EL0, ctr_el0,", "		    CTR_EL0_IminLine_MASK),")],
    },
}
# The C that is compared: with coverage.
WHOLE = "arch/x86/kvm/cpuid.c"
# Comparisons are not traced: inputs need no guesses, and C's searches compare most of the time.
COVERAGE = "-fsanitize-coverage=inline-8bit-counters,pc-table"
SANCOV = ["-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
          "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
          "-Cllvm-args=-sanitizer-coverage-pc-table"]

# No input needs more bytes.
OPTIONS = "-max_len=512", "-print_final_stats=1", "-timeout=60"


class Error(Exception):
    """What a person has to mend."""


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **more)
    if done.returncode:
        raise Error(f"{command[0]}: {done.stderr.strip()[-4000:]}")
    return done.stdout


def unpack():
    """The unmodified kernel, as far as it is compiled."""
    tree = OUT / "tree"
    commit = run("git", "-C", LINUX, "rev-parse", "base").strip()
    mark = OUT / "tree.commit"
    if mark.is_file() and mark.read_text() == commit:
        return tree
    subprocess.run(["rm", "-rf", tree], check=True)
    tree.mkdir(parents=True)
    archive = subprocess.Popen(["git", "-C", LINUX, "archive", commit, "arch/x86", "arch/arm64", "include"],
                               stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", tree], stdin=archive.stdout, check=True)
    if archive.wait():
        raise Error("git can't archive the unmodified kernel")
    mark.write_text(commit)
    return tree


def kernel_flags(tree, out):
    """As the kernel is compiled, but for a program."""
    generated = OBJTREE / "arch/x86/include/generated"
    if not (OBJTREE / "include/generated/autoconf.h").is_file():
        raise Error("no headers of a kernel's build: make kernel makes them")
    include = [FUZZ, out, tree / "arch/x86/kvm", tree / "arch/x86/include", generated, tree / "include",
               OBJTREE / "include", tree / "arch/x86/include/uapi", generated / "uapi",
               tree / "include/uapi", OBJTREE / "include/generated/uapi"]
    headers = [tree / "include/linux" / name
               for name in ("compiler-version.h", "kconfig.h", "compiler_types.h")]
    return ["-nostdinc", *(f"-I{path}" for path in include),
            *(word for header in headers for word in ("-include", header)),
            "-D__KERNEL__", "-DKBUILD_MODNAME=\"kvm\"", "-DKBUILD_BASENAME=\"kvm\"", "-DKBUILD_MODFILE=\"kvm\"",
            "-std=gnu11", "-fms-extensions", "-fshort-wchar", "-funsigned-char", "-fno-common",
            "-fno-strict-aliasing", "-fno-strict-overflow", "-fno-delete-null-pointer-checks",
            "-fno-pic", "-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
            "-mno-red-zone", "-mno-sse", "-mno-mmx", "-mno-80387", "-O2", "-g1", "-w"]


def cut(tree, out, cuts):
    """Functions, and what they need, out of files that are not compiled as a whole. Returns what isn't there."""
    missing = set()
    for name, files in cuts.items():
        pieces = []
        for path, wanted in files.items():
            text, found = series.definitions((tree / path).read_bytes(), path, (
                "function", "macro", "variable", "struct", "enum"))
            for what in wanted:
                if isinstance(what, tuple):
                    begin = next((n for n, line in enumerate(text) if line.startswith(what[0])), len(text))
                    end = next((n for n, line in enumerate(text) if n >= begin and line.startswith(what[1])), -1) + 1
                    if not end:
                        missing.add(f"{path}: lines from \"{what[0]}\" to \"{what[1]}\"")
                elif what in found:
                    begin, end = found[what][0]
                elif "\n" in what:
                    pieces.append(what)
                    continue
                else:
                    missing.add(f"{path}: {what}")
                    continue
                pieces += [f'#line {begin + 1} "{tree / path}"\n', *text[begin:end], "\n"]
        (out / name).write_text("".join(pieces))
    return missing


def must_be_somewhere(missing):
    """A name that has gone everywhere would be compared no more."""
    if missing:
        raise Error(f"no kernel has these any more: {', '.join(sorted(missing))}")


def required():
    """The features without which the kernel that was configured does not boot."""
    header = (OBJTREE / "arch/x86/include/generated/asm/cpufeaturemasks.h").read_text()
    return ",".join(re.findall(r"#define REQUIRED_MASK\d+\s+(\w+)", header))


def vendors(tree):
    """How CPUs call themselves, and what the kernel calls their vendors."""
    return "".join(
        f'{{ "{ident}", {vendor} }},\n' for path in sorted((tree / "arch/x86/kernel/cpu").glob("*.c"))
        for idents, vendor in re.findall(r"\.c_ident\s*= \{(.*?)\},.*?\.c_x86_vendor\s*= (\w+),",
                                         path.read_text(), re.S)
        for ident in re.findall(r'"(.*?)"', idents))


def build_kernel(tree, name):
    """One object with all of a kernel's, and one global symbol. Returns what the kernel lacks."""
    out = OUT / name
    out.mkdir(parents=True, exist_ok=True)
    missing = cut(tree, out, CUTS)
    (out / "vendors.h").write_text(vendors(tree))
    flags = [*kernel_flags(tree, out), f"-DFUZZ_{name.upper()}", f"-DFUZZ_REQUIRED={required()}",
             "-include", FUZZ / "kernel.h"]
    if "handle_fastpath_cpuid" in (tree / WHOLE).read_text():
        flags.append("-DFUZZ_FASTPATH")
    objects = []
    ignored = OUT / "uncovered"
    # It searches most of the time, and has nothing to tell.
    ignored.write_text("fun:kvm_find_cpuid_entry2\n")
    for source in (tree / WHOLE, FUZZ / "svm.c", FUZZ / "vmx.c", FUZZ / "cpu.c", FUZZ / "kernel.c"):
        objects.append(out / f"{source.stem}.o")
        run(CLANG, *flags, COVERAGE, f"-fsanitize-coverage-ignorelist={ignored}", "-c", source, "-o", objects[-1])
    # A static variable that stays from one host to the next.
    run(f"llvm-objcopy{LLVM}", "--globalize-symbol=do_host_cpuid.max_cpuid_80000000", objects[0])
    whole = out / "kernel.o"
    run(f"ld.lld{LLVM}", "-r", "-o", whole, *objects)
    run(f"llvm-objcopy{LLVM}", f"--keep-global-symbol={name}_kernel",
        "--keep-global-symbol=kvm_read_cpuid", whole)
    return missing


def of(trees, path):
    """A file, of the first tree that has it."""
    return next(tree / path for tree in trees if (tree / path).exists())


def describe_x86(out, trees):
    """What the kernel's own crate has of x86: the description of features, and C's types."""
    (out / "rust/kernel").mkdir(parents=True, exist_ok=True)
    features = run("awk", "-f", of(trees, "arch/x86/tools/gen-cpufeature-rs.awk"), *(
        of(trees, path) for path in (
            "arch/x86/include/asm/cpufeatures.h", "arch/x86/include/asm/cpufeature.h",
            "arch/x86/include/asm/kvm_host.h", "arch/x86/kvm/reverse_cpuid.h",
            "tools/arch/x86/kcpuid/cpuid.csv", "arch/x86/include/uapi/asm/processor-flags.h",
            "arch/x86/include/asm/msr-index.h")))
    (out / "rust/kernel/generated_cpufeature.rs").write_text(features)
    first = [f"-I{tree / folder}" for tree in trees for folder in ("arch/x86/kvm", "arch/x86/include")]
    run(BINDGEN, of(trees, "arch/x86/kvm/caps.h"), "--use-core", "--with-derive-default",
        "--allowlist-item", "kvm_.*|KVM_.*|HYPERV_CPUID_.*|xfeature|XFEATURE_.*|NCAPINTS|NBUGINTS",
        "--opaque-type", "seq_file", "--no-doc-comments",
        "--ctypes-prefix", "crate::ffi", "--no-layout-tests", "--no-debug", ".*",
        "--rust-target", "1.85", "-o", out / "bindings.rs",
        "--", *first, *kernel_flags(LINUX, out), "-D__BINDGEN__", "-fno-builtin")


def describe_arm64(out, trees):
    """The same of arm64: the description of registers, and facts."""
    (out / "rust/kernel").mkdir(parents=True, exist_ok=True)
    header = of(trees, "arch/arm64/kvm/idregs.h").read_text()
    facts = re.findall(r"^\t(KVM_IDREG_\w+)\s*= BIT\((\d+)\),$", header, re.M)
    (out / "facts.h").write_text("".join(f"#define {name} (1u << {bit})\n" for name, bit in facts))
    (out / "facts.rs").write_text("pub mod kvm_idreg_fact {\n" + "".join(
        f"    pub const {name}: u32 = 1 << {bit};\n" for name, bit in facts) + "}\n")
    (out / "rust/kernel/generated_cpufeature.rs").write_text(run(
        "awk", "-f", of(trees, "arch/arm64/tools/gen-sysreg-rs.awk"), of(trees, "arch/arm64/tools/sysreg"),
        of(trees, "arch/arm64/include/asm/sysreg.h")))


def rustc(out, *arguments):
    return [RUSTC, "--edition", "2021", "--out-dir", out, "-L", out, "-Copt-level=2", "-Adead_code", *arguments]


def build_flags(out):
    run(*rustc(out, "--crate-type", "rlib", "--crate-name", "flags", LINUX / "rust/kernel/impl_flags.rs"))


def build_crate(out, bindings, *arguments):
    """The kernel's own crate, as far as cores and their tests want it."""
    run(*rustc(out, "--extern", "proc_macro", "--crate-type", "proc-macro", FUZZ / "export.rs"))
    build_flags(out)
    run(*rustc(out, "--extern", "flags", "--extern", "export", "--crate-type", "rlib", *arguments,
               FUZZ / "kernel.rs"),
        env=os.environ | {"OBJTREE": str(out), "FUZZ_BINDINGS": str(bindings)})


def build_core():
    """The Rust core, as it stands here, and its boundary with C."""
    out = OUT / "rust"
    describe_x86(out, (HERE, LINUX))
    build_crate(out, out / "bindings.rs")
    link_core(HERE / "arch/x86/kvm/caps", out)


def link_core(core, out):
    """As it is built with CONFIG_RUST_OVERFLOW_CHECKS, and more: a panic is found, too."""
    run(RUSTC, "--edition", "2021", "--crate-type", "staticlib", "--crate-name", "caps", "-L", OUT / "rust",
        "--extern", f"kernel={OUT / 'rust/libkernel.rlib'}", "-Copt-level=2", "-Cpanic=abort",
        "-Coverflow-checks=y", "-Cdebug-assertions=y", "-Cdebuginfo=1", "-Ccodegen-units=1", *SANCOV,
        "-o", out / "libcaps.a", core / "caps.rs")


def build_arm64(base):
    """The unmodified kernel's C, and what our core is made with."""
    out = OUT / "arm64"
    out.mkdir(parents=True, exist_ok=True)
    must_be_somewhere(cut(base, out, ARM64_CUTS))
    (out / "asm").mkdir(exist_ok=True)
    (out / "asm/sysreg-defs.h").write_text(run("awk", "-f", base / "arch/arm64/tools/gen-sysreg.awk",
                                               base / "arch/arm64/tools/sysreg"))
    describe_arm64(out, (HERE, LINUX))
    build_flags(out)
    (out / "hosts.rs").write_text(hosts())
    run(CLANG, *kernel_flags(base, out), COVERAGE, f"-I{FUZZ_ARM64}",
        f"-I{base / 'arch/arm64/include'}",
        f'-DFUZZ_SYSREG="{base / "arch/arm64/include/asm/sysreg.h"}"', "-c", FUZZ_ARM64 / "kernel.c",
        "-o", out / "kernel.o")


def link_arm64(target, core=HERE):
    """The same core, in the program that makes up machines or in the one that has real ones."""
    made = OUT / "arm64"
    out = core if core != HERE else made
    kind = ["--cfg", "replay"] if target in REPLAY.values() else SANCOV
    run(RUSTC, "--edition", "2021", "--crate-type", "staticlib", "--crate-name", "idregs", *kind, "--extern",
        f"flags={made / 'libflags.rlib'}", "-Copt-level=2", "-Cpanic=abort", "-Coverflow-checks=y",
        "-Cdebuginfo=1", "-Ccodegen-units=1", "-o", out / f"lib{target}.a", core / "fuzz/arm64/fuzz.rs",
        env=os.environ | {"OBJTREE": str(made), "KVM_IDREG_FACTS": str(made / "facts.rs"),
                          "FUZZ_HOSTS": str(made / "hosts.rs")})
    program = (out if core != HERE else OUT) / target
    run(CLANG, "-no-pie", *fuzzer(target), "-o", program, made / "kernel.o", out / f"lib{target}.a",
        "-lpthread", "-ldl", "-lm")
    return program


def fuzzer(target):
    """What makes up inputs, for a target that has none of its own."""
    return [] if target in REPLAY.values() else ["-fsanitize=fuzzer"]


def sysregs():
    """{register: [op0, op1, CRn, CRm, op2]} of those that the kernel describes."""
    return {name: [int(word) for word in words.split()] for name, words in
            re.findall(r"^Sysreg\s+(\w+)((?:[ \t]+\d+){5})\s*$",
                       (LINUX / "arch/arm64/tools/sysreg").read_text(), re.M)}


def indices():
    """Where a register of arm64 stands, by name."""
    index = {"CTR_EL0": 56}
    for name, (op0, op1, crn, crm, op2) in sysregs().items():
        if (op0, op1, crn) == (3, 0, 0) and 1 <= crm <= 7:
            index[name] = (crm - 1) * 8 + op2
    return index


def hosts():
    """Real machines' registers, by index."""
    index = indices()
    found = {}
    for line in (HERE / "scripts/baseline/hosts").read_text().splitlines():
        if line and not line.startswith("#"):
            name, register, word = line.split()
            found.setdefault(name, [0] * 57)[index[register]] = int(word, 16)
    return "const HOSTS: &[(&str, [u64; 57])] = &[\n" + "".join(
        f'    ("{name}", [{", ".join(map(hex, words))}]),\n' for name, words in found.items()) + "];\n"


def link(target, core=None, program=None):
    """A target's program. What decides and compares needs no coverage of its own."""
    program = program or OUT / target
    objects = []
    for source in "replay.c" if target in REPLAY.values() else "fuzz.c", "compare.c", "stubs.c":
        objects.append(OUT / f"{target}-{Path(source).stem}.o")
        run(CLANG, "-O2", "-g1", "-w", "-fno-pie", f"-DTARGET_{target.upper()}", f"-I{FUZZ}", "-c",
            FUZZ / source, "-o", objects[-1])
    run(CLANG, "-no-pie", *fuzzer(target), "-o", program, *objects, OUT / "base/kernel.o",
        OUT / "ours/kernel.o", core or OUT / "rust/libcaps.a", "-lpthread", "-ldl", "-lm")
    return program


def build(targets):
    OUT.mkdir(parents=True, exist_ok=True)
    base = unpack()
    for_arm64 = [target for target in targets if target in ("idregs", REPLAY["arm64"])]
    if for_arm64:
        build_arm64(base)
    for target in for_arm64:
        link_arm64(target)
    for_x86 = [target for target in targets if target not in for_arm64]
    if not for_x86:
        return
    build_core()
    # What C knows of the tables.
    caps = OUT / "ours/caps"
    caps.mkdir(parents=True, exist_ok=True)
    run(RUSTC, "--edition", "2021", "-Adead_code", "-o", caps / "gen-header",
        LINUX / "arch/x86/kvm/caps/gen-header.rs", env=os.environ | {"OBJTREE": str(OUT / "rust")})
    (caps / "generated.h").write_text(run(caps / "gen-header"))
    must_be_somewhere(build_kernel(base, "base") & build_kernel(LINUX, "ours"))
    for target in for_x86:
        link(target)


def kept(target):
    """Where a target's inputs are kept."""
    return (FUZZ_ARM64 if target == "idregs" else FUZZ) / f"{target}.corpus"


def corpus(target):
    """The folder of a target's inputs: those that are kept here, and what was found since."""
    folder = OUT / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for line in kept(target).read_text().split() if kept(target).is_file() else []:
        name = folder / hashlib.sha1(bytes.fromhex(line)).hexdigest()
        if not name.exists():
            name.write_bytes(bytes.fromhex(line))
    return folder


def start(program, *arguments):
    """Runs a target's program, and tells what it said, and how long it took."""
    begin = time.monotonic()
    done = subprocess.run([str(word) for word in (program, *OPTIONS, *arguments)], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors="replace", cwd=OUT)
    return done.returncode, done.stdout, time.monotonic() - begin


def stats(said):
    """libFuzzer's own figures."""
    return {name: int(number) for name, number in re.findall(r"^stat::(\w+):\s+(\d+)", said, re.M)}


def coverage(target):
    """How much of the functions that it enters the corpus runs through: {side: [points, of points]}."""
    status, said, _ = start(OUT / target, "-runs=0", "-print_coverage=1", corpus(target))
    if status:
        raise Error(f"{target}: an input of its own corpus ends it: {said[-2000:]}")
    sides = {"C of the unmodified kernel": [0, 0], "C of ours": [0, 0], "Rust": [0, 0]}
    for hit, total, where in re.findall(
            r"^COVERED_FUNC: hits: \d+ edges: (\d+)/(\d+) .* (\S+?)(?::\d+)*$", said, re.M):
        if ".rs" in where:
            # Core's own functions are not in question.
            side = "Rust" if re.search(r"kvm/(caps|idregs)/", where) else None
        elif str(FUZZ.parent) in where:
            side = None
        else:
            side = "C of the unmodified kernel" if str(OUT / "tree") in where else "C of ours"
        if side:
            sides[side][0] += int(hit)
            sides[side][1] += int(total)
    return sides


def fuzz(target, options):
    """Whether the kernels are the same for as long as they were tried."""
    found = OUT / "found" / target
    found.mkdir(parents=True, exist_ok=True)
    # What was found before comes first: it is not forgotten until it is mended.
    again = sorted(found.iterdir())
    status, said, _ = start(OUT / target, *again) if again else (0, "", 0)
    if status == 0:
        for unit in again:
            unit.rename(corpus(target) / unit.name)
        status, said, seconds = start(
            OUT / target, f"-max_total_time={options.seconds}", f"-runs={options.runs}",
            f"-artifact_prefix={found}/", corpus(target))
        count = stats(said).get("number_of_executed_units", 0)
        print(f"{target}: {count:,} executions in {seconds:.0f} s, {count / max(seconds, 1):,.0f} a second",
              flush=True)
    if status == 0:
        return True
    differences = re.findall(r"^(?:DIFFERENCE|host:).*", said, re.M)
    unit = re.findall(r"(?:Test unit written to|Running:) (\S+)", said)
    print("\n".join(differences) or said[-2000:])
    if unit:
        show = "" if target == "idregs" else "FUZZ_SHOW=1 "
        print(f"to see it again: {show}{OUT / target} {unit[-1]}")
    return False


def keep(target):
    """Writes the corpus down: as few inputs as have the same coverage."""
    folder = OUT / "corpus" / target
    least = OUT / "corpus" / f"{target}.least"
    subprocess.run(["rm", "-rf", least], check=True)
    least.mkdir()
    status, said, _ = start(OUT / target, "-merge=1", least, folder)
    if status:
        raise Error(f"the corpus can't be merged: {said[-2000:]}")
    lines = sorted((path.read_bytes().hex() for path in least.iterdir()), key=lambda line: (len(line), line))
    kept(target).write_text("".join(f"{line}\n" for line in lines if line))
    print(f"{target}: {len(lines)} inputs kept")


def known_faults():
    """(target, file, sed's script, what it is) of each."""
    return [line.split("\t") for line in (FUZZ.parent / "faults").read_text().splitlines() if not line.startswith("#")]


def stale_faults():
    """Those that change nothing any more."""
    return [f"{file}: {what}: {script} edits nothing" for _, file, script, what in known_faults()
            if subprocess.run(["sed", script, HERE / file], capture_output=True, check=True).stdout
            == (HERE / file).read_bytes()]


def faulty(target, file, script):
    """A program of which the core has a fault."""
    out = OUT / "faulty"
    subprocess.run(["rm", "-rf", out], check=True)
    for folder in ("arch/x86/kvm/caps", "arch/arm64/kvm/idregs", "rust/kernel/cpufeature", "fuzz/arm64"):
        shutil.copytree(HERE / folder, out / folder)
    run("sed", "-i", script, out / file)
    if (out / file).read_bytes() == (HERE / file).read_bytes():
        raise Error(f"nothing edited: {script}")
    if file.startswith("arch/arm64"):
        return link_arm64(target, out)
    link_core(out / "arch/x86/kvm/caps", out)
    return link(target, out / "libcaps.a", out / target)


def faults(targets, options):
    """How soon each of the faults is found, without any inputs to begin with."""
    missed = 0
    for target, file, script, what in known_faults():
        if target not in targets:
            continue
        status, said, seconds = start(faulty(target, file, script), "-seed=1", f"-max_total_time={options.seconds}",
                                      f"-artifact_prefix={OUT}/faulty/")
        count = stats(said).get("number_of_executed_units", 0)
        how = re.search(r"^DIFFERENCE in ([^:,]*)|panicked at .*", said, re.M)
        missed += not how
        print(f"{what} ({Path(file).name})\t{target}\t{count:,}\t{seconds:.1f}\t"
              f"{how[1] or how[0] if how else 'missed' if status == 0 else said[-500:]}", flush=True)
    return not missed


def main():
    parser = argparse.ArgumentParser(description="Hold the Rust cores against the C they replace.")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--runs", type=int, default=-1, help="of each target, at most")
    parser.add_argument("--build", action="store_true", help="build, and run nothing")
    parser.add_argument("--keep", action="store_true", help="write down the inputs that were found")
    parser.add_argument("--coverage", action="store_true", help="tell what the inputs run through")
    parser.add_argument("--faults", action="store_true", help="make faults in the core, and find them")
    parser.add_argument("target", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    targets = options.target or TARGETS
    build(targets)
    if options.build:
        return 0
    if options.faults:
        return 0 if faults(targets, options) else 1
    if options.keep or options.coverage:
        covered = {}
        for target in targets:
            if options.keep:
                keep(target)
            if options.coverage:
                covered[target] = coverage(target)
                for side, (hit, total) in covered[target].items():
                    print(f"{target}: {side}: {hit} of {total} points")
        if options.coverage:
            leave(LAB, "coverage", (left(LAB, "coverage")[1] or {}) | covered)
        return 0
    if stale := stale_faults():
        raise Error("\n".join(stale))
    return 0 if all([fuzz(target, options) for target in targets]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit(f"fuzz: {error}")
