#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turn series/ into the commits of the lab's kernel tree, and back.

usage: series.py apply   TREE    make TREE's branch "guestcaps" the series, on top of "base"
       series.py refresh TREE    bring TREE's commits back to series/ and to the files here
       series.py sets    TREE    which commits are each series: lines "NAME PARENT-OF-FIRST LAST"

A folder of series/ is what is posted as one series, on top of the one before. A folder NN-name in it
is one commit: its message; the files it adds (they stand in this repository, as the last series
leaves them); drops, the C definitions it deletes, as "file name" (universal-ctags knows where each
begins and ends); edits.diff, what else it changes in existing files; and grows.diff, what it changes
in files that the series add: a file is added as it is here, with the grows.diff of all later folders
taken back.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SERIES = HERE / "series"
BRANCH = "guestcaps"
BASE = "base"
APPLIED = "refs/guestcaps/applied"
# There while the work tree is made APPLIED.
APPLYING = "refs/guestcaps/applying"
# A fixed date makes the same series the same commits, on any machine.
DATE = "2026-01-01T00:00:00+0000"
# Whose commits they are until somebody posts them.
NOBODY = "guestcaps", "guestcaps@localhost"


class Error(Exception):
    """What is wrong and what to do, in one line."""


class Tree:
    """The lab's kernel tree, a git repository."""

    def __init__(self, path):
        self.path = path
        self.env = dict(os.environ)

    def git(self, *args, data=None, text=True):
        if text and isinstance(data, str):
            data = data.encode()
        done = subprocess.run(("git", "-C", self.path) + args, input=data, env=self.env,
                              capture_output=True, check=False)
        if done.returncode:
            raise Error(f"git {' '.join(args[:2])} failed: {done.stderr.decode().strip()}")
        return done.stdout.decode() if text else done.stdout

    def rev(self, name):
        try:
            return self.git("rev-parse", "--verify", "-q", name + "^{commit}").strip()
        except Error:
            return None

    def show(self, commit, path):
        return self.git("show", f"{commit}:{path}", text=False)


class Index(Tree):
    """A scratch index in which a tree is put together, away from the work tree: a commit's, or empty."""

    def __init__(self, tree, commit, folder):
        super().__init__(tree.path)
        self.env["GIT_INDEX_FILE"] = str(Path(folder) / "index")
        self.git("read-tree", commit or "--empty")

    def place(self, files):
        """{path: (mode, blob)}, all at once: the index of a kernel is written anew each time."""
        if files:
            self.git("update-index", "--index-info", data="".join(
                f"{mode} {blob}\t{path}\n" for path, (mode, blob) in files.items()))

    def put(self, contents):
        """The same of {path: (mode, content)}."""
        self.place({path: (mode, self.git("hash-object", "-w", "--stdin", data=content).strip())
                    for path, (mode, content) in contents.items()})

    def write(self):
        return self.git("write-tree").strip()


def here(path):
    """Where a file of the kernel tree stands in this repository."""
    return HERE / re.sub("^tools/testing/selftests/", "selftests/", path)


def folders():
    return sorted(path.parent for path in SERIES.glob("*/*/message"))


def name_of(folder):
    return folder.relative_to(SERIES)


def lines(path):
    """The lines of a list, without comments; none if there is no such file."""
    if not path.is_file():
        return []
    return [s for s in (s.split("#")[0].strip() for s in path.read_text().splitlines()) if s]


def definitions(source, path, kinds=("function", "macro", "variable")):
    """The lines of C, and where in them each definition stands: {name: [(begin, end)]}."""
    text = source.decode().splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / Path(path).name
        copy.write_bytes(source)
        tags = subprocess.run(("ctags", "--output-format=json", "--fields=+ne", "--kinds-C=+p",
                               "-f", "-", str(copy)),
                              capture_output=True, check=True, text=True).stdout
    found = {}
    for tag in map(json.loads, tags.splitlines()):
        if tag["kind"] not in kinds:
            continue
        begin, end = tag["line"] - 1, tag.get("end", tag["line"])
        while text[end - 1].endswith("\\\n"):
            end += 1
        # A return type on a line of its own belongs to the definition.
        while begin and re.match(r"[A-Za-z_]", text[begin - 1]):
            begin -= 1
        found.setdefault(tag["name"], []).append((begin, end))
    return text, found


def drop(source, path, names):
    """Deletes definitions, each with the comment in front of it and the blank line behind."""
    text, found = definitions(source, path)
    spans = []
    for name in names:
        if len(found.get(name, [])) != 1:
            raise Error(f"drops: {path} defines {name} {len(found.get(name, []))} times, expected once")
        begin, end = found[name][0]
        if begin and text[begin - 1].rstrip().endswith("*/"):
            begin -= 1
            while not text[begin].lstrip().startswith("/*"):
                begin -= 1
        if end < len(text) and not text[end].strip():
            end += 1
        spans.append((begin, end))
    for begin, end in sorted(spans, reverse=True):
        del text[begin:end]
    return "".join(text).encode()


def drops(folder):
    """{file: names} of the definitions that a folder deletes."""
    result = {}
    for line in lines(folder / "drops"):
        path, name = line.split()
        result.setdefault(path, []).append(name)
    return result


def apply_drops(tree, index, commit, folder):
    index.put({path: ("100644", drop(tree.show(commit, path), path, names))
               for path, names in drops(folder).items()})


def states(tree):
    """{folder: {file: (mode, blob)}} of the files that the series adds, wherever a folder adds or changes one."""
    added = {folder: lines(folder / "files") for folder in folders()}
    whole, result = {}, {}
    for folder, paths in added.items():
        for path in paths:
            if not here(path).is_file():
                raise Error(f"{name_of(folder)}/files: there is no {here(path).relative_to(HERE)}")
            whole[path] = "100755" if os.access(here(path), os.X_OK) else "100644", here(path).read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        index = Index(tree, None, scratch)
        index.put(whole)
        for folder in reversed(folders()):
            grows = folder / "grows.diff"
            now = {path: tuple(entry.split()[:2]) for entry, _, path in (
                line.partition("\t") for line in index.git("ls-files", "-s").splitlines())}
            paths = added[folder] + (
                re.findall(r"^\+\+\+ b/(.*)$", grows.read_text(), re.M) if grows.is_file() else [])
            for path in paths:
                if path not in now:
                    raise Error(f"{name_of(folder)}: {path} is added by none of the folders before, or by two")
            result[folder] = {path: now[path] for path in paths}
            if grows.is_file():
                try:
                    index.git("apply", "--cached", "--reverse", "--whitespace=nowarn", str(grows))
                except Error as error:
                    raise Error(f"what {name_of(folder)}/grows.diff adds is not in the files here any more, change both: "
                                f"{error}") from error
            if added[folder]:
                index.git("update-index", "--force-remove", *added[folder])
    return result


def resume(tree):
    """Finishes what an earlier run was killed in, but not over what somebody has edited since."""
    begun = tree.rev(APPLYING)
    if not begun:
        return
    lock = Path(tree.path, tree.git("rev-parse", "--git-path", "index.lock").strip())
    lock.unlink(missing_ok=True)
    edited = set.intersection(*(set(tree.git("diff", "--name-only", commit).splitlines()) for commit in ("HEAD", begun)))
    if edited or tree.rev("HEAD") not in (tree.rev(BASE), tree.rev(APPLIED), begun):
        raise Error(f"{tree.path}: a run was killed when it applied the series, and {', '.join(edited) or 'HEAD'} is "
                    f"neither as before nor as it should be: if nothing there is yours, git -C {tree.path} reset --hard {APPLYING}")
    reset(tree, begun)


def reset(tree, commit):
    """Touches only files that differ, so that make rebuilds no more than it must."""
    tree.git("update-ref", APPLYING, commit)
    tree.git("reset", "-q", "--hard", commit)
    tree.git("update-ref", APPLIED, commit)
    tree.git("update-ref", "-d", APPLYING)


def apply(tree):
    resume(tree)
    base = tree.rev(BASE)
    head, applied = tree.rev(BRANCH), tree.rev(APPLIED)
    if tree.git("status", "--porcelain", "-uno").strip():
        raise Error(f"{tree.path} has uncommitted edits: commit them there, then make refresh")
    if head not in (base, applied):
        raise Error(f"{tree.path} has commits that series/ lacks: make refresh "
                    f"(or drop them: git -C {tree.path} reset --hard {APPLIED})")

    name, mail = NOBODY
    for role in ("AUTHOR", "COMMITTER"):
        tree.env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": mail,
                     f"GIT_{role}_DATE": DATE}
    commit = base
    grown = states(tree)
    for folder in folders():
        with tempfile.TemporaryDirectory() as scratch:
            index = Index(tree, commit, scratch)
            apply_drops(tree, index, commit, folder)
            index.place(grown[folder])
            if (folder / "edits.diff").is_file():
                try:
                    index.git("apply", "--cached", "--whitespace=nowarn",
                              str(folder / "edits.diff"))
                except Error as error:
                    raise Error(f"{name_of(folder)}/edits.diff does not apply: {error}") from error
            commit = tree.git("commit-tree", index.write(), "-p", commit, "-F",
                              str(folder / "message")).strip()
    if commit != head:
        reset(tree, commit)
    print(f"series: {len(folders())} commits on {tree.git('describe', '--always', base).strip()}")


def slug(subject):
    return re.sub(r"[^a-z0-9]+", "-", subject.rpartition(":")[2].lower()).strip("-")


def keep(path, text):
    """A file with that text, or none."""
    if text:
        path.write_text(text)
    else:
        path.unlink(missing_ok=True)


def refresh(tree):
    if tree.git("status", "--porcelain", "-uno").strip():
        raise Error(f"{tree.path} has uncommitted edits: commit them there first, "
                    "e.g. git commit --fixup=COMMIT and git rebase -i --autosquash base")
    commits = tree.git("rev-list", "--reverse", f"{BASE}..{BRANCH}").split()
    known = {(f / "message").read_text().splitlines()[0]: f for f in folders()}
    ours = {path for commit in commits for path in tree.git(
        "diff-tree", "-r", "--no-commit-id", "--name-only", "--diff-filter=A", commit).splitlines()}
    modes = {path: int(line.split()[0], 8) for line, _, path in (
        entry.partition("\t") for entry in tree.git("ls-tree", "-r", BRANCH).splitlines())}
    if ours - modes.keys():
        raise Error(f"a commit takes {min(ours - modes.keys())} away, which the series adds: squash the two")
    for path in ours:
        here(path).parent.mkdir(parents=True, exist_ok=True)
        here(path).write_bytes(tree.show(BRANCH, path))
        here(path).chmod(modes[path] & 0o777)
    place, number = None, 0
    for commit in commits:
        message = tree.git("log", "-1", "--format=%B", commit).strip() + "\n"
        subject = message.splitlines()[0]
        was = known.pop(subject, None)
        # What is new belongs to the series that it stands in.
        if was and was.parent != place:
            if place and was.parent < place:
                raise Error(f"{name_of(was)} stands behind commits of {place.name}: move the commit, or the folder")
            place, number = was.parent, 0
        if not place:
            raise Error(f"\"{subject}\" is in front of all series: which one is it of? "
                        "Make a folder for it with its message")
        number += 1
        name = was.name.partition("-")[2] if was else slug(subject)
        folder = place / f"{number:02d}-{name}"
        if was != folder:
            if was:
                was.rename(folder)
            else:
                folder.mkdir()
        (folder / "message").write_text(message)

        parent = commit + "~"
        added = tree.git("diff-tree", "-r", "--no-commit-id", "--name-only", "--diff-filter=A",
                         commit).splitlines()
        keep(folder / "files", "".join(f"{path}\n" for path in sorted(added)))
        with tempfile.TemporaryDirectory() as scratch:
            index = Index(tree, parent, scratch)
            apply_drops(tree, index, parent, folder)
            dropped = index.write()
        diff = tree.git("diff-tree", "-r", "--name-only", "--diff-filter=a", dropped, commit).splitlines()
        for name, paths in (("edits.diff", set(diff) - ours), ("grows.diff", set(diff) & ours)):
            edits = tree.git("diff", "-U1", "--no-renames", "--no-ext-diff", dropped, commit, "--",
                             *sorted(paths)) if paths else ""
            keep(folder / name, re.sub(r"^index .*\n", "", edits, flags=re.M))
    for folder in known.values():
        print(f"refresh: no commit has the subject of {name_of(folder)}: delete the folder?")
    tree.git("update-ref", APPLIED, BRANCH)
    print(f"refresh: {len(commits)} commits")


def sets(tree):
    commits = tree.git("rev-list", "--reverse", f"{BASE}..{BRANCH}").split()
    parent = tree.rev(BASE)
    if len(commits) != len(folders()):
        raise Error(f"{tree.path} has {len(commits)} commits, series/ {len(folders())}: make refresh")
    for place, pairs in itertools.groupby(zip(folders(), commits), lambda pair: pair[0].parent):
        *_, (_, last) = pairs
        print(place.name, parent, last)
        parent = last


def main():
    commands = {"apply": apply, "refresh": refresh, "sets": sets}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    try:
        commands[sys.argv[1]](Tree(sys.argv[2]))
    except Error as error:
        sys.exit(f"series: {error}")


if __name__ == "__main__":
    main()
