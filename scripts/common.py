# SPDX-License-Identifier: GPL-2.0
"""The lab's folders, as common.sh has them, and its environment with the tools' names, in os.environ."""

import os
import subprocess
from pathlib import Path

_said = subprocess.run(["bash", "-c", '. "$0"; export BINDGEN LLVM; exec env -0', Path(__file__).with_suffix(".sh")],
                       check=True, stdout=subprocess.PIPE, text=True, errors="surrogateescape").stdout
os.environ |= dict(variable.split("=", 1) for variable in _said.split("\0") if variable)
PLACE = {name: Path(os.environ[name]) for name in ("CACHE", "LAB", "BASE", "LOGS")}
