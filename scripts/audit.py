#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Find every place where KVM asks what a guest may use, and write the table for Documentation.

usage: audit.py            write Documentation/guest-caps-audit.rst
       audit.py --check    only tell whether it is what the lab's kernel has
"""

import json
import re
import subprocess
import sys
from bisect import bisect
from collections import Counter
from pathlib import Path

from common import PLACE

HERE = Path(__file__).resolve().parent.parent
TABLES = HERE / "arch/x86/kvm/caps/tables"
OUT = HERE / "Documentation/guest-caps-audit.rst"

CAP = "guest_cpu_cap_has"
# What reads guest CPUID's entries, and what of them; "{}" stands for the arguments but the vCPU.
RAW = {
    "kvm_find_cpuid_entry": "leaf {}",
    "kvm_find_cpuid_entry_index": "leaf {}",
    "guest_cpuid_asks_for_xsaves": "XSAVES",
    "guest_cpuid_family": "family",
    "guest_cpuid_model": "model",
    "guest_cpuid_stepping": "stepping",
    "cpuid_model_is_consistent": "model",
    "cpuid_query_maxguestphyaddr": "MAXGUESTPHYADDR",
}
# Why these ask for no capability, by what they read.
IDENTITY = "family, model and stepping are no features"
SIZES = "sizes of addresses are no features"
XSAVES = "kvm-amd gives XSAVES to all who can execute it; IA32_XSS is there for who asks for it"
HYPERV = "userspace offers it; no word mirrors what is Hyper-V's own"
ENCLAVES = "what an enclave may have, its size among it; SGX itself is a capability"
WHY = {
    "family": IDENTITY,
    "model": IDENTITY,
    "leaf 0x1": IDENTITY,
    "leaf 1": IDENTITY,
    "leaf 0x80000000": SIZES,
    "leaf 0x80000008": SIZES,
    "MAXGUESTPHYADDR": SIZES,
    "leaf 0xd.1": XSAVES,
    "XSAVES": XSAVES,
    "leaf HYPERV_CPUID_ENLIGHTMENT_INFO": HYPERV,
    "leaf HYPERV_CPUID_FEATURES": HYPERV,
    "leaf HYPERV_CPUID_NESTED_FEATURES": HYPERV,
    "leaf HYPERV_CPUID_SYNDBG_PLATFORM_CAPABILITIES": HYPERV,
    "leaf 0x80000022.0": "the number of counters; PERFMON_V2 itself is a capability",
    "leaf 0x8000001F": "where the C-bit is",
    "leaf 0xa": "the PMU's version, and numbers of counters",
    "leaf 7.0": "whether MSR_IA32_TSX_CTRL may hide some of what CPUID shows",
    "leaf 0x12.0": ENCLAVES,
    "leaf 0x12.1": ENCLAVES,
    "leaf 0x14.i": "what Intel PT can do; PT itself is a capability",
}
# What the one pass over the entries found.
PASS = {
    "guest_cpuid_is_amd_compatible": "vendor",
    "guest_cpuid_is_intel_compatible": "vendor",
    "guest_pv_has": "{}",
}
HEAD = """.. SPDX-License-Identifier: GPL-2.0

===========================
Users of guest capabilities
===========================

Every place in KVM that asks what a guest may use, and how it is answered. A
program of the guestcaps lab, ``scripts/audit.py``, makes this page of the source.

word
    from the vCPU's capability words;
opt-out
    the same, and a row of ``optouts.rs`` decides about the feature;
runtime
    the same, and the vCPU's state decides about the feature;
one pass
    from what else KVM_SET_CPUID2 derives from the entries;
raw CPUID
    from guest CPUID's entries.

"Host counts" says whether a guest may lack what its CPUID has, or the other way
around, because of the host. It does not where KVM emulates the feature on every
host, or looks at guest CPUID alone.

"""

TAIL = """
What reads guest CPUID's entries answers something else than whether the guest may use
a feature, or it can't ask for the capability without doing something else than before:

"""


def policy():
    """{feature: verb} of policy.rs; what it aliases stands for itself elsewhere."""
    rows = re.findall(r"^ {8}(\w+)\((\w+)\b", (TABLES / "policy.rs").read_text(), re.M)
    return {name.lstrip("_"): verb for verb, name in rows if verb != "aliased"}


def opt_outs():
    """{feature: [(verb, conditions)]} of optouts.rs."""
    found = {}
    for verb, name, conditions in re.findall(r"^ {4}(\w+)\((\w+)\)(.*),$",
                                             (TABLES / "optouts.rs").read_text(), re.M):
        found.setdefault(name, []).append((verb, conditions))
    return found


def arguments(text, start):
    """The arguments of the call whose opening parenthesis is at `start`."""
    depth, args, begin = 0, [], start + 1
    for at in range(start, len(text)):
        if text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
        if depth == 0 or (depth == 1 and text[at] == ","):
            args.append(" ".join(text[begin:at].replace("\\\n", " ").split()))
            begin = at + 1
        if depth == 0:
            return args
    return []


def calls(text, name):
    """(offset, arguments) of each call of `name`."""
    for match in re.finditer(rf"(?<![\w.>]){name}\(", text):
        yield match.start(), arguments(text, match.end() - 1)


def blank(match):
    """Comments go, line ends stay."""
    return re.sub(r"[^\n]", " ", match[0])


def tags(path):
    """(begin, end, name, is_macro, parameters) of each function and macro, by line."""
    out = subprocess.run(("ctags", "--output-format=json", "--fields=+neS", "--kinds-C=df", "-f", "-",
                          str(path)), capture_output=True, check=True, text=True).stdout
    for tag in map(json.loads, out.splitlines()):
        yield (tag["line"], tag.get("end", tag["line"]), tag["name"], tag["kind"] == "macro",
               re.findall(r"\w+", tag.get("signature", "")))


def cap_macros(text, macros):
    """{macro: which of its parameters names a feature that it asks for}."""
    found = {}
    for _ in range(3):      # macros may call macros
        for begin, end, name, parameters in macros:
            body = "".join(text[begin - 1:end])
            for _, args in calls(body, CAP):
                match = re.search(r"X86_FEATURE_##(\w+)", args[-1])
                if match and match[1] in parameters:
                    found[name] = parameters.index(match[1])
            for other, place in list(found.items()):
                for _, args in calls(body, other):
                    if other != name and len(args) > place and args[place] in parameters:
                        found[name] = parameters.index(args[place])
    return found


def uses(path):
    """(function, what, how) of each place in a file."""
    source = re.sub(r"/\*.*?\*/|//[^\n]*", blank, path.read_text(), flags=re.S)
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = sorted(tags(path))
    spans = [tag for tag in found if not tag[3]]
    macros = []
    for begin, end, name, is_macro, parameters in found:
        while is_macro and lines[end - 1].endswith("\\\n"):
            end += 1
        if is_macro:
            macros.append((begin, end, name, parameters))
    in_macro = {n for begin, end, _, _ in macros for n in range(begin, end + 1)}

    def places(name):
        for at, args in calls(source, name):
            line = bisect(starts, at)
            # The tag may begin behind the return type.
            where = [tag[2] for tag in spans if tag[0] <= line <= tag[1]]
            if line not in in_macro and where and where[-1] != name:
                yield where[-1], args

    for function, args in places(CAP):
        yield function, args[-1].removeprefix("X86_FEATURE_"), "word"
    for macro, place in cap_macros(lines, macros).items():
        for function, args in places(macro):
            yield function, args[place], "word"
    for table, how in ((RAW, "raw CPUID"), (PASS, "one pass")):
        for name, what in table.items():
            for function, args in places(name):
                # A look-up of what the guest executes asks for no capability.
                if not (how == "raw CPUID" and re.search(r"\bfunction\b|eax", " ".join(args))):
                    yield function, what.format(".".join(args[1:])), how


def table(tree):
    verbs, exceptions = policy(), opt_outs()
    kvm = tree / "arch/x86/kvm"
    files = sorted(kvm.rglob("*.[ch]"))
    dropped = set()
    for path in files:
        dropped |= set(re.findall(r"kvm_cpu_cap_clear\(X86_FEATURE_(\w+)\)", path.read_text()))

    rows = Counter()
    for path in files:
        for function, what, how in uses(path):
            counts = "no"
            if how == "word":
                if what not in verbs:
                    raise SystemExit(f"audit: {path}: {function}: {what} has no row in policy.rs")
                if what in exceptions:
                    how = "opt-out"
                    emulated = [terms for verb, terms in exceptions[what]
                                if verb in ("advertised", "hidden")]
                    counts = "no" if emulated == [""] else "yes"
                elif verbs[what] == "runtime":
                    how = "runtime"
                else:
                    counts = "no" if verbs[what] == "emulated" and what not in dropped else "yes"
            rows[(str(path.relative_to(kvm)), function, what, how, counts)] += 1

    cells = [("File", "Function", "Asks for", "Uses", "Answered by", "Host counts")]
    cells += [(*row[:3], str(number), *row[3:]) for row, number in sorted(rows.items())]
    width = [max(map(len, column)) for column in zip(*cells)]
    rule = " ".join("=" * w for w in width) + "\n"
    text = [" ".join(c.ljust(w) for c, w in zip(row, width)).rstrip() + "\n" for row in cells]
    kinds = Counter()
    for row, number in rows.items():
        kinds[row[3]] += number
    total = ", ".join(f"{kinds[k]} {k}" for k in ("word", "opt-out", "runtime", "one pass", "raw CPUID"))
    read = sorted({what for _, _, what, how, _ in rows if how == "raw CPUID"})
    if read != sorted(WHY):
        raise SystemExit(f"audit: {set(read) ^ set(WHY)}: say why that asks for no capability, in "
                         "audit.py, or that it is gone")
    left = max(map(len, WHY))
    rule2 = "=" * left + " " + "=" * max(map(len, WHY.values())) + "\n"
    why = "".join(f"{what:{left}} {WHY[what]}\n" for what in read)
    return (HEAD + f"There are {sum(kinds.values())} of them: {total}.\n\n" +
            rule + text[0] + rule + "".join(text[1:]) + rule + TAIL +
            rule2 + f"{'Reads':{left}} Why\n" + rule2 + why + rule2)


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    text = table(PLACE["LAB"] / "linux")
    if not sys.argv[1:]:
        OUT.write_text(text)
    elif not OUT.is_file() or OUT.read_text() != text:
        sys.exit("the audit is stale: make audit, and look at what changed")


if __name__ == "__main__":
    main()
