#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Draw the limits on arm64 ID registers, as map.rs prints them from the table in limits.rs.

usage: map.py [--terminal] [--svg FILE] [--host FILE]
       map.py --check    only tell whether Documentation's drawing is that of the table

With neither --terminal nor --svg, show it and write Documentation/id-reg-limits.svg;
with --host, out/id-reg-limits.svg. A host's FILE is a dump of guestcaps, or has lines
"REGISTER HEX"; all else in it is skipped. Registers that it does not have are zero.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import fuzz
from common import PLACE

HERE = Path(__file__).resolve().parent.parent
OUT = HERE / "Documentation/id-reg-limits.svg"
OUT_HOST = HERE / "out/id-reg-limits.svg"
LAB = PLACE["LAB"]

# By index: eight registers each have the same CRm.
GROUPS = ("AArch32",) * 3 + ("AArch64 features", "Debug", "Instruction set", "Memory model", "Caches")
# class: (its letter, what a field of it is called, what that means)
CLASSES = {
    "host": ("H", "up to the host", "the limit is the highest value that has a name"),
    "limited": ("L", "limited", "the limit is lower than that"),
    "forced": ("F", "forced", "the same value on any host"),
    "denied": ("-", "denied", "not implemented, and fixed; the row says why"),
    "reserved": (".", "reserved", "not allocated by the architecture: denied as well"),
}


def die(message):
    sys.exit(f"map: {message}")


def run(*command, failed, **more):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    except OSError as error:
        die(f"{command[0]}: {error.strerror}: install it, or set RUSTC=path to rustc")
    if done.returncode:
        die(f"{failed}: {done.stderr.strip()}")
    return done.stdout


def build():
    """Compile map.rs with the rows, the kernel's description of registers, and its sets of flags."""
    out = LAB / "build/map"
    if not (fuzz.LINUX / "arch/arm64/tools/sysreg").is_file():
        die(f"no kernel tree in {fuzz.LINUX}: make map fetches Linux")
    try:
        fuzz.describe_arm64(out, (HERE, fuzz.LINUX))
        fuzz.build_flags(out)
    except fuzz.Error as error:
        die(error)
    run(fuzz.RUSTC, "--edition", "2021", "-o", out / "map", "--extern", f"flags={out}/libflags.rlib",
        HERE / "scripts/map.rs", failed="scripts/map.rs does not build with the table",
        env=os.environ | {"OBJTREE": str(out), "KVM_IDREG_FACTS": str(out / "facts.rs")})
    return out / "map"


def of_document(path, text):
    """The same of guestcaps' JSON: what programs read, and of each field what the kernel says."""
    try:
        document = json.loads(text)
        found = {name: int(word.partition("/")[0], 16)
                 for name, word in (document.get("cpu") or document.get("registers") or {}).items()}
        for prop in document.get("props", []):
            if "host" in prop:
                msb, lsb = map(int, prop["bits"].split(":"))
                mask = (2 << msb) - (1 << lsb)
                found[prop["register"]] = found.get(prop["register"], 0) & ~mask | prop["host"] << lsb
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        die(f"{path}: not what guestcaps dump prints: {error!r}")
    return {name: f"{word:x}" for name, word in found.items()}


def dump(path):
    """{register: value} of a host's file: lines, or a dump of guestcaps."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError as error:
        die(f"{path}: {error.strerror}: name a file of lines REGISTER HEX")
    if text.lstrip().startswith("{"):
        found = of_document(path, text)
    else:
        found = dict(re.findall(r"^\s*([A-Z][A-Z0-9_]+)[ \t]+(?:0[xX])?([0-9a-fA-F]{1,16})(?!\S)", text, re.M))
    return found or die(f"{path}: it has no line REGISTER HEX, such as CTR_EL0 b444c004")


class Field:
    """A line of map.rs; its columns are attributes."""

    def __init__(self, columns):
        vars(self).update(columns)
        self.kind = columns["class"]
        self.msb, self.lsb = int(self.msb), int(self.lsb)
        self.bits = self.msb - self.lsb + 1
        self.named = {int(value): name for name, value in
                      (one.split("=") for one in self.values.split("; ") if "=" in one)}
        self.fixed = self.writable == "fixed" and self.ruled
        self.host = int(columns["host"], 16) if "host" in columns else None

    @property
    def ruled(self):
        return self.rule != "-"

    @property
    def reads(self):
        """RES0, RES1 or RAZ, if it is reserved."""
        return self.field.split("_")[0]

    @property
    def upright(self):
        """The text of a cell of one bit."""
        return self.field + (f" {self.host_name}" if self.host is not None else "")

    @property
    def host_name(self):
        return self.named.get(self.host, str(self.host))

    @property
    def lowers(self):
        return self.host is not None and self.least != "-"

    @property
    def short(self):
        """The limit, or what a host's value becomes."""
        if self.host is not None:
            text = self.host_name + (f" → {self.gets}" if self.becomes != "kept" else "")
            return text if self.ruled or self.becomes != "kept" else ""
        return self.rule.replace("up to", "≤").replace("always", "=") if self.ruled else ""

    def tell(self):
        """All there is to say, in lines."""
        yield f"{self.register}.{self.field} [{self.msb}:{self.lsb}]"
        if self.ruled:
            yield f"{self.rule} ({CLASSES[self.kind][1]}), {self.order}"
        else:
            yield self.order + (f": {self.why}" if self.why != "-" else "")
        if self.host is not None:
            text = f"host {self.host_name} ({self.host:#x})"
            text += f", {self.becomes} to {self.gets}" if self.becomes != "kept" else ""
            yield text + (f", VM may have {self.least}" if self.lowers else "")
        if self.conditions != "-":
            yield self.conditions
        if self.notes != "-":
            yield self.notes
        if self.needs != "-" and self.ruled:
            yield f"zero unless {self.needs}"
        if self.nested != "-":
            yield f"in a VM with EL2: {self.nested}"
        if self.protected != "-":
            yield f"in a protected VM: {self.protected}"


def read(host):
    """[(group, [(register, [field])])] of the table."""
    given = [f"{register}={value}" for register, value in dump(host).items()] if host else []
    text = run(build(), *given, failed=host)
    lines = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    registers = [(name, list(fields)) for name, fields in
                 groupby(map(Field, lines), lambda field: field.register)]
    numbered = groupby(enumerate(registers), lambda one: GROUPS[one[0] // 8])
    return [(group, [register for _, register in some]) for group, some in numbered]


def fields_of(groups):
    return [field for _, registers in groups for _, fields in registers for field in fields]


# For terminals: a column a bit, a space behind each fourth.

COLOURS = {"host": "30;48;5;117", "limited": "30;48;5;215", "forced": "97;48;5;54",
           "denied": "30;48;5;248", "reserved": "90"}


def cell(field, coloured):
    """What stands in a field's columns."""
    letter = CLASSES[field.kind][0]
    letter = letter.lower() if field.fixed else letter
    if field.host is not None:
        digits = f"{field.host:x}"
        marks = ("!" if field.becomes == "cut" else "^" if field.becomes == "raised" else "")
        marks += "v" if field.lowers else ""
        if field.kind == "reserved" and not marks:
            return letter * field.bits
        if field.bits == 1:
            return marks[0] if marks in ("!", "^") else digits
        text = (letter if field.bits > 2 else "") + digits.rjust((field.bits + 3) // 4, "0")
        return (text + marks).ljust(field.bits)[:field.bits]
    marks = ("?" if field.conditions != "-" else "") + ("n" if field.nested != "-" else "")
    marks = marks[:field.bits - 1]
    text = letter * field.bits
    if coloured and field.kind != "reserved":
        text = field.field.ljust(field.bits)
    return text[:field.bits - len(marks)] + marks


def terminal(groups, coloured):
    def paint(text, field_class, fixed=False):
        if not coloured:
            return text
        return f"\033[{COLOURS[field_class]}{';4' if fixed else ''}m{text}\033[0m"

    host = fields_of(groups)[0].host is not None
    lines = []
    for group, registers in groups:
        lines.append(f"{group:18}" + "".join(f"{bit:<5}" for bit in range(63, 0, -4)).rstrip())
        for name, fields in registers:
            line = f"{name + ('?' if fields[0].needs != '-' else ''):18}"
            for field in fields:
                text, run_of = cell(field, coloured), ""
                for bit, letter in zip(range(field.msb, field.lsb - 1, -1), text):
                    run_of += letter
                    if bit % 4 == 0 and bit > field.lsb:
                        run_of += " "
                line += paint(run_of, field.kind, field.fixed)
                line += " " if field.lsb % 4 == 0 and field.lsb else ""
            lines.append(line.rstrip())
        lines.append("")

    counts = Counter(field.kind for field in fields_of(groups))
    for kind, (letter, what, means) in CLASSES.items():
        lines.append(f"{paint(f' {letter} ', kind)} {what:15} {counts[kind]:3} fields: {means}")
    if coloured and not host:
        lines.append(paint("ABC", "host", True) +
                     " underlined: userspace can't change it; else it can ask for less")
    else:
        lines.append(" hlf small letter: userspace can't change it; else it can ask for less")
    if host:
        lines.append(" 1f  the host's value, hexadecimal (registers not given: zero)")
        lines.append(" !   the host has more than the limit: cut     ^  the VM has more than the host")
        lines.append(" v   the VM may ask for less")
    else:
        lines.append(" ?   behind a field: depends on a condition     n  differs in a VM with EL2")
    lines.append(" ?   behind a register: not all VMs have it; it is zero in others")
    if host:
        cut = [field for field in fields_of(groups) if field.becomes != "kept"]
        if cut:
            lines += ["", "The host's value, and what a VM gets that has all on which it depends:"]
        for field in cut:
            what = field.rule if field.ruled else field.order
            lines.append(f"  {field.register + '.' + field.field:34} {field.host_name:>15} → "
                         f"{field.gets:15} {what}")
    return "\n".join(lines) + "\n"


# The SVG.

WIDTH, LEFT, BIT, GAP = 1600, 178, 22, 2
ROW, FLAT = 34, 16      # heights; FLAT for registers that are reserved as a whole

CSS = """
text{font-family:"DejaVu Sans",Verdana,sans-serif;font-size:11px;text-anchor:middle}
.l,.s{text-anchor:start}
.t{font-size:20px;font-weight:bold}.g{font-size:14px;font-weight:bold}.n{font-size:13px}
.b text,.v,.s{font-size:9.5px}.i{font-size:9.5px}.j{font-size:8.5px}
.x{stroke-width:2.5px}
"""
# selector: (light, dark)
PAINT = (
    (".bg{fill:%s}", "#ffffff", "#0d1117"),
    ("text{fill:%s}", "#1b1f24", "#e6edf3"),
    (".b text,.s{fill:%s}", "#555b63", "#9da7b3"),
    (".host rect{fill:%s}", "#9fd3f7", "#10568f"),
    (".host text,.host path{fill:%s}", "#08131c", "#ffffff"),
    (".limited rect{fill:%s}", "#ffb74a", "#8d5200"),
    (".limited text,.limited path{fill:%s}", "#1a1000", "#ffffff"),
    (".forced rect{fill:%s}", "#3b2a63", "#e3d9ff"),
    (".forced text,.forced path{fill:%s}", "#ffffff", "#1b1033"),
    (".denied rect{fill:%s}", "#d3d5d8", "#41474f"),
    (".denied text,.denied path{fill:%s}", "#24282d", "#f0f3f6"),
    (".reserved rect{fill:%s}", "#f4f5f6", "#191f27"),
    (".reserved text{fill:%s}", "#646a72", "#8f99a5"),
    (".x{stroke:%s}", "#b3001b", "#ff8f8f"),
)


def style():
    light = "".join(rule % light + "\n" for rule, light, _ in PAINT)
    dark = "".join(rule % dark + "\n" for rule, _, dark in PAINT)
    return f"<style>{CSS}{light}@media(prefers-color-scheme:dark){{\n{dark}}}\n</style>"


def width(text, size):
    """About how wide a text is, in a font that is wide."""
    narrow, wide = "iljtfI1 .", "MWmw→≤"
    return size * sum(0.32 if c in narrow else 0.94 if c in wide else 0.69 if c.isupper() else 0.62
                      for c in text)


def fit(text, room, size):
    """The text, shortened to what has room."""
    if width(text, size) <= room:
        return text
    while text and width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip("_ ") + "…" if text else ""


def tag(name, content=None, **attributes):
    text = "".join(f' {key.rstrip("_")}="{format(value, "g" if isinstance(value, float) else "")}"'
                   for key, value in attributes.items() if value is not None)
    return f"<{name}{text}/>" if content is None else f"<{name}{text}>{content}</{name}>"


def mark(what, x, height, wide=0):
    """The path of a mark, in a cell at x."""
    if what == "fixed":
        return f"M{x} {height - 3}h{wide}v3h-{wide}z"
    if what == "conditional":
        return f"M{x + wide - 9} {height - 6}h7l-3.5 -6.5z"
    if what == "lowers":
        return f"M{x + wide - 9} {height - 12}h7l-3.5 6.5z"
    return f"M{x + 2} {height - 9}a3.4 3.4 0 1 1 6.8 0a3.4 3.4 0 1 1 -6.8 0z"    # nested


def draw_cell(field, height):
    kind = field.kind
    x, wide = (63 - field.msb) * BIT, field.bits * BIT - GAP
    marks = {"fixed": field.fixed, "conditional": field.conditions != "-",
             "nested": field.nested != "-", "lowers": field.lowers}
    marks = [name for name, there in marks.items() if there]
    if field.host is not None:      # there is no room for both, and the tooltip has all
        marks = [name for name in marks if name in ("fixed", "lowers")]
    cut = field.host is not None and field.becomes == "cut"
    inset = 1.25 if cut else 0
    parts = [tag("title", escape("\n".join(field.tell()))),
             tag("rect", x=x + inset, y=inset or None, width=wide - 2 * inset,
                 height=height - 2 * inset, class_="x" if cut else None)]
    middle, half = x + wide / 2, height / 2
    if kind == "reserved":
        if height > FLAT and field.bits >= 2 or field.bits == 64:
            text = fit(field.reads + (f" {field.host_name}" if cut else ""), wide, 9.5)
            parts.append(tag("text", text, x=middle, y=half + 3.5, class_="v"))
        elif height > ROW and field.reads == "RES1":
            parts.append(tag("text", field.reads, class_="v",
                             transform=f"translate({middle + 3.5:g} {half:g})rotate(-90)"))
    elif field.bits == 1:
        name = field.upright
        size, class_ = (11, None) if width(name, 11) <= height - 16 else (9.5, "i")
        at = half - (4 if marks else 0)
        parts.append(tag("text", escape(fit(name, height - 14, size)), class_=class_,
                         transform=f"translate({middle + 4:g} {at:g})rotate(-90)"))
    else:
        second = field.short
        for size, class_ in ((11, None), (9.5, "i"), (8.5, "j")):
            if width(field.field, size) <= wide - 4:
                break
        y = half - 2 if second else half + 4
        name = escape(fit(field.field, wide - 2, size))
        parts.append(tag("text", name, x=middle, y=y, class_=class_))
        if second:
            left, right = 10 * ("nested" in marks), 10 * ("conditional" in marks or "lowers" in marks)
            room = wide - 4 - 2 * max(left, right)
            at = middle
            if width(second, 9.5) > room:       # off the middle there is more
                room, at = wide - 4 - left - right, middle + (left - right) / 2
            size, class_ = (9.5, "v") if width(second, 9.5) <= room else (8.5, "j")
            second = escape(fit(second, room, size))
            parts.append(tag("text", second, x=at, y=half + 10, class_=class_))
    if marks:
        parts.append(tag("path", d="".join(mark(name, x, height, wide) for name in marks)))
    return tag("g", "\n".join(parts), class_=kind)


def draw_register(name, fields, y):
    whole = all(field.kind == "reserved" for field in fields)
    narrow = [field for field in fields if field.bits == 1 and field.kind != "reserved"]
    host = fields[0].host is not None
    height = FLAT if whole else ROW
    if narrow:
        height = max(ROW, int(max(width(field.upright, 11) for field in narrow)) + 18)
    under = [f"if {fields[0].needs}"] if fields[0].needs != "-" else []
    if host and not whole:
        word = sum(field.host << field.lsb for field in fields)
        under.insert(0, f"{word:016x}")
    parts = [tag("text", name, class_="l n" if not whole else "s", x=12 - LEFT,
                 y=12.0 if whole else height / 2 + (-1 if under else 4))]
    if under:
        parts.append(tag("text", " ".join(under), class_="s", x=12 - LEFT, y=height / 2 + 12))
    parts += [draw_cell(field, height) for field in fields]
    return tag("g", "\n".join(parts), transform=f"translate({LEFT} {y})"), height + GAP


def legend(groups, y, host):
    counts = Counter(field.kind for field in fields_of(groups))
    parts = []

    def bold(title, text, x, y):
        return tag("text", f'<tspan font-weight="bold">{title}</tspan> {text}', x=x, y=y, class_="l n")

    def entry(column, row, class_, sample, title, text):
        x, top = 12 + column * 790, row * 30
        inner = tag("rect", x=x, y=top, width=42, height=22, class_="x" if sample == "cut" else None)
        if sample and sample != "cut":
            inner += tag("path", d=mark(sample, x, 22, 42), transform=f"translate(0 {top})")
        parts.append(tag("g", inner, class_=class_))
        parts.append(bold(title, text, x + 52, top + 15))

    for row, (kind, (_, what, means)) in enumerate(CLASSES.items()):
        entry(0, row, kind, None, f"{what} ({counts[kind]})", means)
    entry(1, 0, "host", "fixed", "fixed", "userspace can’t change it; else it can ask for less")
    if host:
        entry(1, 1, "host", "lowers", "lowerable", "the VM may ask for less than the host has")
        entry(1, 2, "limited", "cut", "cut", "the host has more than the limit")
    else:
        entry(1, 1, "host", "conditional", "conditional", "some VMs, or hosts, have another value")
        entry(1, 2, "host", "nested", "nested", "another limit in a VM with EL2")
    parts.append(bold("if …", "not all VMs have the register; it is zero in others", 802, 105))
    second = "the host’s value, and what becomes of it" if host else "≤ the limit, = the value"
    parts.append(bold("second line", f"{second}; a cell’s tooltip tells all", 802, 135))
    parts.append(tag("text", "Made from arch/arm64/kvm/idregs/limits.rs by scripts/map.py of the "
                     "guestcaps lab.", class_="s", x=12, y=168))
    return tag("g", "\n".join(parts), transform=f"translate(0 {y})"), 184


def svg(groups):
    host = fields_of(groups)[0].host is not None
    bits = "\n".join(tag("text", 63 - n, x=n * BIT + (BIT - GAP) // 2) for n in range(64))
    parts, y = [], 34
    title = "What KVM lets arm64 VMs see in ID registers"
    parts.append(tag("text", title + (", on one host" if host else ""), class_="l t", x=12, y=y - 2))
    for at, (kind, (_, what, _)) in enumerate(CLASSES.items()):
        x = WIDTH - 646 + at * 130
        parts.append(tag("g", tag("rect", x=x, y=y - 15, width=22, height=16), class_=kind))
        parts.append(tag("text", what, class_="l", x=x + 28, y=y - 3))
    for group, registers in groups:
        y += 28
        parts.append(tag("text", group, class_="l g", x=12, y=y))
        parts.append(tag("use", href="#bits", x=LEFT, y=y))
        y += 7
        for name, fields in registers:
            drawn, height = draw_register(name, fields, y)
            parts.append(drawn)
            y += height
    y += 20
    drawn, height = legend(groups, y, host)
    parts.append(drawn)
    y += height
    head = tag("rect", class_="bg", width=WIDTH, height=y)
    return (f"<!-- SPDX-License-Identifier: GPL-2.0 -->\n"
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
            f'viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{title}">\n{style()}\n'
            f'<defs><g id="bits" class="b">{bits}</g></defs>\n{head}\n' + "\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("--terminal", action="store_true")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()

    groups = read(asked.host)
    if asked.check:
        if not OUT.is_file() or OUT.read_text() != svg(groups):
            sys.exit("the drawing is stale: make map, and look at what changed")
        return
    if asked.terminal or not asked.svg:
        sys.stdout.write(terminal(groups, sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    if asked.svg or not asked.terminal:
        out = asked.svg or (OUT_HOST if asked.host else OUT)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(svg(groups))
        print(f"map: wrote {os.path.relpath(out)}")


if __name__ == "__main__":
    main()
