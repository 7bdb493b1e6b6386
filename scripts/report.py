#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write one page of what is known of the series against the unmodified kernel.

usage: report.py

Of what make compare, make bench, make test and make fuzz left behind in the lab, as far as each has
run, out/report.html is made, with plots, and out/report.txt.
"""

import base64
import html
import io
import os
import re
import textwrap
from pathlib import Path

import left
from common import PLACE
import matplotlib
matplotlib.use("svg")
from matplotlib import pyplot                           # pylint: disable=wrong-import-position

ROOT = Path(__file__).resolve().parent.parent
LAB = PLACE["LAB"]
OUT = ROOT / "out"
DIFFERENCES = ROOT / "scripts/baseline/idregs-differences"
KINDS = "passed", "failed", "skipped", "expected to fail", "known"
ARCHES = {"x86": "x86 (kvm_amd, QEMU)", "arm64": "arm64 (QEMU)"}


def of(made):
    """What is shown may be older than the page."""
    return [] if made == left.commit() else [("text", f"Of {made}.")]


def missing(command):
    return ("text", f"Not known: run {command} first.")


def verdicts():
    made, found = left.left(LAB, "verdicts")
    if not found:
        return [missing("make test")]
    return [*of(made),
            ("text", "Held against the unmodified kernel's: what is known fails there as well, for the same reason."),
            ("table", ["run", *KINDS], [[name, *(count.get(kind, 0) for kind in KINDS)]
              for name, count in found.items()])]


def said():
    _, found = left.left(LAB, "compare")
    if not found:
        return [missing("make compare")]
    rows = []
    for name, run in found.items():
        made = "" if run["commit"] == left.commit() else f" (of {run['commit']})"
        same = f"{run['documented']} documented differences" if run["documented"] else "the same"
        rows.append([name + made, run["lines"], run["random"],
                     same if run["same"] else f"{len(run['undocumented'])} DIFFERENCES"])
    bad = [f"{name}: {line}" for name, run in found.items() for line in run["undocumented"]]
    return [("text", "Both kernels were booted on each host. Lines are what KVM says of CPUID, byte by byte, or of "
                     "each digit of each ID register in VMs of all kinds; at random, CPUID tables or writes "
                     "to ID registers were tried, with the same seeds."),
            ("table", ["host", "lines", "at random", "both kernels"], rows),
            *([("text", "\n".join(bad))] if bad else [])]


def differences():
    rows = []
    for line in DIFFERENCES.read_text().splitlines():
        if line and not line.startswith("#"):
            rule, _, reason = line.partition("#")
            vms, registers, *_ = rule.split()
            if vms == "writable":
                vms, registers = "any", f"mask {registers}"
            rows.append([registers.replace("\\d", "n"), "any" if vms == ".*" else vms, reason.strip()])
    return [("text", "Of what is compared here x86 has one: Hyper-V's interface is judged by the table that a guest "
                     "sees; guest-caps.rst has all. On arm64, registers and VMs as patterns:"),
            ("table", ["registers", "VMs", "why"], rows)]


def plot(draw):
    figure, axes = pyplot.subplots(figsize=(7.5, 3.2))
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    image = io.StringIO()
    figure.tight_layout()
    figure.savefig(image, format="svg", transparent=True)
    pyplot.close(figure)
    return ("plot", image.getvalue())


def ratios(bench):
    rows = [(what, ours / base) for what, base, ours in bench if base and ours]

    def draw(axes):
        names = [what for what, _ in rows]
        axes.barh(names, [ratio for _, ratio in rows], color=["#2a7f62" if r <= 1 else "#c1443c" for _, r in rows])
        axes.axvline(1, color="#888", linewidth=1)
        axes.set_xlabel("instructions, ours / unmodified")
        axes.invert_yaxis()
        axes.tick_params(labelsize=7)
        axes.figure.set_figheight(0.6 + 0.19 * len(rows))
    return plot(draw)


def growth(bench, pattern, title):
    points = sorted((int(found[1]), base, ours) for what, base, ours in bench
                    if (found := re.fullmatch(pattern, what)))
    if len(points) < 2:
        return []

    def draw(axes):
        entries = [n for n, *_ in points]
        axes.plot(entries, [base for _, base, _ in points], marker="o", color="#888", label="unmodified")
        axes.plot(entries, [ours for *_, ours in points], marker="o", color="#2a7f62", label="ours")
        axes.set_xlabel("CPUID entries")
        axes.set_ylabel("instructions")
        axes.set_title(title, fontsize=9)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
    return [plot(draw)]


def counted(arch):
    """[(what, unmodified, ours)], with None where one has no such thing."""
    files = [LAB / f"bench-{arch}.{tree}" for tree in ("base", "ours")]
    if not all(file.is_file() for file in files):
        return None
    base, ours = ({what: int(count) for count, what in (line.split(None, 1) for line in file.read_text().splitlines())}
                  for file in files)
    return [(what, base.get(what), ours.get(what)) for what in base | ours]


def costs():
    result = []
    for arch, where in ARCHES.items():
        bench = counted(arch)
        if not bench:
            result.append(missing(f"make bench ARCH={arch}"))
            continue
        made = LAB / f"bench-{arch}.commit"
        result += [("head", where), *of(made.read_text().strip() if made.is_file() else "an unknown commit"),
                   ratios(bench)]
        result += growth(bench, r"KVM_SET_CPUID2, (\d+) entr\w+", "KVM_SET_CPUID2")
        result += growth(bench, r"1000 exits for CPUID of the last entry, (\d+) entries",
                         "1,000 exits for CPUID, of the last entry")
        result.append(("table", ["instructions (icount)", "unmodified", "ours", "ratio"],
                       [[what, f"{base:,}" if base else "-", f"{ours:,}" if ours else "-",
                         f"{ours / base:.3f}" if base and ours else "-"] for what, base, ours in bench]))
    return result


def memory():
    """Of what is allocated beside structures, as the kernel's header says."""
    text = (ROOT / "arch/x86/kvm/caps.h").read_text()
    entries = int(re.search(r"#define KVM_CAPS_MAX_ENTRIES\s+(\d+)", text)[1])
    arrays = len(re.findall(r"u8 \w+\[KVM_CAPS_MAX_ENTRIES\]", text))
    return [("text", "Structures, and on x86 kvm.ko's code and constants, are the last lines of the costs; arm64's kernel "
                     f"has KUnit suites in it. On x86 a vCPU's CPUID entries have {arrays * entries + 4} bytes in front "
                     "of them, their index and number.")]


def coverage():
    made, found = left.left(LAB, "coverage")
    if not found:
        return [missing("make compare")]
    return [*of(made), ("text", "Points of the functions that are entered, which the inputs that are kept run through."),
            ("table", ["target", "of", "run through", "points"],
             [[target, side, hit, total] for target, sides in found.items() for side, (hit, total) in sides.items()])]


SECTIONS = {
    "Verdicts of selftests and KUnit": verdicts,
    "What KVM says": said,
    "Differences, all of them": differences,
    "Costs": costs,
    "Memory": memory,
    "Coverage of fuzzing": coverage,
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; font-size: 13px; margin: 1em 0; }
td, th { padding: .15em .8em .15em 0; text-align: left; border-bottom: 1px solid #8884; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
"""


def is_number(cell):
    return re.fullmatch(r"[\d,.]+|-", str(cell)) is not None


def as_html(kind, *rest):
    if kind == "table":
        head, rows = rest
        cells = "".join("<tr>" + "".join(
            f"<td{' class=number' if is_number(cell) else ''}>{html.escape(str(cell))}</td>" for cell in row) + "</tr>\n"
            for row in rows)
        return "<table><tr>" + "".join(f"<th>{html.escape(x)}</th>" for x in head) + f"</tr>\n{cells}</table>\n"
    if kind == "plot":
        return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(rest[0].encode()).decode()}">\n'
    tag = "h3" if kind == "head" else "p"
    return f"<{tag}>{html.escape(rest[0])}</{tag}>\n"


def as_text(kind, *rest):
    if kind == "plot":
        return ""
    if kind == "head":
        return f"{rest[0]}\n{'~' * len(rest[0])}\n\n"
    if kind == "text":
        return "\n".join(textwrap.fill(x, 90) for x in rest[0].splitlines()) + "\n\n"
    head, rows = rest
    rows = [list(map(str, row)) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(x.rjust(w) if is_number(x) else x.ljust(w) for x, w in zip(row, widths)).rstrip()
             for row in [head, *rows]]
    return "\n".join(lines) + "\n\n"


def main():
    title = f"guestcaps {left.commit()} against Linux {os.environ['VERSION']}"
    note = "All hosts are emulated. Instructions are counted under QEMU's icount, both kernels in one run."
    page = f"<!doctype html>\n<meta charset=utf-8>\n<title>{title}</title>\n<style>{STYLE}</style>\n" \
           f"<h1>{title}</h1>\n<p>{note}</p>\n"
    text = f"{title}\n{'=' * len(title)}\n\n{note}\n\n"
    for name, section in SECTIONS.items():
        parts = section()
        page += f"<h2>{name}</h2>\n" + "".join(as_html(*part) for part in parts)
        text += f"{name}\n{'-' * len(name)}\n\n" + "".join(as_text(*part) for part in parts)
    OUT.mkdir(exist_ok=True)
    (OUT / "report.html").write_text(page)
    (OUT / "report.txt").write_text(text.rstrip() + "\n")
    print("  out/report.html and out/report.txt are written.")


if __name__ == "__main__":
    main()
