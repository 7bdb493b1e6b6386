#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write what tools/guestcaps knows of registers, names and the UAPI, from the lab's kernel tree.

usage: facts.py [--check]    --check: only tell whether the committed files are up to date

Facts and names only. arm64: rows of limits.rs, as map.rs prints them, encodings and hwcaps, and the
cores of baseline/hosts. x86: cpuid.csv. The UAPI: as bindgen has that part of linux/kvm.h.
"""

import csv
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import fuzz
from common import PLACE

SCRIPTS = Path(__file__).resolve().parent
OUT = SCRIPTS.parent / "tools/guestcaps"
LINUX = PLACE["LAB"] / "linux"
OURS = "# SPDX-License-Identifier: Apache-2.0 OR MIT\n# Made by scripts/facts.py.\n"
ARM = """\
# SPDX-License-Identifier: BSD-3-Clause
# Made by scripts/facts.py: rules between fields that KVM's table has. They are facts extracted from
# Arm's machine-readable architecture (AARCHMRS, Features.json, 2025-03, v9Ap6-A build 445),
# Copyright (c) 2010-2025 Arm Limited or its affiliates. Redistribution and use in source and binary
# forms, with or without modification, are permitted provided that the following conditions are met:
# (1) redistributions of source code must retain the copyright notice, this list of conditions and the
# disclaimer; (2) redistributions in binary form must reproduce them in the documentation; (3) neither
# the name of the copyright holder nor the names of its contributors may be used to endorse or promote
# products derived from it without specific prior written permission. THE SOFTWARE IS PROVIDED "AS IS",
# WITHOUT ANY WARRANTY; THE COPYRIGHT HOLDER IS NOT LIABLE FOR ANY DAMAGES ARISING FROM ITS USE.
#
# register field least needs-register needs-field least, in VMs with
"""


def read(path):
    return (LINUX / path).read_text()


def encodings():
    """{register: [op0, op1, CRn, CRm, op2]}"""
    found = fuzz.sysregs()
    for name, words in re.findall(r"^#define SYS_(\w+)\s+sys_reg\(([\d, ]+)\)",
                                  read("arch/arm64/include/asm/sysreg.h"), re.M):
        found.setdefault(name, [int(word) for word in words.split(",")])
    for crm in range(1, 8):
        for op2 in range(8):
            found[f"S3_0_0_C{crm}_{op2}"] = [3, 0, 0, crm, op2]
    return found


def arm64():
    """Registers, fields and cores; and the rules between fields."""
    table = list(csv.DictReader(subprocess.run([importlib.import_module("map").build()], check=True,
                                               capture_output=True, text=True).stdout.splitlines(),
                                delimiter="\t", quoting=csv.QUOTE_NONE))
    values = {(row["register"], row["field"]):
              dict(one.split("=") for one in row["values"].split("; ") if "=" in one) for row in table}
    hwcaps = set(re.findall(r"HWCAP_CAP\w*\((\w+), (\w+),",
                            read("arch/arm64/kernel/cpufeature.c")))
    encoding = encodings()
    lines = ["# register NAME op0 op1 CRn CRm op2",
             "# field NAME msb lsb order alternative sign hwcap VALUE=NUMBER...",
             "# core NAME implementer part REGISTER=HEX..."]
    for name in "MIDR_EL1", "REVIDR_EL1", "AIDR_EL1":
        lines.append("\t".join(["register", name, *map(str, encoding[name])]))
    needs, last = [], None
    for row in table:
        register, name = row["register"], row["field"]
        if register != last:
            lines.append("\t".join(["register", register, *map(str, encoding[register])]))
            last = register
        named = values[register, name]
        other = re.search(r"or else ([^;]+)", row["notes"]) if row["order"] == "exact" else None
        lines.append("\t".join([
            "field", name, row["msb"], row["lsb"], row["order"],
            named[other[1]] if other else "-", row["signed"],
            "hwcap" if (register, name) in hwcaps else "-",
            " ".join(f"{value}={number}" for value, number in named.items()) or "-"]))
        rules = re.findall(r"(\S+) needs (\w+)\.(\w+) (\w+)(?: with vm\((\w+)\))?", row["notes"])
        for has, of, field, least, vm in rules:
            needs.append("\t".join([register, name, named.get(has, has), of, field,
                                    values[of, field].get(least, least), vm or "-"]))
    cores, names = {}, {}
    for line in (SCRIPTS / "baseline/hosts").read_text().splitlines():
        head = re.match(r"# (core-\S+): .*, ARM ([^,]+), part (0x\w+),", line)
        if head:
            names[head[1]] = head[2], head[3]
        elif line.split()[0] in names:
            name, register, value = line.split()
            cores.setdefault(name, []).append(f"{register}={value}")
    for core, registers in cores.items():
        name, part = names[core]
        lines.append("\t".join(["core", name, "0x41", part, " ".join(registers)]))
    return (OURS + "# Rows of KVM's table, with names and encodings of arch/arm64/tools/sysreg. Cores are as\n"
            "# their manuals have them: from hrw/arm-socs-table, MIT, values only.\n#\n" +
            "\n".join(lines) + "\n",
            ARM + "\n".join(needs) + "\n")


def x86():
    """Names of what CPUID returns, and what implies what."""
    judged = {name: (int(function, 0), int(index), register.lower()) for name, function, index, register in
              re.findall(r"\[(CPUID_\w+)\]\s*= \{\s*(\w+), (\d+), CPUID_(\w+)\}",
                         read("arch/x86/kvm/reverse_cpuid.h"))}
    lines = []
    for line in read("tools/arch/x86/kcpuid/cpuid.csv").splitlines():
        columns = [column.strip() for column in line.split(",", 5)]
        if not line.strip() or line.startswith("#"):
            continue
        leaf, indices, register, bits, name, words = columns
        high, _, low = indices.partition(":")
        msb, _, lsb = bits.partition(":")
        is_judged = (int(leaf, 0), int(low or high), register) in judged.values()
        lines.append("\t".join([leaf, low or high, high, register, "kvm" if is_judged else "-",
                                msb, lsb or msb, name, words]))
    named = {(int(line.split("\t")[0], 0), int(line.split("\t")[1]), line.split("\t")[3]) for line in lines}
    lines += [f"{function:#x}\t{index}\t{index}\t{register}\tkvm\t-\t-\t-\t-"
              for function, index, register in sorted({*judged.values()} - named)]

    words = re.findall(r"^\t(CPUID_\w+)\b", read("arch/x86/include/asm/cpufeature.h"), re.M)
    features = {name: (words[int(word)], bit) for name, word, bit in
                re.findall(r"^#define (X86_FEATURE_\w+)\s+\( *(\d+)\*32\+ *(\d+)\)",
                           read("arch/x86/include/asm/cpufeatures.h"), re.M)}
    needs = []
    for pair in re.findall(r"\{ (X86_\w+),\s+(X86_\w+),?\s*\}",
                           read("arch/x86/kernel/cpu/cpuid-deps.c")):
        places = [features.get(name, (None, None)) for name in pair]
        if all(word in judged for word, _ in places):
            needs.append("\t".join(f"{judged[word][0]:#x}\t{judged[word][1]}\t{judged[word][2]}\t{bit}"
                                   for word, bit in places))
    return ("# SPDX-License-Identifier: CC0-1.0\n# Made by scripts/facts.py from "
            "tools/arch/x86/kcpuid/cpuid.csv, made by x86-cpuid-db.\n#\n"
            "# function lowest-index highest-index register judged msb lsb name words\n" +
            "\n".join(lines) + "\n",
            OURS + "# What the kernel turns off together with what it needs, arch/x86/kernel/cpu/cpuid-deps.c.\n"
            "#\n# function index register bit, needs function index register bit\n" +
            "\n".join(needs) + "\n")


def uapi():
    """That part of the header alone: it needs no other."""
    text = read("include/uapi/linux/kvm.h")
    cap = re.search(r"^#define KVM_CAP_GUEST_CAPS\s.*$", text, re.M)[0]
    part = text[text.index("/* Available with KVM_CAP_GUEST_CAPS"):text.rindex("#endif")]
    header = PLACE["LAB"] / "build/guest_caps.h"
    header.write_text("typedef unsigned char __u8;\ntypedef unsigned short __u16;\n"
                      "typedef unsigned int __u32;\ntypedef unsigned long long __u64;\n"
                      f"{cap}\n{part}")
    return subprocess.run([
        os.environ["BINDGEN"], "--disable-header-comment", "--no-doc-comments", "--use-core",
        "--with-derive-default", "--allowlist-item", "kvm_guest_cap.*|KVM_(CAP_)?GUEST_CAP.*", "--raw-line",
        "// SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note\n"
        "// Made by scripts/facts.py: KVM_GUEST_CAPS of linux/kvm.h.\n", header],
        check=True, capture_output=True, text=True).stdout


def main():
    names = "facts/arm64.tsv", "facts/arm64-needs.tsv", "facts/x86.tsv", "facts/x86-needs.tsv"
    made = dict(zip(names, [*arm64(), *x86()])) | {"src/uapi.rs": uapi()}
    stale = [name for name, text in made.items()
             if not (OUT / name).is_file() or (OUT / name).read_text() != text]
    if "--check" in sys.argv[1:]:
        sys.exit(f"facts: not up to date: {' '.join(stale)}; run make facts" if stale else 0)
    for name in stale:
        (OUT / name).write_text(made[name])


if __name__ == "__main__":
    main()
