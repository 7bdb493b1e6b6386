# SPDX-License-Identifier: GPL-2.0
"""What commands leave behind in the lab for report.py, with the commit that it is of."""

import hashlib
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def commit():
    """This repository's, as git describes it, and which edits there are."""
    described, edits = (subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False).stdout
                        for arguments in (("describe", "--always", "--dirty"), ("diff", "HEAD")))
    edits = f" {hashlib.sha256(edits).hexdigest()[:8]}" if edits else ""
    return described.decode().strip() + edits or "a copy without history"


def leave(lab, name, found):
    """Whole or not at all, whenever this is killed."""
    folder = lab / "report"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    part.write_text(json.dumps({"commit": commit(), "found": found}))
    part.rename(folder / f"{name}.json")


def left(lab, name):
    """(the commit, what was found), or nothing."""
    path = lab / "report" / f"{name}.json"
    if not path.is_file():
        return None, None
    said = json.loads(path.read_text())
    return said["commit"], said["found"]
