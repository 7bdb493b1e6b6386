#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hold the Rust cores against the C that they replace, on real CPUs.

usage: replay.py [FILE...]

A file is what `guestcaps dump` or `cpuid -r` prints, InstLatX64's text, or lines "[HOST] REGISTER
HEX" of arm64's ID registers. Without one, those that are kept here. Documentation/lab.rst says what
is compared.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import fuzz
from fuzz import Error

KEPT = [*sorted((fuzz.HERE / "fuzz/dumps").iterdir()), fuzz.HERE / "scripts/baseline/hosts"]
REGS = "eax", "ebx", "ecx", "edx"

WORD = r"([0-9a-fA-F]{1,8})"
CPUID = re.compile(rf"0x{WORD} 0x{WORD}:" + "".join(rf"\s+{reg}=0x{WORD}" for reg in REGS) + r"$")
INSTLAT = re.compile(rf"CPUID {WORD}\s*:?\s*{WORD}[- ]{WORD}[- ]{WORD}[- ]{WORD}\b(?:.*\[SL {WORD}\])?")
IDREG = re.compile(r"(?:(\S+) )?([A-Z][A-Z0-9_]+)\s+(?:0x)?([0-9a-fA-F]{1,16})$")


class Dump:
    """What one CPU has, and what its KVM said: {function, index: [EAX, EBX, ECX, EDX]}, or {register: value}."""

    def __init__(self, name):
        self.name, self.arch, self.cpu, self.kvm = name, "x86", {}, {}

    def kind(self):
        """What CPUs of one machine call themselves: of those that are alike one is enough."""
        return self.cpu.get((1, 0), [0])[0], self.cpu.get((0x1a, 0), [0])[0]

    def lines(self):
        """As the programs read them."""
        if self.arch == "arm64":
            index = fuzz.indices()
            return [f"{index[name]:x} {value:x}" for name, value in self.cpu.items() if name in index]
        return [" ".join([whose, *(f"{word:x}" for word in (*leaf, *regs))])
                for whose, leaves in (("cpu", self.cpu), ("kvm", self.kvm)) for leaf, regs in leaves.items()]


def of_cpuid(name, lines):
    """CPUs by what CPUID returns; InstLatX64's text has much besides."""
    cpus = []
    for where, line in lines:
        is_instlat = re.match(r"CPUID [0-9a-fA-F]{8}\b", line)
        found = INSTLAT.match(line) if is_instlat else CPUID.match(line)
        if not found:
            if is_instlat or line.startswith("0x"):
                raise Error(f"{where}: these are no four registers of CPUID")
            continue
        numbers = [int(word or "0", 16) for word in found.groups()]
        function, index, regs = numbers[0], numbers[5 if is_instlat else 1], numbers[1:5] if is_instlat else numbers[2:]
        if function == 0 and index == 0:
            cpus.append(Dump(name))
        if not cpus:
            raise Error(f"{where}: function 0 should be the first")
        leaves = cpus[-1].cpu
        if is_instlat and not found[6]:
            # Some leave out which index it is.
            while (function, index) in leaves:
                index += 1
        if leaves.get((function, index), regs) != regs:
            raise Error(f"{where}: function {function:#x}, index {index:#x} has been something else before")
        leaves[function, index] = regs
    return list({cpu.kind(): cpu for cpu in reversed(cpus)}.values())[::-1]


def of_registers(name, lines):
    """arm64 machines."""
    machines = {}
    for where, line in lines:
        found = IDREG.match(line)
        if not found:
            raise Error(f"{where}: this is no REGISTER HEX")
        machine = machines.setdefault(found[1] or name, Dump(found[1] or name))
        machine.arch = "arm64"
        machine.cpu[found[2]] = int(found[3], 16)
    for machine in machines.values():
        unknown = sorted(machine.cpu.keys() - fuzz.indices().keys())
        if len(unknown) == len(machine.cpu):
            raise Error(f"{name}: {', '.join(unknown)}: none of these is an ID register by its name")
        if unknown:
            print(f"{name}: left out, no ID registers by their names: {', '.join(unknown)}")
    return list(machines.values())


def of_json(path, text):
    """What `guestcaps dump` prints."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Error(f"{path}:{error.lineno}: {error.msg}") from error
    try:
        return [of_document(path.stem, document)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Error(f"{path}: not what guestcaps dump prints, with \"cpu\": {error!r}") from error


def of_document(name, document):
    """Values by place, and what KVM said by field."""
    dump = Dump(name)
    dump.arch = document["arch"]
    words = {place: int(word, 16) for place, word in document["cpu"].items()}
    said = {}
    for prop in document.get("props", []):
        place = prop["register"]
        msb, lsb = map(int, prop["bits"].split(":"))
        said[place] = said.get(place, 0) | prop["value"] << lsb
        # What the processor doesn't show to programs, the kernel may know.
        if dump.arch == "arm64" and not words.get(place, 0) & (2 << msb) - (1 << lsb):
            words[place] = words.get(place, 0) | prop.get("host", prop["value"]) << lsb
    if dump.arch == "arm64":
        dump.cpu = words
        return dump
    for leaves, registers in (dump.cpu, words), (dump.kvm, said):
        for place, word in registers.items():
            function, index, reg = re.split("[.:]", place)
            leaves.setdefault((int(function, 16), int(index, 16)), [0] * 4)[REGS.index(reg)] = word
    return dump


def read(path):
    """All that a file has, in whichever format."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise Error(f"{path}: {error.strerror}") from error
    if text.lstrip().startswith("{"):
        return of_json(path, text)
    lines = [(f"{path}:{number}", line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    found = []
    if any(re.match(r"(0x|CPUID )[0-9a-fA-F]{8}\b", line) for _, line in lines):
        found = of_cpuid(path.stem, lines)
    elif any(re.search(r"\b[A-Z0-9_]+_EL[0-9]\b", line) for _, line in lines):
        found = of_registers(path.stem, [(where, line) for where, line in lines if line and line[0] != "#"])
    if not found:
        raise Error(f"{path}: neither CPUID nor ID registers in it")
    return found


def replay(dump):
    """How many hosts it was, and how many of them differ."""
    done = subprocess.run([fuzz.OUT / fuzz.REPLAY[dump.arch]], input="\n".join(dump.lines()) + "\n", text=True,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    *said, last = done.stdout.splitlines() or [""]
    counts = re.match(r"(\d+) variants, (\d+) differences", last)
    if not counts or int(counts[1]) == 0 or done.returncode < 0:
        raise Error(f"{dump.name}: the program ended with {done.returncode}: {done.stdout[-500:]}")
    print("\n  ".join([f"{dump.name}: {last}", *said]), flush=True)
    return int(counts[1]), int(counts[2])


def main():
    parser = argparse.ArgumentParser(description="Hold the Rust cores against the C they replace, on real CPUs.")
    parser.add_argument("file", nargs="*", type=Path, metavar="FILE", help="a dump")
    options = parser.parse_args()
    dumps = [dump for path in options.file or KEPT for dump in read(path)]
    fuzz.build([fuzz.REPLAY[arch] for arch in sorted({dump.arch for dump in dumps})])
    counts = [replay(dump) for dump in dumps]
    variants, differences = map(sum, zip(*counts))
    print(f"{len(dumps):,} CPUs, {variants:,} variants, {differences:,} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit(f"replay: {error}")
