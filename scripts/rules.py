#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hold what arm64 VMs start with against rules between fields that somebody else wrote down.

usage: rules.py FOLDER [LOG...]

FOLDER has rules.tsv, rules of the architecture's, and check.py, which judges registers by them.
What VMs start with is in the logs of boots, without any those of test.py's last ones with the
series. Prints how many VMs and rules there are, and each rule that is broken. Those in
baseline/broken-rules are known, and so are those that a machine of baseline/hosts breaks itself;
of such a machine, what is not published is left out. Exit status 1 if there are others, or if a
line of baseline/broken-rules is about nothing.
"""

import importlib.util
import re
import sys
from collections import defaultdict
from pathlib import Path

from common import PLACE

SCRIPTS = Path(__file__).resolve().parent
MACHINES = SCRIPTS / "baseline/hosts"
KNOWN = SCRIPTS / "baseline/broken-rules"


def last_logs():
    return [path for path in sorted(PLACE["LOGS"].glob("boot-arm64*.log"))
            if not path.stem.endswith(("-base", "-races"))]


def lines(path):
    text = path.read_text(errors="replace")
    return [line.split("#")[0].split() for line in text.splitlines() if not line.startswith("#")]


def machines():
    """{machine: {register: its value}}"""
    result = defaultdict(dict)
    for name, register, value in lines(MACHINES):
        result[name][register] = int(value, 16)
    return result


def vms(path):
    """{VM: {register: what it starts with}} by a log; some list only what is not as in "plain"."""
    found = defaultdict(dict)
    for words in lines(path):
        if words[:1] == ["vm"]:
            found[words[1]][words[2]] = int(words[3], 16)
    return {vm: found[vm.rpartition("/")[0] + "/plain" if "/" in vm else "plain"] | registers
            for vm, registers in found.items()}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    spec = importlib.util.spec_from_file_location("check", folder / "check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    rules = check.Rules(folder / "rules.tsv")
    known = [tuple(words) for words in lines(KNOWN) if words]
    published = machines()
    own = {name: {rule[0] for rule in rules.violated(registers)}
           for name, registers in published.items()}

    total, decided, listed, others, used = 0, 0, defaultdict(list), defaultdict(list), set()
    for log in map(Path, sys.argv[2:]) if sys.argv[2:] else last_logs():
        run = log.stem.removeprefix("boot-").removesuffix("-base")
        for vm, registers in vms(log).items():
            machine = vm.rpartition("/")[0]
            if machine:
                registers = {x: registers[x] for x in registers if x in published[machine]}
            total += 1
            decided = max(decided, rules.decided(registers))
            for rule in rules.violated(registers):
                place = vm if machine else f"{run}/{vm}"
                why = [x for x in known if re.fullmatch(x[0], rule[0]) and
                       re.fullmatch(x[1], place)]
                used.update(why)
                shown = f"{rule[0]} {rule[7]}: {rules.shown(registers, rule[5], rule[6])}"
                if rule[0] in own.get(machine, ()):
                    listed[f"{shown} (as the machine itself)"].append(place)
                else:
                    (listed if why else others)[shown].append(place)

    for title, broken in ("listed", listed), ("NOT LISTED", others):
        for shown, places in sorted(broken.items()):
            print(f"{title}: {shown}: {len(places)} VMs, {' '.join(places[:3])}"
                  f"{' ...' if len(places) > 3 else ''}")
    stale = [] if sys.argv[2:] else [x for x in known if x not in used]
    for entry in stale:
        print(f"of no VM: {' '.join(entry)}")
    print(f"{total} VMs, {decided} rules decided, {len(listed)} findings listed, {len(others)} not")
    sys.exit(1 if others or stale or not total or not decided else 0)


if __name__ == "__main__":
    main()
