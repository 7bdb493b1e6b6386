# SPDX-License-Identifier: GPL-2.0
"""What commands leave behind in the lab for report.py, with the commit that it is of."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def commit():
    """This repository's, as git describes it."""
    return subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True,
                          check=False).stdout.strip() or "a copy without history"


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
