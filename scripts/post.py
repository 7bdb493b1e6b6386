#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write each series as patches to out/, and make sure that they are fit to be sent.

usage: post.py draft               as the lab has them, marked as drafts
       post.py try   REPO BASE     whether each applies there; a line for each hunk that doesn't
       post.py post  REPO BASE [SERIES...]
                                   in the name of who posts: a branch each for b4 send

Who posts is user.name and user.email of git's configuration, and so is what they declare, guestcaps.*;
series/author is part of it. A series is put on BASE, and on the series that its file "needs" names.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import PLACE
from series import HERE, SERIES, Error, NOBODY, Tree, lines

CACHE, LAB = PLACE["CACHE"], PLACE["LAB"] / "linux"
OUT = Path(os.environ.get("POST_OUT") or HERE / "out")
AUTHOR = SERIES / "author"
# What checkpatch would say of everything, and why it need not.
IGNORED = {
    "FILE_PATH_CHANGES": "MAINTAINERS names folders, in the patch that adds the first file there",
    "CAMELCASE": "names of ID register fields are the architecture's",
    "MISSING_FIXES_TAG": "who posts has the history that says which commit it was, the lab hasn't",
}
# And of one patch.
IGNORED_OF = {
    ("KVM-arm64-Trap-the-debug-communication-channel", "SPACING"): "cp14_regs has its numbers below each other",
}
# Drafts are nobody's.
UNSIGNED = {"MISSING_SIGN_OFF": "who posts signs"}
DECLARED = ("certificate-of-origin", "assisted-by", "generated-content", "lab")
# Domains that nobody has mail at.
NOWHERE = re.compile(r"@(.*\.)?(localhost|example|invalid|test|example\.(com|net|org))$")
WIDTH = 75
B4_MARKER = "--- b4-submit-tracking ---\n# This section is used internally by b4 prep for tracking purposes.\n"
# As b4's own, but for the base-commit: that one would be the series that this one stands on.
B4_TEMPLATE = "${cover}\n\n---\n${shortlog}\n\n${diffstat}\n---\nchange-id: ${change_id}\n\nBest regards,\n-- \n${signature}\n"


def say(text):
    print(text, flush=True)


SHOWN = [time.monotonic()]


def progress(what, done, total):
    """On a terminal a line that changes; elsewhere one now and then."""
    if sys.stdout.isatty():
        print(f"\r\033[K  {what}: {done} of {total}" if done < total else "\r\033[K", end="", flush=True)
    elif time.monotonic() - SHOWN[0] > 30:
        SHOWN[0] = time.monotonic()
        say(f"  {what}: {done} of {total}")


def digest(*parts):
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part if isinstance(part, bytes) else str(part).encode())
        whole.update(b"\0")
    return whole.hexdigest()[:32]


def known(*parts):
    """A file that is there if all this was found right before."""
    seen = CACHE / "posted" / digest(*parts)
    seen.parent.mkdir(exist_ok=True)
    return seen


class Series:
    """What is posted as one: a folder of series/, and its patches as the lab has them."""

    def __init__(self, name, patches):
        self.name, self.patches = name, patches
        cover = SERIES / name / "cover"
        if not cover.is_file():
            raise Error(f"series/{name}/cover is missing: a line of subject, an empty one, and the letter")
        self.subject, _, self.letter = cover.read_text().strip().partition("\n\n")
        self.needs = lines(SERIES / name / "needs")
        changes = SERIES / name / "changes"
        self.changes = changes.read_text().strip() if changes.is_file() else ""
        self.revision = max((int(n) for n in re.findall(r"^Changes in v(\d+):", self.changes, re.M)), default=1)


def clear():
    """Takes away the series that were written before, and nothing else that is in out/."""
    for folder in OUT.glob("[0-9]*-*/"):
        shutil.rmtree(folder)


def series_of(folder):
    """All series, their patches in folder/NAME/."""
    tree, result = Tree(LAB), []
    said = subprocess.run((HERE / "scripts/series.py", "sets", LAB), stdout=subprocess.PIPE, check=False, text=True)
    if said.returncode:
        raise Error("series/ and the lab's commits differ, see above")
    for name, parent, last in map(str.split, said.stdout.splitlines()):
        tree.git("format-patch", "-q", "-o", str(folder / name), "--subject-prefix=DRAFT PATCH",
                 "--cover-letter", "--no-base", "--no-signature", "--zero-commit", f"{parent}..{last}")
        cover, *patches = sorted((folder / name).glob("*.patch"))
        one = Series(name, patches)
        cover.write_text(cover.read_text().replace("*** SUBJECT HERE ***", one.subject)
                         .replace("*** BLURB HERE ***", one.letter))
        result.append(one)
    return result


class Checkout(Tree):
    """A clone of REPO that has all commits, the lab's as well, and next to no files."""

    def __init__(self, repo, folder):
        super().__init__(folder)
        if not (Path(folder) / ".git").is_dir():
            Tree(".").git("clone", "-q", "--shared", "--no-checkout", str(repo), str(folder))
            self.git("sparse-checkout", "set")
            self.git("config", "gc.auto", "0")
        elif (Path(folder) / ".git/rebase-apply").is_dir():
            # Whoever was here was ended in the middle.
            self.git("am", "--quit")
        lab = Tree(LAB).git("rev-parse", "--path-format=absolute", "--git-path", "objects").strip()
        alternates = Path(folder) / ".git/objects/info/alternates"
        if lab not in alternates.read_text().split("\n"):
            alternates.write_text(alternates.read_text() + lab + "\n")
        self.identity(*NOBODY)
        self.tips = {}

    def identity(self, name, mail):
        for role in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": mail}

    def am(self, patches, *options):
        """Applies patches; returns what failed. What fails is left out, so that the rest is told as well."""
        failed = []
        for patch in patches:
            try:
                self.git("am", "-q", "-3", *options, str(patch))
            except Error:
                self.git("am", "--abort")
                failed += [(patch, hunk) for hunk in self.rejected(patch)]
        return failed

    def rejected(self, patch):
        paths = sorted(set(re.findall(r"^(?:---|\+\+\+) [ab]/(.*)$", patch.read_text(), re.M)))
        self.git("sparse-checkout", "add", *{str(Path(path).parent) for path in paths} - {"."})
        said = subprocess.run(("git", "-C", self.path, "apply", "--reject", "--whitespace=nowarn", patch),
                              capture_output=True, check=False, text=True, env=self.env).stderr
        for reject in Path(self.path).rglob("*.rej"):
            reject.unlink()
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"what applies of {patch.name}")
        return [re.sub("^(patch failed: )?", "", line.removeprefix("error: ")) for line in said.splitlines()
                if re.match("error: (?!while searching)", line)] or ["changes what the base changes, too"]

    def on(self, base, stack):
        """Checks out base with a stack of series on it; returns what failed in the last."""
        here = tuple(one.name for one in stack)
        if not stack:
            self.git("checkout", "-q", "-f", "--detach", base)
            return []
        if here not in self.tips:
            self.on(base, stack[:-1])
            failed = self.am(stack[-1].patches)
            self.tips[here] = self.rev("HEAD"), failed
        self.git("checkout", "-q", "-f", "--detach", self.tips[here][0])
        return self.tips[here][1]


def stack_of(one, every):
    """A series, behind those that it needs, in their order."""
    wanted, todo = set(), [one.name]
    while todo:
        name = todo.pop()
        if name not in {other.name for other in every}:
            raise Error(f"series/{one.name}/needs: there is no series {name}")
        wanted.add(name)
        todo += next(other for other in every if other.name == name).needs
    return [other for other in every if other.name in wanted]


def applies(wanted, every, repo, base, what):
    """Tries series on a base, each with what it needs. All in their order give the lab's tree."""
    tree = Tree(repo)
    commit = tree.rev(base)
    if not commit:
        raise Error(f"{base} is no commit of {repo}: name a tag or branch there")
    stacks = {one.name: stack_of(one, every) for one in wanted}
    if wanted == every:
        stacks["all"] = every
    seen = known(Path(__file__).read_bytes(), tree.git("ls-tree", commit), stacks.keys(),
                 *(patch.read_bytes() for stack in stacks.values() for one in stack for patch in one.patches))
    if seen.exists():
        say(f"  on {what}: applies, as before")
        return True
    found = False
    with tempfile.TemporaryDirectory() as scratch:
        checkout = Checkout(repo, f"{scratch}/linux")
        for number, (name, stack) in enumerate(stacks.items()):
            progress(f"on {what}", number, len(stacks))
            failed = checkout.on(commit, stack)
            for patch, hunk in failed:
                found = True
                say(f"  on {what}: {name}/{patch.stem}: {hunk}")
        progress(f"on {what}", len(stacks), len(stacks))
        lab = Tree(LAB)
        changed = lab.git("diff", "--name-only", "base", "guestcaps").splitlines()
        if not found and "all" in stacks and lab.git("ls-tree", "base", *changed) == tree.git("ls-tree", commit, *changed) and \
                lab.git("ls-tree", "guestcaps", *changed) != checkout.git("ls-tree", "HEAD", *changed):
            raise Error(f"on {what} the patches give another tree than the lab's")
    if found:
        return False
    say(f"  on {what}: applies ({len(wanted)} series, git am)")
    seen.touch()
    return True


def complaints(text, cover=False):
    """What is wrong with a message, by rules that need no reader."""
    subject, *rest = text.splitlines()
    # Code and tables stand further in than lists; they and tags have their own width.
    prose = [line for line in rest if not re.match(r" {2}\S| {4}|\t|[A-Z][a-z]+(-[a-z]+)*: |.*https?://", line)]
    if len(subject) > WIDTH:
        yield f"subject of {len(subject)} columns, {WIDTH} are right"
    if not re.match(r"(\[RFC\] )?[\w/]+: (([\w/]+): )*[A-Z].*[^.]$", subject):
        yield "subject is not \"topic: Sentence without a full stop\""
    if rest and rest[0]:
        yield "no empty line behind the subject"
    for line in rest if cover else prose:
        if len(line) > WIDTH:
            yield f"{len(line)} columns, {WIDTH} are right: {line}"
    for line in prose:
        for word in re.findall(r"(?<![\w/.])(?:I|[Ww]e|[Uu]s|[Oo]urs?|[Mm]y|[Mm]e|[Yy]ou|[Yy]ours?)(?![\w/.:])", line):
            yield f"pronoun \"{word}\": {line}"
        if re.search(r"\b(this|next|previous) (patch|commit)\b", line, re.I) and not cover:
            yield f"say what is done, in the imperative: {line}"
    for line in rest:
        if line.startswith("Signed-off-by:"):
            yield "Signed-off-by is added for who posts: take it out"
        if line.startswith("Fixes:") and not cover and not re.fullmatch(r'Fixes: [0-9a-f]{12,40} \("[^"].*"\)', line):
            yield f"not Fixes: <12 digits> (\"<subject>\"): {line}"


def messages():
    """Whether messages and covers keep to the rules."""
    found = False
    for path in sorted(SERIES.glob("*/*/message")) + sorted(SERIES.glob("*/cover")):
        for complaint in complaints(path.read_text(), path.name == "cover"):
            found = True
            say(f"  {path.relative_to(HERE)}: {complaint}")
    return not found


def checkpatch(patches, ignored):
    """checkpatch --strict has nothing to say. What it was content with it needn't see again."""
    script = LAB / "scripts/checkpatch.pl"

    def one(patch):
        here = sorted(ignored.keys() | {kind for name, kind in IGNORED_OF if patch.stem.endswith(name)})
        seen = known(script.read_bytes(), patch.read_bytes(), here)
        if seen.exists():
            return ""
        done = subprocess.run((script, "--strict", "--quiet", "--show-types", "--ignore", ",".join(here), patch),
                              cwd=LAB, stdout=subprocess.PIPE, check=False, text=True)
        if not done.returncode:
            seen.touch()
            return ""
        return f"{patch.parent.name}/{patch.name}\n{done.stdout}"

    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, said in enumerate(pool.map(one, patches)):
            progress("checkpatch", number, len(patches))
            found += [said] if said else []
    progress("checkpatch", len(patches), len(patches))
    for said in found:
        say(said)
    return not found


def spelled():
    """codespell, with its own dictionary, on what is added, and on what is said of it. checkpatch's use of it
    takes minutes."""
    added = re.findall(r"^\+(.*)$", Tree(LAB).git("diff", "base", "guestcaps"), re.M)
    said = [path.read_text() for path in sorted(SERIES.glob("*/*/message")) + sorted(SERIES.glob("*/cover"))]
    text = "\n".join(added + said)
    seen = known(text)
    if not seen.exists():
        # crate is Rust's.
        done = subprocess.run(("codespell", "-L", "crate", "-"), input=text, stdout=subprocess.PIPE, check=False,
                              text=True)
        if done.returncode:
            say(done.stdout)
            return False
        seen.touch()
    return True


def recipients(tree, patches):
    """To whom patches go, and to which lists: [(header, address)]."""
    script = LAB / "scripts/get_maintainer.pl"
    seen = known(script.read_bytes(), (Path(tree) / "MAINTAINERS").read_bytes(), *(patch.read_bytes() for patch in patches))
    if not seen.is_file() or not seen.stat().st_size:
        part = seen.with_suffix(".part")
        part.write_text(subprocess.run(
            (script, "--no-tree", "--nogit", "--nogit-fallback", "--nogit-chief-penguins", "--norolestats", "--roles",
             *patches), cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout)
        part.rename(seen)
    found = {}
    for line in seen.read_text().splitlines():
        address, _, role = line.partition(" (")
        if address != "{} <{}>".format(*NOBODY):
            found[address] = "Cc" if "list" in role or "reviewer" in role else "To"
    return sorted(((header, address) for address, header in found.items()), reverse=True)


def draft():
    clear()
    every = series_of(OUT)
    patches = [patch for one in every for patch in one.patches]
    good = messages()
    good &= checkpatch(patches, IGNORED | UNSIGNED)
    good &= spelled()
    good &= applies(every, every, LAB, "base", "the lab's base")
    if Tree(LAB).rev("upstream"):
        good &= applies(every, every, LAB, "upstream", "upstream's release")
    else:
        say("  Not tried: upstream's release, which only make series fetches.")
    for one in every:
        (OUT / one.name / "recipients").write_text("".join(
            f"{header}: {who}\n" for header, who in recipients(LAB, one.patches)))
    if not good:
        raise Error("not fit to be sent, see above")
    for one in every:
        say(f"  {os.path.relpath(OUT / one.name)}/: {len(one.patches)} patches, \"{one.subject}\"")
    say("series: drafts, in nobody's name. make post KDIR=tree makes of them what b4 sends, in yours.")


def author(repo):
    """(name, mail, {declaration: [values]}) of who posts, or what they have yet to say."""
    config = Tree(repo)

    def values(key):
        try:
            return config.git("-c", f"include.path={AUTHOR}", "config", "--get-all", key).strip().splitlines()
        except Error:
            return []

    name, mail = (values(f"user.{key}")[-1:] or [""] for key in ("name", "email"))
    name, mail = name[0], mail[0]
    if not name or "@" not in mail or NOWHERE.search(mail):
        raise Error(f"\"{name} <{mail}>\" is nobody to post as: set user.name and user.email, in git or in series/author")
    declared = {key: values(f"guestcaps.{key}") for key in DECLARED}
    lacking = [f"guestcaps.{key}" for key, value in declared.items() if not any(value)]
    if lacking:
        raise Error(f"{name} has yet to declare {', '.join(lacking)}: series/author says what that is")
    if declared["certificate-of-origin"][-1] not in ("yes", "true"):
        raise Error("guestcaps.certificate-of-origin is not \"yes\": who can't certify it can't sign")
    return name, mail, declared


def signed(patch, text, trailers):
    """A patch in the name of who posts, in whose place NOBODY stands."""
    arguments = [word for trailer in trailers for word in ("--trailer", trailer)]
    done = subprocess.run(["git", "interpret-trailers", "--if-exists", "addIfDifferent"] + arguments,
                          input=text, capture_output=True, check=True, text=True)
    patch.write_text(done.stdout)


def base_of(repo, base):
    """A commit that others have, too."""
    tree = Tree(repo)
    commit = tree.rev(base)
    if not commit:
        raise Error(f"{base} is no commit of {repo}: name a tag or branch there")
    header = tree.git("cat-file", "commit", commit).partition("\n\n")[0]
    try:
        tree.git("describe", "--tags", "--match", "v[0-9]*", commit)
    except Error:
        header = ""
    if "\nparent " not in header:
        raise Error(f"{repo} has no history of upstream's behind {base}: a base-commit from it means nothing to "
                    "others; make series writes drafts")
    return commit


def b4(checkout, *arguments):
    # b4 wants to know how, although it only writes files.
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "sendemail.smtpserver", "GIT_CONFIG_VALUE_0": "localhost"}
    done = subprocess.run(("b4",) + arguments, cwd=checkout.path, env=os.environ | config, capture_output=True,
                          check=False, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Error(f"b4 {arguments[0]} failed: {done.stderr.strip().splitlines()[-1:]}")


def tracking_of(checkout, branch):
    """What b4 remembers of a branch."""
    try:
        message = checkout.git("log", "-1", "--format=%B", "--fixed-strings", "--grep", B4_MARKER.split("\n", 1)[0], branch)
        return json.loads(message[message.rindex("\n{"):])["series"]
    except (Error, ValueError):
        return {}


def cover_of(one, checkout, who, commit, stack):
    """What b4 calls a cover: the letter, trailers, changes, and what it keeps for itself."""
    name, mail, declared = who
    branch = f"b4/{one.name}"
    history = tracking_of(checkout, branch).get("history", {})
    if checkout.rev(f"sent/{one.name}-v{one.revision}"):
        raise Error(f"v{one.revision} of {one.name} is sent: say in series/{one.name}/changes what is new, "
                    f"below \"Changes in v{one.revision + 1}:\"")
    tail = [one.changes] if one.changes else []
    for number in range(1, one.revision):
        if f"Link to v{number}:" not in one.changes:
            if f"v{number}" not in history:
                raise Error(f"series/{one.name}/changes lacks \"- Link to v{number}: https://lore.kernel.org/r/...\"")
            tail.append(f"- Link to v{number}: https://lore.kernel.org/r/{history[f'v{number}'][-1]}")
    before = checkout.git("log", "-p", "--reverse", f"{commit}..HEAD")
    ids = checkout.git("patch-id", "--stable", data=before).split()[::2] if stack else []
    tail += [f"\nbase-commit: {commit}"] + [f"prerequisite-patch-id: {one_id}" for one_id in ids]
    trailers = [f"{header}: {address}" for header, address in recipients(checkout.path, one.patches)
                if mail not in address] + [f"Signed-off-by: {name} <{mail}>"]
    tools = "\n".join(declared["generated-content"])
    tools = "" if tools == "none" else f"\n\n{tools}"
    lab = f"\n\nThe guestcaps lab: {declared['lab'][-1]}"
    stable = digest(one.name, mail)[:12]
    tracking = {"series": {"revision": one.revision, "change-id": f"20260101-guestcaps-{one.name}-{stable}",
                           "base-branch": commit, "prefixes": []} | ({"history": history} if history else {})}
    return (f"{one.subject}\n\n{one.letter}{lab}{tools}\n\n" + "\n".join(trailers) + "\n\n---\n" + "\n".join(tail) +
            f"\n\n{B4_MARKER}{json.dumps(tracking, indent=2)}\n")


def post(repo, base, *names):
    who = author(repo)
    name, mail, declared = who
    commit = base_of(repo, base)
    clear()
    trailers = [f"Assisted-by: {tool}" for tool in declared["assisted-by"] if tool != "none"]
    trailers.append(f"Signed-off-by: {name} <{mail}>")
    clone = CACHE / f"post-{digest(Path(repo).resolve())[:12]}"
    with tempfile.TemporaryDirectory() as scratch:
        every = series_of(Path(scratch))
        for patch in (patch for one in every for patch in one.patches):
            signed(patch, patch.read_text().replace("{} <{}>".format(*NOBODY), f"{name} <{mail}>"), trailers)
        wanted = [one for one in every if not names or one.name in names]
        if set(names) - {one.name for one in wanted}:
            raise Error(f"not all of these are series: {' '.join(names)}; there are {' '.join(one.name for one in every)}")
        if not (messages() and checkpatch([patch for one in wanted for patch in one.patches], IGNORED) and
                applies(wanted, every, repo, commit, base)):
            raise Error("not fit to be sent, see above")
        checkout = Checkout(repo, str(clone))
        checkout.identity(name, mail)
        template = clone / ".git/cover-template"
        template.write_text(B4_TEMPLATE)
        for key, value in (("user.name", name), ("user.email", mail), ("b4.prep-cover-template", template)):
            checkout.git("config", key, str(value))
        for one in wanted:
            stack = stack_of(one, every)[:-1]
            if checkout.on(commit, stack):
                raise Error(f"what {one.name} stands on doesn't apply in {clone}: remove that, and try again")
            cover = cover_of(one, checkout, who, commit, stack)
            checkout.git("commit", "-q", "--allow-empty", "--no-verify", "--cleanup=verbatim", "-F", "-", data=cover)
            if failed := checkout.am(one.patches, "--ignore-date"):
                raise Error(f"{failed[0][0].name} doesn't apply in {clone}: remove that, and try again")
            checkout.git("checkout", "-q", "-B", f"b4/{one.name}")
            b4(checkout, "send", "--no-sign", "-o", str(OUT / one.name))
            say(f"  out/{one.name}/: v{one.revision}, {len(one.patches)} patches on {commit[:12]}, "
                f"signed by {name} <{mail}>")
    say(f"post: read out/, then, in {clone}: git checkout b4/SERIES; b4 send --reflect, and b4 send")


def attempt(repo, base):
    with tempfile.TemporaryDirectory() as scratch:
        every = series_of(Path(scratch))
        if not applies(every, every, repo, base, base):
            raise Error(f"the series do not apply on {base} of {repo}, see above")


def main():
    commands = {"draft": (draft, 0, 0), "try": (attempt, 2, 2), "post": (post, 2, 99)}
    command, *arguments = sys.argv[1:] or [""]
    if command not in commands or not commands[command][1] <= len(arguments) <= commands[command][2]:
        sys.exit(__doc__)
    try:
        commands[command][0](*arguments)
    except Error as error:
        sys.exit(f"{'series' if command != 'post' else 'post'}: {error}")


if __name__ == "__main__":
    main()
