#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the tests on all lanes and compare their verdicts with the unmodified kernel's.

usage: test.py [--lane LANE]... [--run RUN]... [--only kunit|selftests|host] [--tests "NAME..."]
               [--all] [--baseline | --accept | --compare [--times N] | --races | --soak MINUTES | --at LAB]

A run is a boot of one lane on one emulated host. Its expected verdicts are in
scripts/baseline/RUN, one line a test: "verdict name # reason", and what KVM says of CPUID there, or
of ID registers, in scripts/baseline/RUN.cpuid or .idregs; of the latter, what may differ is in
scripts/baseline/idregs-differences. scripts/baseline/new has the verdicts of tests for what the
unmodified kernel does not have. --baseline boots the unmodified kernel and writes those files anew,
--compare boots both kernels and compares the latter, and what they make of random tables of CPUID
entries, or of random writes to ID registers; --times makes it more of them. Made-up hosts are there to see limits at work:
what KVM says there with the series, if it is something else, is in RUN.ours, and --accept boots them
and writes that anew. --races runs what may race, and KUnit, on kernels with KASAN and lockdep, with
KCSAN, and with faults, UBSAN and kmemleak; --soak sets, runs, asks and shows vCPUs at the same time,
while VMs come and go, and modules. --at is for bisect.sh: what stands at one commit, in a lab of its
own. On hosts that differ from others in little only tests that ask for features run, but with
--all.
"""

import argparse
import base64
import bisect
import difflib
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from itertools import zip_longest
from pathlib import Path

from common import PLACE
from left import commit, leave, left

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
BASELINE = SCRIPTS / "baseline"
NEW = BASELINE / "new"
MACHINES = BASELINE / "hosts"
SCHEMA = ROOT / "Documentation/guestcaps.schema.json"
DIFFERENCES = BASELINE / "idregs-differences"


@dataclass
class Run:
    """One boot: a lane, the kernel's configuration, the emulated host, and what runs there."""
    name: str
    lane: str
    config: str
    limit: int = 300                # seconds for one selftest
    cpu: str = ""
    append: str = ""
    options: str = ""
    modules: tuple = ()
    kunit: bool = False
    tests: tuple = ()               # none: all that the baseline has
    before: str = ""                # shell commands for the guest, before anything else
    after: str = ""                 # and behind it
    newer: bool = False             # under the newer QEMU that setup.sh fetched
    tried: tuple = ()               # of guest/: programs that are tried as well
    machines: bool = False          # only what VMs start with on each machine of baseline/hosts
    brief: tuple = ()               # those of them that are enough, but with --all
    spared: tuple = ()              # and those that are too much
    soaks: bool = False             # a round of make soak, at the end
    files: dict = field(default_factory=dict)   # {path in the guest: contents}, besides its own
    like: str = ""                  # another run, with the same emulated host and the same verdicts
    results: dict = field(default_factory=dict)
    output: dict = field(default_factory=dict)
    said: list = field(default_factory=list)
    error: str = ""
    hung: bool = False              # and was ended

    @property
    def arch(self):
        return self.config.partition("-")[0]

    @property
    def image(self):
        return "arch/x86/boot/bzImage" if self.arch == "x86" else "arch/arm64/boot/Image"

    @property
    def reloads(self):
        """Whether KVM's modules are loaded again, configured in another way; but not as another run."""
        return bool(self.modules and not self.like)

    def recorded(self):
        """{test: (verdict, reason)} of the unmodified kernel."""
        result = {}
        path = BASELINE / (self.like or self.name)
        for line in path.read_text().splitlines() if path.is_file() else []:
            entry, _, reason = line.partition(" # ")
            if entry and not entry.startswith("#"):
                verdict, name = entry.split(None, 1)
                result[name] = (verdict, reason)
        return result

    @property
    def says(self):
        """The program that prints what KVM says of its features, and the record's suffix."""
        return ("supported_cpuid", "cpuid") if self.arch == "x86" else ("idregs_sweep", "idregs")

    def recorded_said(self):
        """What KVM says in the unmodified kernel: a digest of the host, then the rest."""
        path = BASELINE / f"{self.like or self.name}.{self.says[1]}"
        return path.read_text().splitlines() if path.is_file() else []

    @property
    def made_up(self):
        """Whether the host is one that no emulator has, as host.c makes it."""
        return "guestcaps.host=" in self.append

    @property
    def ours(self):
        """Where what KVM says with the series on such a host is recorded."""
        return BASELINE / f"{self.name}.ours"

    def new(self):
        """The same for tests of what the unmodified kernel does not have, by architecture or run.

        The last line counts.
        """
        lines = [line.split(None, 2) for line in NEW.read_text().splitlines()
                 if line and not line.startswith("#")]
        return {name: (verdict, "") for where, verdict, name in lines
                if where == self.arch or any(fnmatch(name, where) for name in (self.name, self.like))}

    def expected(self):
        """{test: (verdict, reason)} with the series."""
        return self.recorded() | self.new()


# Seconds after which a lane that has not ended never will, on a busy machine as well.
LANE_LIMIT = 3000
# The emulator can be told to emulate any instruction: more of it can be tested.
FEP = "force_emulation_prefix=1"
OTHER_HOSTS = ("guest_caps_test", "guest_caps_debugfs_test", "guest_caps_query_test",
               "reserved_ctrl_bits_test", "cpuid_test", "monitor_mwait_test")
ID_REGS = ("id_reg_limits_test", "id_reg_query_test", "id_reg_debugfs_test",
           "id_reg_enforced_test", "id_reg_protected_test", "id_reg_sysreg_sweep_test",
           "set_id_regs", "aarch32_id_regs")
# Where these pass on another host, the rest does what it does elsewhere.
ASK_FOR_FEATURES = OTHER_HOSTS + (
    "cr4_cpuid_sync_test", "feature_msrs_test", "fix_hypercall_test", "hyperv_cpuid", "hyperv_features",
    "kvm_pv_test", "msrs_test", "set_sregs_test", "smaller_maxphyaddr_emulation_test", "state_test",
    "tsc_msrs_test", "vmx_msrs_test", "vmx_pmu_caps_test", "xcr0_cpuid_test", "xss_msr_test")
# These do the same on any vendor's CPU, and Bochs takes long.
ANY_VENDOR = ("coalesced_io_test", "guest_memfd_test", "hyperv_tlb_flush", "irq_test", "kvm_create_max_vcpus",
              "private_mem_conversions_test", "private_mem_kvm_exits_test", "recalc_apic_map_test",
              "sync_regs_test")
# What CR4 and EFER stand for, but for what the kernel itself needs.
TURNED_OFF = "nofsgsbase nopku no5lvl clearcpuid=umip,smep,smap,pcid,fxsr_opt,xsave"


def modules(vendor):
    """KVM's modules, in the order they are loaded in, with their parameters."""
    return ("virt/lib/irqbypass", f"arch/x86/kvm/kvm {FEP}", f"arch/x86/kvm/{vendor}")


def made_up(*registers):
    """Hosts that no emulator has: see host.c. No CPU does there what its ID registers promise."""
    return "guestcaps.host=" + ",".join(registers)


# What KVM starts a VM with there, and accepts, are KVM's limits.
ALL_ONES = made_up(
    "all",
    "ID_AA64PFR0_EL1:ffffffffff77ffff",     # all ones are no FP, no AdvSIMD
    "ID_AA64DFR0_EL1:ffffff0ffffff9ff",     # no double lock, and a PMU that is not Arm's
    "ID_AA64ISAR1_EL1:ffffffff10ffff0f",    # KVM wants one algorithm of pointer authentication
    "ID_AA64ISAR2_EL1:ffffffffffff00ff",
    "ID_AA64MMFR0_EL1:fffff32377ffffff")    # no granules, and none for stage 2
ACCDATA = made_up("ID_AA64ISAR1_EL1:3000000000000000/f000000000000000")
# Without FEAT_MTE_ASYNC: MTE_frac is none.
MTE_SYNC = made_up("ID_AA64PFR1_EL1:00000f0000000000/00000f0000000000")
# CPUs of two kinds: cpufeature reports what both have.
MIXED = made_up(
    "ID_AA64PFR0_EL1:1100000111111112",
    "ID_AA64PFR1_EL1:0000000000000020",
    "ID_AA64DFR0_EL1:0000000010305408",
    "ID_AA64ISAR0_EL1:0000100010211120",
    "ID_AA64MMFR0_EL1:0000022200101122",
    "ID_AA64MMFR1_EL1:0000000010212122",
    "ID_AA64MMFR2_EL1:0000000100001011")
MADE_UP_TESTS = ("id_reg_limits_test", "id_reg_query_test", "id_reg_debugfs_test")

# Machines on which VMs are restored, and how those are called in baseline/hosts that older KVMs made
# on such machines.
RESTORED = {
    "ampere-altra-host-ubuntu": "neoverse-n1-kvm-", "neoverse-n1-kvm-6.18": "neoverse-n1-kvm-",
    "graviton3-host-amazonlinux": "neoverse-v1-kvm-", "neoverse-v1-kvm-6.18": "neoverse-v1-kvm-",
    "core-neoverse-v2": "neoverse-v2-kvm-", "neoverse-v2-kvm-6.18": "neoverse-v2-kvm-",
}

TRIED = ("guestcaps", "vmm")
# What has a verdict, and isn't one of kselftest's.
NO_SELFTESTS = (*TRIED, "soak", "vendor_module_reload", "kernel log is clean")
# That guest/guestcaps writes: dumps, and what is for programs.
DOCUMENTS = 8

# KVM walks all physical addresses that a VM could have to free it, a GiB at a time: with 52 bits that
# takes two seconds, and each selftest begins with such a VM. arm64-new has them.
NARROW = "max,lpa2=off"
# What a newer emulator's CPU can do differently.
OF_NEW = ID_REGS + ("external_aborts", "get-reg-list", "hello_el2", "hidden_features")

# KVM is built in, as most people have it, or modules, with KUnit.
RUNS = [
    Run("amd", "amd", "x86", append=f"kvm.{FEP}", tried=TRIED),
    Run("amd-no-movbe-rdpid", "amd", "x86", append=f"kvm.{FEP}",
        cpu="max,-movbe,-rdpid", tests=OTHER_HOSTS),
    Run("amd-turned-off", "amd", "x86", append=f"kvm.{FEP} {TURNED_OFF}",
        tests=OTHER_HOSTS + ("set_sregs_test",)),
    Run("amd-no-rdtscp", "amd", "x86", append=f"kvm.{FEP}",
        cpu="max,-movbe,-rdpid,-rdtscp", brief=ASK_FOR_FEATURES),
    Run("intel-sandy-bridge", "intel", "x86", 600, append=f"kvm.{FEP}",
        cpu="corei7_sandy_bridge_2600k", brief=ASK_FOR_FEATURES),
    Run("intel", "intel", "x86-m", 600, modules=modules("kvm-intel"), kunit=True,
        spared=ANY_VENDOR),
    Run("amd-rome", "amd", "x86-m", cpu="EPYC-Rome",
        modules=modules("kvm-amd"), kunit=True, brief=ASK_FOR_FEATURES),
    # Where most parameters of kvm-amd make a difference.
    Run("amd-modules", "amd", "x86-m", modules=modules("kvm-amd"),
        tests=("cpuid_test",), soaks=True),
    # TCG boots none of AMD's old models that the selftests, built for x86-64-v2, run on.
    Run("amd-nehalem", "amd", "x86-m",
        cpu="Nehalem,vendor=AuthenticAMD,+svm,+npt", modules=modules("kvm-amd"),
        brief=ASK_FOR_FEATURES),
    Run("arm64", "arm64", "arm64", cpu=NARROW, kunit=True, tried=TRIED),
    Run("arm64-nested", "arm64", "arm64", append="kvm-arm.mode=nested",
        cpu=NARROW, options="-machine mte=on", soaks=True),
    # At EL2 all takes long, and the sweep's VMs are plain ones.
    Run("arm64-protected", "arm64", "arm64", append="kvm-arm.mode=protected",
        cpu=NARROW, tests=ID_REGS, spared=("id_reg_sysreg_sweep_test",)),
    Run("arm64-no-sve", "arm64", "arm64", cpu=f"{NARROW},sve=off", tests=ID_REGS),
    Run("arm64-neoverse-n1", "arm64", "arm64", cpu="neoverse-n1",
        tests=ID_REGS),
    Run("arm64-neoverse-v1", "arm64", "arm64", cpu="neoverse-v1",
        tests=ID_REGS),
    Run("arm64-a64fx", "arm64", "arm64", cpu="a64fx", tests=ID_REGS),
    Run("arm64-cortex-a57", "arm64", "arm64", cpu="cortex-a57", tests=ID_REGS),
    # A newer emulator has more of the architecture.
    Run("arm64-new", "arm64", "arm64", newer=True, brief=OF_NEW),
    Run("arm64-new-nested", "arm64", "arm64", append="kvm-arm.mode=nested",
        cpu=NARROW, options="-machine mte=on", newer=True, brief=OF_NEW),
    Run("arm64-mte2", "arm64", "arm64",
        append=f"id_aa64pfr1.mte=2 {MTE_SYNC}", cpu=NARROW, options="-machine mte=on",
        kunit=True, tests=MADE_UP_TESTS + ("set_id_regs", "aarch32_id_regs")),
    Run("arm64-all-ones", "arm64", "arm64", append=ALL_ONES,
        cpu=NARROW, options="-machine mte=on", kunit=True, tests=MADE_UP_TESTS),
    Run("arm64-all-ones-nested", "arm64", "arm64",
        append=f"kvm-arm.mode=nested {ALL_ONES}", cpu=NARROW, options="-machine mte=on", kunit=True,
        tests=MADE_UP_TESTS),
    Run("arm64-accdata", "arm64", "arm64", append=ACCDATA, cpu=NARROW, kunit=True,
        tests=MADE_UP_TESTS),
    Run("arm64-machines", "arm64", "arm64", cpu=NARROW, options="-machine mte=on",
        machines=True),
    Run("arm64-machines-nested", "arm64", "arm64", append="kvm-arm.mode=nested",
        cpu=NARROW, options="-machine mte=on", machines=True),
    Run("arm64-mixed", "arm64", "arm64", append=MIXED, cpu=NARROW, kunit=True,
        tests=MADE_UP_TESTS),
]

# What has a kernel of its own: for make compare, make baseline and --run only.
OWN_KERNEL = [
    Run("arm64-64k", "arm64", "arm64-64k", options="-machine mte=on",
        kunit=True, tests=ID_REGS),
    Run("arm64-64k-nested", "arm64", "arm64-64k", append="kvm-arm.mode=nested",
        options="-machine mte=on", tests=ID_REGS),
]

# KCSAN reports what one of these functions does while another one is at the same memory; it knows of
# a great many races in the rest of the kernel.
KCSAN_ON = """K=/sys/kernel/debug/kcsan
for f in kvm_set_cpuid kvm_update_cpuid_runtime kvm_show_guest_caps; do
	echo "!$f" >$K || exit 4
done
echo whitelist >$K && echo on >$K || exit 4
"""

# Says in the kernel's log what nobody has a pointer to any more.
FIND_LEAKS = """K=/sys/kernel/debug/kmemleak
for i in 1 2; do
	sleep 6
	echo scan >$K || exit 4
done
cat $K
"""

RACES = [
    # With five levels of page tables KASAN takes what an interrupt touches for wild, as long as
    # identify_cpu() has cleared LA57.
    Run("amd-races", "amd", "x86-debug", 900, append="no5lvl", modules=modules("kvm-amd"),
        kunit=True, tests=OTHER_HOSTS, like="amd"),
    Run("amd-kcsan", "amd", "x86-kcsan", 900, append=f"kvm.{FEP}",
        before=KCSAN_ON, tests=("guest_caps_debugfs_test",), like="amd"),
    Run("amd-faults", "amd", "x86-faults", 900, append=f"kvm.{FEP} kmemleak=on", kunit=True,
        tests=("guest_caps_fault_test",) + OTHER_HOSTS, after=FIND_LEAKS, like="amd"),
    Run("arm64-races", "arm64", "arm64-debug", 900, cpu=NARROW, kunit=True, tests=ID_REGS,
        like="arm64"),
    Run("arm64-faults", "arm64", "arm64-faults", 900,
        append="kvm-arm.mode=nested kmemleak=on", cpu=NARROW, options="-machine mte=on", kunit=True,
        tests=("id_reg_fault_test",) + ID_REGS, after=FIND_LEAKS, like="arm64-nested"),
]

# Everything at once, for as long as somebody wants to wait.
SOAK = [
    Run("amd-soak", "amd", "x86-debug", 900, append="no5lvl", modules=modules("kvm-amd")),
    Run("arm64-soak", "arm64", "arm64-debug", 900, append="kvm-arm.mode=nested",
        cpu=NARROW, options="-machine mte=on"),
]

# What runs at each commit of the series, of that which is there.
AT_COMMITS = [
    Run("bisect-x86", "amd", "x86-m", modules=modules("kvm-amd"), kunit=True,
        tests=OTHER_HOSTS + ("set_sregs_test", "state_test"), like="amd"),
    Run("bisect-arm64", "arm64", "arm64", cpu=NARROW, kunit=True,
        tests=ID_REGS + ("get-reg-list",), like="arm64"),
]

# Tests that say nothing under emulation, or take too long there, by run: not run at all.
LEFT_OUT = SCRIPTS / "baseline" / "left-out"


def say(text):
    print(text, flush=True)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


# -- What a boot prints --------------------------------------------------------------------------

def parse_selftests(console):
    """({test: verdict}, {test: its output}) from the TAP of kselftest's runner.

    A test's own subtests, TAP again behind "# ", are tests of their own: "name: subtest".
    """
    verdicts, output, block = {}, {}, []
    for line in console:
        end = re.match(r"(not )?ok \d+ selftests: kvm: (\S+)(?: # (\S+))?", line)
        if not end:
            block.append(line)
            continue
        name = end[2]
        verdict = "fail" if end[1] else "skip" if end[3] == "SKIP" else "pass"
        verdicts[name] = "timeout" if end[3] == "TIMEOUT" else verdict
        # kselftest.h's TAP begins with how many there are.
        planned = sum(int(plan[1]) for plan in (re.match(r"# 1\.\.(\d+)$", inner) for inner in block) if plan)
        seen = sum(bool(re.match(r"# (not )?ok \d+", inner)) for inner in block)
        if verdict == "pass" and planned and seen != planned:
            verdicts[name] = "fail"
            block.append(f"{planned} subtests planned, {seen} seen")
        output[name] = "\n".join(block)
        for inner in block:
            sub = re.match(r"# (not )?ok \d+ ?(?:- )?(.*?)(?:# (SKIP|XFAIL) ?(.*))?$", inner)
            if not sub:
                continue
            kind = "fail" if sub[1] else {"SKIP": "skip", "XFAIL": "xfail"}.get(sub[3], "pass")
            # Some have nothing but a reason, some have the same name twice.
            title = base = f"{name}: {sub[2].strip() or sub[4]}"
            number = 1
            while title in verdicts:
                number += 1
                title = f"{base} ({number})"
            verdicts[title], output[title] = kind, output[name]
        block = []
    return verdicts, output


def parse_kunit(log):
    """{suite.case: verdict}, by the kernel's own parser of KTAP."""
    sys.path.insert(0, str(PLACE["LAB"] / "linux/tools/testing/kunit"))
    import kunit_parser                     # pylint: disable=import-error,import-outside-toplevel
    from kunit_printer import Printer       # pylint: disable=import-error,import-outside-toplevel
    verdicts = {}

    def walk(test, path):
        if test.subtests:
            for sub in test.subtests:
                walk(sub, path + [sub.name])
        elif path:
            kind = {"SUCCESS": "pass", "SKIPPED": "skip"}.get(test.status.name, "fail")
            name = "kunit " + ".".join(path)
            # The same suite may run twice: a failure is not made good.
            if verdicts.get(name, "pass") in ("pass", "skip"):
                verdicts[name] = kind

    # One report for what is built in, another for each module.
    lines = [re.sub(r"^\[ *[0-9.]+\] ?", "", line) for line in log]
    begins = [n for n, line in enumerate(lines) if line.startswith("KTAP version")]
    for begin, end in zip(begins, begins[1:] + [len(lines)]):
        walk(kunit_parser.parse_run_tests(lines[begin:end], Printer(print=False)), [])
    return verdicts


def suites(arch, tree):
    """The KUnit suites of KVM, as the sources name them."""
    return {name for file in (tree / "arch" / arch / "kvm").rglob("*.[rc]*") for name in re.findall(
        r"kunit_tests\((\w+)\)|struct kunit_suite \w+ = \{\s*\.name = \"(\w+)\"", file.read_text()) for name in name if name}


def said_lines(console):
    """What supported_cpuid or idregs_sweep printed: a digest of the host, then line by line."""
    host = [x for x in console if x.startswith("host ")]
    found = [x for x in console
             if re.match("(supported|emulated|guest|parameters|writable|vm|random) ", x)]
    digest = hashlib.sha256("\n".join(host).encode()).hexdigest()
    return [f"host {digest}"] + found if found else []


def wrong_documents(console):
    """Where what the program guestcaps wrote isn't as its schema has it, or isn't there."""
    import jsonschema                       # pylint: disable=import-error,import-outside-toplevel
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    said = [line.removeprefix("documents ") for line in console if line.startswith("documents ")]
    text = ""
    try:
        text = gzip.decompress(base64.b64decode("".join(said))).decode()
        count = 0
        while text := text.lstrip():
            document, end = json.JSONDecoder().raw_decode(text)
            text = text[end:]
            count += 1
            for error in check.iter_errors(document):
                yield f"{document.get('command')}: {error.json_path}: {error.message}"
        if count < DOCUMENTS:
            yield f"{count} documents, {DOCUMENTS} are expected"
    except (OSError, EOFError, ValueError) as error:
        yield f"not to be read: {error}: {text[:200]}"


def without_host(lines):
    return [x for x in lines if not x.startswith("host ")]


def idregs(lines):
    """{(VM, register): what KVM accepts there} from lines of idregs_sweep, and {} for "writable"."""
    result = {}
    for line in lines:
        if line.startswith("vm "):
            _, name, register, rest = (line + " ").split(" ", 3)
            result[name, register] = rest.split()
        elif line.startswith("writable "):
            result["writable", line.split()[1]] = line.split()[2:]
    # Other VMs list only what is not as in the first one.
    vms = {name for name, _ in result if name != "writable"}
    for name, register in list(result):
        machine, slash, vm = name.rpartition("/")
        if vm == "plain":
            for other in vms:
                if other != name and other.rpartition("/")[0] == machine:
                    result.setdefault((other, register), result[machine + slash + "plain", register])
    return result


def differences(run, unmodified, ours):
    """Lines in which two kernels differ, but for documented ones."""
    if run.arch == "x86":
        return list(difflib.unified_diff(unmodified, ours, "unmodified", "ours", lineterm="", n=0))
    rules = [rule for rule in (line.split("#")[0].split() for line in DIFFERENCES.read_text().splitlines())
             if rule]
    for rule in rules:
        if len(rule) != 4:
            sys.exit(f"test.py: {DIFFERENCES}: \"{' '.join(rule)}\" has {len(rule)} words: it wants 4")
    before, after = idregs(unmodified), idregs(ours)
    result = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, ["missing"]), after.get(key, ["missing"])
        gone = " ".join(x for x in old if x not in new) or "-"
        come = " ".join(x for x in new if x not in old) or "-"
        if old != new and not any(all(map(re.fullmatch, rule, (*key, gone.replace(" ", ","),
                                                               come.replace(" ", ","))))
                                  for rule in rules):
            result.append(f"{' '.join(key)}: {gone} -> {come}")
    return result


def separate_digits(unmodified, ours):
    """{(VM, register): the digits, a bit each, of which idregs_sweep says something else}."""
    before, after = idregs(unmodified), idregs(ours)
    result = {}
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        apart = set(old) ^ set(new)
        result[key] = 0xffff if any(not x.startswith("+") for x in apart) else sum(
            {1 << int(x[1], 16) for x in apart})
    return result


def random_differences(unmodified, ours):
    """VMs in which a random write is answered differently, though idregs_sweep says nothing of its digits;
    and how many go separate ways where it does."""
    apart = separate_digits(unmodified, ours)
    vms = [{}, {}]
    for said, found in zip((unmodified, ours), vms):
        for line in said:
            if line.startswith("random "):
                found.setdefault(tuple(line.split()[1:3]), []).append(line)
    result, excused = [], 0
    for vm in sorted(vms[0].keys() | vms[1].keys(), key=lambda vm: (int(vm[0]), vm[1])):
        written = 0
        for old, new in zip_longest(*(found.get(vm, []) for found in vms), fillvalue="missing"):
            # What is written is made of what was there.
            tries = [line.split() for line in (old, new) if line != "missing"]
            kind, register = tries[0][2:4]
            known = written
            if register != "runs":
                known = apart.get((kind, register), 0) & (int(tries[0][4], 16) | int(tries[-1][4], 16))
                written |= known
            if old == new:
                continue
            if known:
                excused += 1
            else:
                result.append(f"{old} -> {new}")
            break
    return result, len(vms[0]), excused


def undocumented(run, unmodified, ours):
    """The same, or on a made-up host, lines that differ from what was accepted there."""
    if not run.made_up or not run.ours.is_file():
        return differences(run, unmodified, ours)
    return list(difflib.unified_diff(run.ours.read_text().splitlines(), without_host(ours),
                                     "accepted", "now", lineterm="", n=0))


TROUBLE = r"WARNING: |BUG: |Oops|rcu: INFO|INFO: trying|Call [Tt]race|UBSAN: |new suspected memory leaks"


def parse(run, console, kunit):
    lines = [line.rstrip() for line in console.splitlines()]
    log = []
    if "guestcaps: dmesg begin" in lines and "guestcaps: dmesg end" in lines:
        log = lines[lines.index("guestcaps: dmesg begin"):lines.index("guestcaps: dmesg end")]
        lines = lines[:lines.index("guestcaps: dmesg begin")]
    else:
        begun = re.findall(r"^# selftests: kvm: (\S+)|^(?:not )?ok \d+ selftests: kvm: \S+", console, re.M)
        run.error = f"the lane did not reach its end{f', in {begun[-1]}' if begun and begun[-1] else ''}"
    run.said = said_lines(lines)
    run.results, run.output = parse_selftests(lines)
    run.output["boot"] = "\n".join(lines[-20:])
    if run.soaks and any(re.match("soak: [1-9]", line) for line in lines):
        run.results["soak"], run.output["soak"] = "pass", ""
    if run.tried and "guestcaps" in run.results:
        wrong = "\n".join(wrong_documents(lines))
        run.results["guestcaps: schema"] = "fail" if wrong else "pass"
        run.output["guestcaps: schema"] = wrong
    if kunit:
        cases = parse_kunit(log)
        cases |= {f"kunit {suite}": "did not run" for suite in suites(run.arch, PLACE["LAB"] / "linux")
                  if not any(case.startswith(f"kunit {suite}.") for case in cases)}
        run.results |= cases
        run.output |= dict.fromkeys(cases, "\n".join(x for x in log if re.search("not ok| # ", x)))
    # That memory was not to be had is what faults are about.
    trouble = [x for n, x in enumerate(log) if re.search(TROUBLE, x) and not (
        re.search("Call [Tt]race", x) and re.search("allocation fail", "".join(log[max(n - 3, 0):n])))]
    if log:
        run.results["kernel log is clean"] = "fail" if trouble else "pass"
    run.output["kernel log is clean"] = "\n".join(trouble)


# -- Programs ------------------------------------------------------------------------------------

RUNNING, ENDED = set(), []


@contextmanager
def running(command, **more):
    """A program that is ended with this one, which then waits for it: nobody else may build meanwhile."""
    if ENDED:
        sys.exit(ENDED[0])
    with subprocess.Popen(command, **more) as process:
        RUNNING.add(process)
        if ENDED:
            process.terminate()
        yield process
    RUNNING.discard(process)


def end(number, _):
    """By a signal, with all that runs."""
    ENDED.append(128 + number)
    for process in list(RUNNING):
        process.terminate()
    sys.exit(ENDED[0])


# -- Boots ---------------------------------------------------------------------------------------

# Without KVM every test skips itself.
NEEDS_KVM = "[ -c /dev/kvm ] || exit 3"
PROGRAMS = "/kselftest/kvm"


def ask(run):
    """What makes KVM say what it does: one machine after another if the run is about machines, and
    configured in one way after another where its modules are such."""
    program = f"{PROGRAMS}/{run.says[0]}"
    if not run.machines:
        configured = (SCRIPTS / "guest/parameters").read_text() if run.reloads else ""
        return f"{program}\n{configured}"
    registers = {}
    for line in MACHINES.read_text().splitlines():
        if not line.startswith("#"):
            machine, register, value = line.split()
            registers.setdefault(machine, []).append(f"{register}:{value}")
    lines = [f"{program} host"]
    for machine, found in registers.items():
        lines.append(f"echo all:0,{','.join(found)} >/sys/module/guestcaps/parameters/host || exit 4")
        lines.append(f"{program} {machine} || exit 5")
        # What VMs had on older kernels must be taken by this one.
        lines += [f"{program} {machine} {older} {' '.join(registers[older])} || exit 5"
                  for older in registers if older.startswith(RESTORED.get(machine, "none"))]
    return "\n".join(lines)


def soak_for(minutes):
    return (SCRIPTS / "guest/soak").read_text().replace("MINUTES", minutes)


def job(run, wanted):
    """What the guest does: kselftest's own runner over the wanted tests, and what KVM says."""
    lines = [NEEDS_KVM, run.before]
    if wanted or run.machines:
        lines.append(ask(run))
    if wanted:
        lines += [(SCRIPTS / "guest" / name).read_text() for name in run.tried]
    if wanted and run.reloads:
        lines.append((SCRIPTS / "guest/reload").read_text())
    if wanted:
        # kselftest's runner has none run if one isn't there.
        there = built(run)
        names = " ".join(f"-t kvm:{name}" for name in wanted if name in there)
        # And all, if none is named.
        if names:
            lines.append(f"(cd /kselftest && ./run_kselftest.sh -f -o {run.limit} {names})")
    lines.append(run.after)
    if wanted and run.soaks:
        lines.append(soak_for("1/3"))
    return "\n".join(lines) + "\n"


def watch(command, env, out, quiet):
    """Runs it, and ends it when it has said nothing for a time in which each test would have been ended."""
    with running(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT) as process:
        while process.poll() is None:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                if time.time() - os.fstat(out.fileno()).st_mtime > quiet:
                    process.terminate()
                    quiet += 60
        return process.returncode


def name_addresses(said, system_map):
    """Says behind each address that boot.sh printed of a CPU what is there."""
    symbols = sorted((int(address, 16), name) for address, kind, name in
                     (line.split()[:3] for line in system_map.read_text().splitlines()) if kind in "TtWw")

    def name(match):
        at = bisect.bisect(symbols, (int(match[1], 16), chr(0x10ffff))) - 1
        return f"{match[0]} {symbols[at][1] if at >= 0 else 'userspace'}"
    return re.sub(r"^(?:PC|RIP)=([0-9a-f]+)$", name, said, flags=re.M)


def boot(run, unmodified, job_text, kunit, limit=0):
    """Boots and parses; LIMIT is for what may be silent that long."""
    tree = PLACE["BASE" if unmodified else "LAB"]
    log = PLACE["LOGS"] / f"boot-{run.name}{'-base' if unmodified else ''}.log"
    build = tree / "build" / run.config
    newer = PLACE["CACHE"] / "tools/qemu-new/qemu-system-aarch64"
    env = dict(os.environ, CPU=run.cpu, APPEND=run.append, OPTIONS=run.options,
               QEMU=str(newer) if run.newer else "", TIMEOUT=str(limit or LANE_LIMIT))
    if kunit:
        env["APPEND"] += " kunit.enable=1 kunit.autorun=1"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "job"
        script.write_text(job_text)
        rootfs = PLACE["LAB"] / "selftests" / run.arch / "rootfs.cpio"
        initrd = rootfs
        if files := modules_of(run, build) | run.files:
            initrd = Path(folder) / "initrd"
            initrd.write_bytes(rootfs.read_bytes() + archive(files))
        with open(log, "w", encoding="utf-8") as out:
            status = watch([SCRIPTS / "boot.sh", run.lane, build / run.image, initrd, script], env, out,
                           limit or 2 * run.limit + 600)
    parse(run, log.read_text(errors="replace"), kunit)
    # By boot.sh's limit or by watch().
    run.hung = status in (124, 143)
    if status not in (0, 1):
        run.error = run.error or ("there is no /dev/kvm in the guest" if status == 3 else
                                  f"the guest ended with status {status}")
    if run.error:
        run.error += f", see {log}"
        run.output["boot"] = name_addresses(run.output["boot"], build / "System.map")


def modules_of(run, build):
    """{path in the guest: contents} of the kernel's modules, and the order they are loaded in."""
    files, order = {}, ""
    for entry in run.modules:
        path, _, params = entry.partition(" ")
        module = build / f"{path}.ko"
        files[f"modules/{module.name}"] = module.read_bytes()
        order += f"{module.name} {params}\n"
    return files | {"modules/order": order.encode()} if files else {}


def archive(files):
    """{path in the guest: contents} as the kernel unpacks it behind another one."""
    with tempfile.TemporaryDirectory() as folder:
        for path, contents in files.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(contents)
            file.chmod(0o755)
        return subprocess.run("find * | sort | cpio --quiet -o -H newc -R 0:0 | gzip -n", shell=True,
                              cwd=folder, check=True, capture_output=True).stdout


def once_more(run, wanted, kunit):
    """A test may be slow for what runs beside it: what timed out runs again, alone; and so does all of a
    boot that hung, and didn't end by itself as after a panic."""
    if run.hung:
        again = replace(run, name=f"{run.name}-again", results={}, output={}, error="")
        boot(again, False, job(again, wanted), kunit)
        say(f"  {run.name}: {run.error}; once more, alone: {again.error or 'it does'}")
        say("\n".join(f"    {line}" for line in run.output["boot"].splitlines()))
        # What failed before it hung has failed.
        failed = [name for name, verdict in run.results.items() if verdict == "fail"]
        again.results |= {name: "fail" for name in failed}
        again.output |= {name: run.output[name] for name in failed}
        run.results, run.output, run.said, run.error = again.results, again.output, again.said, again.error
    late = [name for name, verdict in run.results.items() if verdict == "timeout"
            and run.expected().get(name, ("",))[0] != "timeout"]
    if not late:
        return
    again = replace(run, name=f"{run.name}-again", tried=(), results={}, output={})
    boot(again, False, job(again, late), False)
    of_late = [name for name in run.results if name.partition(":")[0] in late]
    for name in of_late:
        del run.results[name]
    run.results |= {name: verdict for name, verdict in again.results.items()
                    if name.partition(":")[0] in late or verdict == "fail"}
    # A test that ends the boot has no verdict.
    run.results |= {name: "timeout" for name in late if name not in again.results}
    run.output |= again.output
    run.error = run.error or again.error
    say(f"  {run.name}: {', '.join(late)} timed out, and once more, alone: "
        f"{', '.join(again.results.get(name, 'did not run') for name in late)}")


# -- Verdicts ------------------------------------------------------------------------------------

class Tally:
    """What came out, over all runs."""

    def __init__(self):
        self.count = Counter()
        self.by_run = {}
        self.failures = []
        self.known = []
        self.elsewhere = []

    def add(self, where, name, verdict, expected=None, reason="", output="", same_host=True):
        if verdict == "skip" and expected in (None, "skip"):
            kind = "skipped"
        elif verdict == "xfail" == expected:
            kind = "expected to fail"
        elif verdict == "pass" and (expected in (None, "pass") or not same_host):
            # What fails in both kernels is the emulator's fault, and another one may do better.
            kind = "passed"
        elif verdict == expected:
            self.known.append(f"{where}: {name}: {reason or 'no reason recorded'}")
            kind = "known"
        else:
            kind = "failed"
            said = f"{verdict}, expected {expected}" if expected else verdict
            self.failures.append((f"{where}: {name}: {said}", output))
        self.count[kind] += 1
        self.by_run.setdefault(where, Counter())[kind] += 1

    def add_run(self, run, wanted, whole=True):
        if run.error:
            self.add(run.name, "boot", "fail", output=f"{run.output['boot']}\n{run.error}")
        if wanted or run.machines:
            self.add_said(run, whole)
        expected = run.expected()
        for name, verdict in run.results.items():
            if name.startswith("kunit "):
                self.add(run.name, name, verdict, "pass", output=run.output[name])
            else:
                # A name of its own comes before a pattern.
                known = name if name in expected else next(
                    (p for p in expected if "*" in p and fnmatch(name, p)), None)
                want, reason = expected.get(known, ("a recorded verdict: make baseline" if whole else "pass", ""))
                if verdict in want.split("|"):
                    want = verdict
                same_host = not known or whole and run.said[:1] == run.recorded_said()[:1]
                self.add(run.name, name, verdict, want, reason, run.output[name], same_host)
        tried = [*wanted, *run.tried, *["soak"] * run.soaks, *["vendor_module_reload"] * run.reloads]
        missing = [name for name in expected.keys() - run.results.keys() if name.partition(":")[0] in tried
                   and not any(fnmatch(x, name) for x in run.results)] if wanted and whole else []
        for name in dict.fromkeys(missing + [n for n in wanted if n not in run.results]):
            self.add(run.name, name, "did not run", expected.get(name, ("a verdict",))[0])

    def add_said(self, run, whole):
        """Holds what KVM says against what the unmodified kernel says on such a host."""
        recorded = run.recorded_said()
        verdict, lines = "fail", []
        if run.said and recorded and run.said[0] != recorded[0]:
            verdict = "skip" if whole else "fail"
            self.elsewhere.append(run.name)
        elif run.said and recorded:
            lines = undocumented(run, recorded, run.said)
            verdict = "fail" if lines else "pass"
        else:
            lines = ["nothing recorded" if run.said else "nothing said"]
        what = ("CPUID, byte by byte" if run.arch == "x86" else
                "ID registers, value by value, but for documented differences")
        self.add(run.name, f"what KVM says of {what}", verdict, output="\n".join(lines))

    def report(self):
        if self.known:
            say(f"\nKnown, the same in the unmodified kernel ({len(self.known)}):")
            for line in self.known:
                say(f"  {line}")
        if self.elsewhere:
            say(f"\nWhat KVM says was not compared on {', '.join(self.elsewhere)}, as the emulator's CPU is another "
                "than the recorded one: make compare does")
        shown = None
        for title, output in self.failures:
            say(f"\nFAILED {title}")
            # Subtests share their program's output.
            for line in output.splitlines()[-40:] if output != shown else ():
                say(f"    {line}")
            shown = output
        say("")
        say(f"{self.count['passed']} passed, {self.count['failed']} failed, "
            f"{self.count['skipped']} skipped, {self.count['expected to fail']} expected to fail")
        return 1 if self.count["failed"] or not self.count["passed"] else 0


def built(run):
    """The selftests that there are."""
    listed = PLACE["LAB"] / "selftests" / run.arch / "rootfs/kselftest/kselftest-list.txt"
    return [line.strip().partition(":")[2] for line in listed.read_text().splitlines()]


def selftests(run, brief):
    """The selftests of a run, but for those left out."""
    out = {}
    for line in LEFT_OUT.read_text().splitlines() if LEFT_OUT.is_file() else []:
        if line and not line.startswith("#"):
            where, name = line.split("#")[0].split()
            out.setdefault(where, set()).add(name)
    names = run.tests or (run.brief if brief else ())
    if not names and not run.machines:
        names = built(run)
        # What is recorded and isn't built any more is missed.
        names += [n for n in run.expected() if not set(n) & set(":*") and n not in (*names, *NO_SELFTESTS)]
    left_out = out.get(run.name, set()) | out.get("all", set()) | set(run.spared if brief else ())
    return [n for n in names if n not in left_out]


def record(run):
    """Writes the verdicts of the unmodified kernel, and keeps the reasons that people gave."""
    reasons = {name: reason for name, (_, reason) in run.recorded().items() if reason}
    new = run.new()
    BASELINE.mkdir(exist_ok=True)
    with open(BASELINE / run.name, "w", encoding="utf-8") as out:
        host = f", -cpu {run.cpu}" if run.cpu else ""
        out.write(f"# Verdicts of unmodified Linux on lane {run.lane}{host}. Made by: make baseline\n")
        for name in sorted(n for n in run.results if not n.startswith("kunit ")):
            if any(fnmatch(name, known) for known in new):
                continue
            verdict = run.results[name]
            reason = reasons.get(name, "") if verdict not in ("pass", "skip") else ""
            out.write(f"{verdict} {name}{' # ' + reason if reason else ''}\n")
    if run.said:
        (BASELINE / f"{run.name}.{run.says[1]}").write_text("\n".join(run.said) + "\n")


def accept(run):
    """Writes what KVM says with the series on a made-up host, where that is something else."""
    run.ours.unlink(missing_ok=True)
    if differences(run, run.recorded_said(), run.said):
        run.ours.write_text("\n".join(without_host(run.said)) + "\n")


def randomly(run, times):
    """(What is tried at random, how often); Bochs is slow, and a VM with EL2 takes long."""
    if run.machines or run.made_up:
        return []
    if run.arch == "x86":
        return [("guest_caps_random", (100 if run.lane == "intel" else 1000) * times)]
    return [("idregs_random plain", 100 * times)] + [("idregs_random nested", 30 * times)] * ("nested" in run.append)


def random_tries(run, times):
    """What makes KVM meet things at random."""
    lines = ["true"]
    for program, count in randomly(run, times):
        if run.arch == "x86":
            lines.append(f"{PROGRAMS}/{program} {count}")
            continue
        # When a VM is freed KVM waits more than it works: ten at the same time.
        lines += [f"{PROGRAMS}/{program} {count // 10} {count // 10 * n} >/tmp/random.{n} || touch /tmp/failed &"
                  for n in range(10)]
        lines.append("wait; cat /tmp/random.*; [ ! -e /tmp/failed ] || exit 5")
    return "\n".join(lines)


# -- Builds --------------------------------------------------------------------------------------

def script(*words):
    with running([SCRIPTS / words[0], *words[1:]]) as process:
        status = process.wait()
    if status:
        raise RuntimeError(" ".join(map(str, words)))


def host_checks(tally):
    """Each line of check.sh's output is a test: "ok NAME" or "not ok NAME", behind what it has to say."""
    begin = last = time.monotonic()
    seen, failed, block = 0, False, []
    with running([SCRIPTS / "check.sh"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in map(str.rstrip, process.stdout):
            end = re.match(r"(not )?ok (.*)", line)
            if not end:
                block.append(line)
                continue
            seen += 1
            now = time.monotonic()
            say(f"  host: {line}, in {clock(now - last)}")
            failed |= bool(end[1])
            tally.add("host", end[2], "fail" if end[1] else "pass", output="\n".join(block))
            block, last = [], now
    say(f"  host: {seen} checks, in {clock(time.monotonic() - begin)}")
    # It may also have died between two checks.
    if process.returncode != failed or not seen or block:
        tally.add("host", "check.sh", "fail", output="\n".join(block))


def at_commit(runs, lab):
    """What stands in a lab at one commit, where some tests have but some of their subtests yet. What KVM says
    is asked by the program that comes last."""
    tally = Tally()
    newest = PLACE["LAB"]
    PLACE["LAB"] = lab
    for run in runs:
        program = f"{PROGRAMS}/{run.says[0]}"
        run.files = {program.lstrip("/"): (newest / f"selftests/{run.arch}/rootfs{program}").read_bytes()}
        there = built(run)
        wanted = [name for name in run.tests if name in there]
        boot(run, False, job(run, wanted), True)
        once_more(run, wanted, True)
        tally.add_run(run, wanted, whole=False)
    return tally.report()


def soak(runs, minutes):
    """Everything at once, on kernels that notice what goes wrong."""
    tally = Tally()
    script("source.sh")
    for run in runs:
        script("selftests.sh", run.arch)
        script("kernel.sh", run.config)
        say(f"  {run.name}: {minutes} minutes")
        boot(run, False, f"{NEEDS_KVM}\n{soak_for(str(minutes))}\n", False, LANE_LIMIT + 60 * minutes)
        said = (PLACE["LOGS"] / f"boot-{run.name}.log").read_text(errors="replace")
        for line in re.findall(r"^soak: .*", said, re.M):
            say(f"    {line.strip()}")
        verdict = run.results.pop("kernel log is clean", "fail")
        tally.add(run.name, "soak", "fail" if run.error else verdict,
                  output=run.error or run.output.get("kernel log is clean", ""))
    return tally.report()


def compare(runs, times):
    """What KVM says of CPUID or of ID registers on each host, both kernels booted."""
    tally = Tally()
    script("source.sh")
    script("source.sh", "base")
    for config in dict.fromkeys(run.config for run in runs):
        script("selftests.sh", config.partition("-")[0])
        script("kernel.sh", config)
        script("kernel.sh", config, "base")

    found = {}

    def go(run):
        said, complaints = [], []
        for unmodified in (True, False):
            boot(run, unmodified, f"{NEEDS_KVM}\n{ask(run)}\n{random_tries(run, times)}\n", False,
                 LANE_LIMIT * times)
            said.append(without_host(run.said))
            complaints.append(run.output["kernel log is clean"])
        lines = undocumented(run, *said)
        if run.arch == "x86":
            count = sum(int(x.split()[2]) for x in said[0] if x.startswith("random "))
            tried = f"{count} tables"
        else:
            wrong, count, excused = random_differences(*said)
            lines += wrong
            tried = f"{count} VMs, {excused} of them apart where that is documented"
        if count < sum(number for _, number in randomly(run, times)):
            lines.append(f"{count} at random, but more were wanted")
        # Without the time.
        theirs, new = ({line.partition("] ")[2] for line in log.splitlines()} for log in complaints)
        lines += sorted(new - theirs)
        same = said[0] and said[1] and not lines and not run.error
        fixed = [[x for x in lines if not x.startswith("random ")] for lines in said]
        documented = 0 if lines else len(set(fixed[0]) ^ set(fixed[1]))
        found[run.name] = {"commit": commit(), "lines": len(fixed[0]), "random": tried, "same": bool(same),
                           "documented": documented, "undocumented": lines}
        say(f"  {run.name}: {len(fixed[0])} lines, {tried}: {'the same' if same else 'not the same'}"
            f"{', but for documented differences' if documented else ''}")
        tally.add(run.name, "what KVM says", "pass" if same else "fail",
                  output=run.error or "\n".join(lines))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(go, runs))
    known = (left(PLACE["LAB"], "compare")[1] or {}) | found
    leave(PLACE["LAB"], "compare", {run.name: known[run.name] for run in RUNS + OWN_KERNEL if run.name in known})
    return tally.report()


def main():
    args = argparse.ArgumentParser(usage=__doc__)
    args.add_argument("--lane", action="append", choices=("amd", "intel", "arm64"))
    args.add_argument("--run", action="append", help="a run by its name")
    args.add_argument("--only", choices=("kunit", "selftests", "host"))
    args.add_argument("--tests", default="")
    args.add_argument("--all", action="store_true", help="all selftests, on each host")
    args.add_argument("--baseline", action="store_true")
    args.add_argument("--accept", action="store_true")
    args.add_argument("--compare", action="store_true")
    args.add_argument("--times", type=int, default=1)
    args.add_argument("--races", action="store_true")
    args.add_argument("--at", type=Path, metavar="LAB")
    args.add_argument("--soak", type=int, metavar="MINUTES")
    args = args.parse_args()
    unmodified = args.baseline
    if unmodified and (args.tests or args.only):
        sys.exit("test.py: --baseline writes all that is recorded of a run: leave --tests and --only out, or take --run")
    brief = not (args.all or args.tests or unmodified)
    runs = RACES if args.races else SOAK if args.soak is not None else AT_COMMITS if args.at else RUNS
    if args.compare or args.baseline or args.run:
        runs = runs + OWN_KERNEL
    runs = [r for r in runs if not args.lane or r.lane in args.lane]
    if unknown := set(args.run or ()) - {r.name for r in runs}:
        sys.exit(f"test.py: no run {', '.join(unknown)}: {', '.join(r.name for r in runs)}")
    runs = [r for r in runs if not args.run or r.name in args.run]
    if args.accept:
        runs = [r for r in runs if r.made_up]
    if args.compare:
        return compare(runs, args.times)
    if args.at:
        return at_commit(runs, args.at)
    if args.soak is not None:
        if args.soak < 1 or not runs:
            sys.exit("test.py: --soak takes a number of minutes, and a run that soaks: amd-soak, arm64-soak")
        return soak(runs, args.soak)
    asked = args.tests.split()
    if asked and args.only != "kunit":
        runs = [r for r in runs if not r.machines and (not r.tests or set(asked) & set(r.tests))]
    if args.only == "kunit":
        runs = [r for r in runs if r.kunit]
    configs = dict.fromkeys(r.config for r in (RUNS if args.only == "host" else runs))
    if args.only == "host":
        runs = []
    tally = Tally()
    wanted = {}
    part = args.only or args.lane or args.run or args.races or args.tests or args.accept

    def with_kunit(run):
        return run.kunit and not unmodified and args.only != "selftests"

    def go(run):
        wanted[run.name] = []
        if args.only != "kunit":
            wanted[run.name] = [n for n in selftests(run, brief) if not asked or n in asked]
        kunit = with_kunit(run)
        say(f"  {run.name}: booting, {len(wanted[run.name])} selftests{', KUnit' if kunit else ''}")
        begin = time.monotonic()
        boot(run, unmodified, job(replace(run, soaks=run.soaks and not unmodified), wanted[run.name]), kunit)
        count = Counter(run.results.values())
        say(f"  {run.name}: {', '.join(f'{n} {v}' for v, n in sorted(count.items()))}, "
            f"in {clock(time.monotonic() - begin)}"
            f"{' - ' + run.error if run.error else ''}")

    try:
        script("source.sh")
        if unmodified:
            script("source.sh", "base")
        # Lanes run beside the builds of the next ones. Two at a time: there may be two cores.
        with ThreadPoolExecutor(2) as pool:
            boots = []
            for config in configs:
                script("kernel.sh", config, *(["base"] if unmodified else []))
                script("selftests.sh", config.partition("-")[0])
                boots += [pool.submit(go, r) for r in runs if r.config == config]
            # They look at every kernel.
            if not unmodified and (args.only == "host" or not part):
                host_checks(tally)
            for done in boots:
                done.result()
        for run in runs:
            if not unmodified:
                once_more(run, wanted[run.name], with_kunit(run))
    except (RuntimeError, OSError) as error:
        tally.add("lab", str(error), "fail", output="see above")
    for name in set(asked).difference(*wanted.values()) if args.only != "kunit" else ():
        tally.add("lab", name, "did not run", "a selftest of these runs")
    for run in runs:
        if args.accept and run.said and not run.error:
            accept(run)
        if not unmodified:
            tally.add_run(run, wanted.get(run.name, []))
        elif run.error or not run.results:
            tally.add(run.name, "boot", "fail", output=run.error or "it did not run")
        else:
            record(run)
            tally.add(run.name, f"baseline/{run.name} written", "pass")
    if not (part or unmodified):
        leave(PLACE["LAB"], "verdicts", tally.by_run)
    return tally.report()


if __name__ == "__main__":
    for each in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, end)
    sys.exit(main())
