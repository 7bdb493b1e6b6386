#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run kvm-unit-tests in the emulated host, on the unmodified kernel and on ours, and compare.

usage: kut.py LANE FOLDER UNMODIFIED OURS [TEST...]   (kut.sh does, once all is built)

FOLDER has rootfs.cpio and the names of all tests; it gets each test's log, and consoles. A host that
ends before its tests is booted again, for those that are left. Whose fault that was is told by how
it ended: an emulator that aborts is the emulator's, whichever kernel runs; a host that says nothing
any more may be either's, and counts against a kernel only if the other one goes on. Verdicts that
are worse on ours are taken again, on both kernels, and so are those that an emulator ended on one.

Exit status: 1 if a verdict is worse on ours.
"""

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
# Seconds for a test's VM: tests ask for less, of a processor that isn't emulated.
LIMIT = int(os.environ.get("LIMIT") or 300)
# The guest says every 5 seconds that it is alive.
SILENCE = 120
# What a test may take altogether, however long it takes its VMs to start.
LONGEST = LIMIT + 300
# VMs that don't idle leave little to the host's own threads, and an emulated timer may be late.
CALM = "rcupdate.rcu_cpu_stall_suppress=1"
APPEND = {"amd": f"{CALM} no_timer_check kvm.force_emulation_prefix=1", "arm64": CALM}

# From the worst to the best. Of crashes and hangs the verdict is about the emulator, or may be.
RANKS = ("host died", "no end", "timeout", "fail", "skip", "pass")
NUMBER = re.compile(r"\b(0x[0-9a-f]+|\d+)\b")
CRASH, HANG = "emulator crashed", "hang"


@dataclass
class Result:
    """What one kernel has to say of a test."""
    verdict: str
    reason: str = ""
    log: list = field(default_factory=list)
    dmesg: list = field(default_factory=list)

    def lines(self, kind):
        """The test's own verdicts of that kind, without the numbers that change from run to run."""
        return Counter(NUMBER.sub("#", line) for line in self.log if line.startswith(f"{kind}: "))

    def complaints(self):
        """What the host's kernel has to complain of."""
        return Counter(NUMBER.sub("#", line.partition("] ")[2]) for line in self.dmesg
                       if re.search(r"WARNING: |BUG: |Oops|UBSAN", line))

    def __str__(self):
        parts = self.lines("FAIL").total(), self.lines("PASS").total()
        if self.verdict == "fail" and sum(parts):
            return f"fail, {parts[0]} of {sum(parts)}"
        return f"{self.verdict}, {parts[1]}" if self.verdict == "pass" and parts[1] else self.verdict


def say(text):
    print(text, flush=True)


def die(text):
    sys.exit(f"kut.py: {text}")


class Boot:
    """One boot of a kernel, with the tests that are left."""

    def __init__(self, what, lane, kernel, folder, tests, console):
        self.results, self.begun = {}, time.time()
        self.log, self.dmesg = [], []
        job = folder / "job"
        job.write_text("".join((SCRIPTS / "guest" / part).read_text() for part in ("inside", "kut")) +
                       f"kut {LIMIT} {shlex.join(tests)}\n")
        env = os.environ | {"APPEND": f"{APPEND[lane]} {os.environ.get('APPEND', '')}",
                            "MEM": os.environ.get("MEM", "3072"), "TIMEOUT": "0"}
        with open(console, "w", buffering=1) as self.console, subprocess.Popen(
                [SCRIPTS / "boot.sh", lane, kernel, folder / "rootfs.cpio", job], env=env,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True) as self.process:
            try:
                stopped = self.follow()
            finally:
                if self.process.poll() is None:
                    os.killpg(self.process.pid, signal.SIGTERM)
        said = console.read_text().splitlines()
        if stopped or not any(line.startswith("guestcaps: job ended: ") for line in said):
            # A test's fault, if the runner had begun.
            if left := [test for test in tests if test not in self.results]:
                if any(line.startswith("kut: ") for line in said):
                    self.results[left[0]] = self.broken(stopped, said)

    def follow(self):
        """Read what the guest says until it ends; or why it did not."""
        pipe, rest, silence = self.process.stdout.fileno(), b"", LONGEST
        while select.select([pipe], [], [], silence)[0]:
            data = os.read(pipe, 65536)
            if not data:
                return None
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                line = line.decode(errors="replace").rstrip("\r")
                if line != "kut: alive":
                    self.console.write(line + "\n")
                self.line(line)
                if line.startswith("kut: "):
                    silence = SILENCE
            if time.time() - self.begun > LONGEST:
                return "no end"
        return HANG

    def line(self, line):
        kind, _, text = line.partition(": ")
        if kind == "log":
            self.log.append(text)
        elif kind == "dmesg":
            self.dmesg.append(text)
        elif kind == "kut":
            self.runner(re.sub(r"\x1b\[\d*m", "", text))

    def runner(self, text):
        """A line of run_tests.sh's, or of guest/kut's."""
        if match := re.match(r"(PASS|SKIP|FAIL) (\S+) ?(.*)", text):
            verdict = "timeout" if match[3].startswith("(timeout;") else match[1].lower()
            self.results[match[2]] = Result(verdict, match[3].strip("()"))
        elif text.startswith("end "):
            result = self.results[text.removeprefix("end ")]
            result.log, result.dmesg, self.log, self.dmesg = self.log, self.dmesg, [], []
            self.begun = time.time()

    def broken(self, stopped, console):
        """The Result of the test in which the boot ended."""
        status = re.search(r"emulator ended with status (\d+)", console[-1])
        panics = [line for line in console if "Kernel panic" in line]
        if stopped == HANG:
            result = Result(HANG, f"nothing said for {SILENCE} seconds")
        elif stopped:
            result = Result(stopped, f"not within {LONGEST} seconds")
        elif panics:
            result = Result("host died", panics[0])
        elif status and status[1] != "0":
            last = [line for line in console if re.search(r"assert|ERROR:|qemu", line)]
            result = Result(CRASH, last[-1] if last else status[0])
        else:
            # A triple fault ends the emulator as a reboot does.
            result = Result("host died", "it was reset")
        result.log, result.dmesg = self.log, self.dmesg
        return result


def run(what, lane, kernel, folder, tests):
    """{test: Result} on one kernel, in as many boots as that takes."""
    results, begin, failed = {}, time.time(), 0
    say(f"  Running {len(tests)} tests on the {what} kernel.")
    while left := [test for test in tests if test not in results]:
        console = folder / f"{what}-{len(list(folder.glob(f'{what}-*.console'))) + 1}.console"
        new = Boot(what, lane, kernel, folder, left, console).results
        failed = 0 if new else failed + 1
        if failed == 3:
            last = console.read_text().strip().splitlines()[-1:]
            die(f"the host did not come to run {left[0]}, thrice; whole console: {console}, its end: {last}")
        results |= new
        for test in new:
            if new[test].verdict in (CRASH, HANG, "host died", "no end"):
                say(f"  {test}: {new[test].verdict}: {new[test].reason}; the host is booted again.")
    (folder / what).mkdir(exist_ok=True)
    for test, result in results.items():
        (folder / what / f"{test}.log").write_text("\n".join(result.log + result.dmesg) + "\n")
    seconds = int(time.time() - begin)
    say(f"  Done in {seconds // 60}:{seconds % 60:02}.")
    return {test: results[test] for test in tests}


def compare(base, ours):
    """("same", "differs", "worse" or "emulator", what is to be said of it)."""
    if CRASH in (base.verdict, ours.verdict) or base.verdict == HANG:
        return "emulator", base.reason if base.verdict in (CRASH, HANG) else ours.reason
    if ours.verdict == HANG:
        return "worse", ours.reason
    # Where the unmodified kernel did not get to the end, ours may see more fail.
    ended = RANKS.index(base.verdict) >= RANKS.index("fail")
    failing = ours.lines("FAIL") - base.lines("FAIL") if ended else ()
    new = list(failing) + list(ours.complaints() - base.complaints())
    if (fewer := base.lines("PASS").total() - ours.lines("PASS").total()) > 0:
        new.append(f"{fewer} checks fewer pass")
    if RANKS.index(ours.verdict) < RANKS.index(base.verdict) or new:
        died = [ours.reason] if ours.verdict in ("host died", "no end") else []
        return "worse", "; ".join(died + new[:3]) or ours.reason
    if str(base) != str(ours):
        return "differs", ""
    return "same", base.reason if base.verdict == "skip" else ""


def main():
    lane, folder, unmodified, ours, *wanted = sys.argv[1:]
    folder = Path(folder)
    tests = (folder / "tests").read_text().split()
    if unknown := set(wanted) - set(tests):
        die(f"no test {', '.join(sorted(unknown))}; there are {' '.join(tests)}")
    tests = [test for test in tests if test in wanted] if wanted else tests

    def both(tests):
        return (run("unmodified", lane, unmodified, folder, tests), run("ours", lane, ours, folder, tests))

    base, new = both(tests)
    words = {test: compare(base[test], new[test])[0] for test in tests}
    # Not what ends the emulator on both kernels: that it will do again.
    unsettled = [test for test in tests if words[test] == "worse" or
                 words[test] == "emulator" and base[test].verdict != new[test].verdict]
    chance = set()
    if unsettled:
        say("  Not the same, taken again: " + " ".join(unsettled))
        for test, *results in zip(unsettled, *(again.values() for again in both(unsettled))):
            if words[test] == "emulator":
                base[test], new[test] = results
            elif compare(*results)[0] != "worse":
                chance.add(test)

    width = max(map(len, tests))
    say(f"\n{'test':{width}}  {'unmodified':18} ours")
    counts = Counter()
    for test in tests:
        word, note = compare(base[test], new[test])
        if test in chance:
            word, note = "differs", "by chance, not so again"
        counts[word] += 1
        notes = {"same": note, "differs": f"differs {note}", "worse": f"WORSE {note}",
                 "emulator": f"the emulator's own: {note}"}
        say(f"{test:{width}}  {str(base[test]):18} {str(new[test]):18} {notes[word]}".rstrip())
    for what, results in ("unmodified", base), ("ours", new):
        verdicts = Counter(result.verdict for result in results.values())
        say(f"{what}: " + ", ".join(f"{verdicts[name]} {name}" for name in verdicts))
    say(f"{len(tests)} tests: {counts['same']} the same, {counts['differs']} differ without being worse, "
        f"{counts['emulator']} end with the emulator, {counts['worse']} worse. Logs: {folder}")
    return bool(counts["worse"]) or not counts["same"] + counts["differs"]


if __name__ == "__main__":
    # Whoever ends this ends the emulator with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
