#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Apply the documentation's worked examples, and run the KUnit suites of the cores, as programs of this machine.

usage: examples.py [--list | --show] [NAME...]

An example is a diff in Documentation/virt/kvm, a code-block with a :name:. It must apply; the suites
must fail with what it adds to tests alone, and pass with all of it. One that is of C alone is for a
tree without the series, to which it must apply. NAME may also be x86 or arm64: the suites, with the
tables as they are.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import fuzz
from fuzz import Error, run

OUT = fuzz.LAB / "build/examples"
# A core's root, what is copied to be edited, and the option that builds its suites.
CORES = {
    "x86": ("arch/x86/kvm/caps/caps.rs", ["arch/x86/kvm", "arch/x86/tools"], "CONFIG_KVM_CAPS_KUNIT_TEST"),
    "arm64": ("arch/arm64/kvm/idregs/idregs.rs", ["arch/arm64/kvm", "arch/arm64/tools"],
              "CONFIG_KVM_IDREGS_KUNIT_TEST"),
}
BLOCK = re.compile(r"^\.\. code-block:: diff\n +:name: (\S+)\n\n((?:(?: .*)?\n)+)", re.M)


def parts(diff):
    """{path: its part of a diff}"""
    return {re.match(r"--- a/(\S+)", part)[1]: part for part in re.split(r"^(?=--- a/)", diff, flags=re.M) if part}


def examples():
    """{name: {path: its part of the diff}}"""
    found = {}
    for page in sorted((fuzz.HERE / "Documentation/virt/kvm").rglob("*.rst")):
        blocks = BLOCK.findall(page.read_text())
        if len(blocks) != len(re.findall("code-block:: *diff", page.read_text())):
            raise Error(f"{page}: a code-block of a diff is none that is tried: give it a :name:, two lines below it")
        for name, text in blocks:
            if name in found:
                raise Error(f"{page}: another example is {name}, too")
            found[name] = parts(dedent(text).rstrip() + "\n")
            if core_of(found[name]) and not any(is_test(path) for path in found[name]):
                raise Error(f"{page}: example {name} has no test that shows what it does")
    if not found:
        raise Error("Documentation/virt/kvm has no example: they are diffs in a code-block with a :name:")
    return found


def is_test(path):
    return "/tests" in path


def core_of(paths):
    """The architecture whose core a diff is for, if any."""
    folders = {arch: os.path.dirname(root) for arch, (root, *_) in CORES.items()}
    return next((arch for arch, folder in folders.items() if any(path.startswith(folder) for path in paths)), None)


def copy(out, arch, paths):
    """A tree with what is built, and what a diff is for. The rest of the kernel's is used where it is."""
    shutil.rmtree(out, ignore_errors=True)
    for folder in CORES[arch][1]:
        shutil.copytree(fuzz.HERE / folder, out / folder)
    for path in paths:
        if not (out / path).exists():
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(fuzz.of((fuzz.HERE, fuzz.LINUX), path), out / path)
    # Programs have no boundary with C.
    root = out / CORES[arch][0]
    root.write_text(re.sub(r"(#\[.*\]\n)*.*\bmod ffi;\n", "", root.read_text()))
    return out


def unmodified(out, paths):
    """These files as the unmodified kernel has them."""
    shutil.rmtree(out, ignore_errors=True)
    for path in paths:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(run("git", "-C", fuzz.LINUX, "show", f"base:{path}"))
    return out


def suites(arch, tree):
    """Builds the core with its suites, and runs them. Returns what failed, if anything did."""
    out = tree / "build"
    root = CORES[arch][0]
    out.mkdir(exist_ok=True)
    if arch == "x86":
        fuzz.describe_x86(out, (tree, fuzz.HERE, fuzz.LINUX))
        fuzz.build_crate(out, out / "bindings.rs")
    else:
        fuzz.describe_arm64(out, (tree, fuzz.HERE, fuzz.LINUX))
        fuzz.build_crate(out, out / "facts.rs", "--cfg", "arm64")
    said = subprocess.run(
        [fuzz.RUSTC, "--test", "--edition", "2021", "-Aunused", "-Aunexpected_cfgs", "-L", out,
         "--extern", f"kernel={out / 'libkernel.rlib'}", "--cfg", "MODULE", "--cfg",
         'CONFIG_KUNIT="y"', "--cfg", CORES[arch][2], "-o", out / "suites", tree / root],
        capture_output=True, text=True, check=False)
    if said.returncode:
        return "".join(re.findall(r"^error.*\n(?:.*\n){1,8}?(?=\n)", said.stderr, re.M)) or said.stderr
    said = subprocess.run([out / "suites", "--quiet"], capture_output=True, text=True, check=False)
    if said.returncode:
        return said.stdout[-3000:]
    count = re.search(r"(\d+) passed", said.stdout)
    if not count or int(count[1]) < 20:
        raise Error(f"{arch}: these can't be all tests: {said.stdout[-500:]}")
    return ""


def apply(tree, patches):
    for patch in patches:
        # Context that begins with a tab would be a space before a tab in the page: there is none then.
        done = subprocess.run(["git", "apply", "--recount", "--unidiff-zero", "-"], input=patch, capture_output=True,
                              text=True, check=False, cwd=tree,
                              env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)})
        if done.returncode:
            raise Error(f"does not apply: {done.stderr.strip()}")


def check(name, patches):
    """What is wrong with an example, if anything is."""
    arch = core_of(patches)
    try:
        if not arch:
            apply(unmodified(OUT / name, patches), patches.values())
            return ""
        tree = copy(OUT / name, arch, patches)
        apply(tree, [patch for path, patch in patches.items() if is_test(path)])
        if not suites(arch, tree):
            return "its test passes without it"
        apply(tree, [patch for path, patch in patches.items() if not is_test(path)])
        return suites(arch, tree)
    except Error as error:
        return str(error)


def main():
    parser = argparse.ArgumentParser(description="Try the documentation's examples.")
    parser.add_argument("--list", action="store_true", help="name them")
    parser.add_argument("--show", action="store_true", help="print their diffs")
    parser.add_argument("name", nargs="*", metavar="NAME", help="one of them, or x86 or arm64")
    options = parser.parse_args()
    known = examples()
    if options.list:
        print("\n".join(known))
        return 0
    names = options.name or [*CORES, *known]
    for name in names:
        if name not in known and name not in CORES:
            raise Error(f"no example {name}: {', '.join(known)}, or {', '.join(CORES)}")
    if options.show:
        print("".join(patch for name in names for patch in known.get(name, {}).values()), end="")
        return 0

    def one(name):
        return suites(name, copy(OUT / name, name, ())) if name in CORES else check(name, known[name])

    fuzz.OUT.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count())) as pool:
        results = dict(zip(names, pool.map(one, names)))
    for name, wrong in results.items():
        print(f"{name}: {wrong or 'as it should be'}")
    return 1 if any(results.values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit(f"examples: {error}")
