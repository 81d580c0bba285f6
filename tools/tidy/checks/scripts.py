"""A script can be run and stops at its first failure: executable with a first line that names
bash, `set -euo pipefail`, and a syntax that bash accepts. A file meant for sourcing has neither
mode nor first line.
"""

import os
import subprocess

from tree import Finding

NAME = "scripts"
STRICT = "set -euo pipefail"


def findings(tree):
    for file in tree.files:
        if file.is_data or not file.is_shell:
            continue
        done = subprocess.run(["bash", "-n", str(file.absolute)], capture_output=True, text=True)
        if done.returncode:
            first_complaint = done.stderr.strip().splitlines()[0]
            yield Finding(file.path, 1, f"bash cannot read it: {first_complaint}")
        has_first_line = file.lines[0].startswith("#!")
        is_executable = os.access(file.absolute, os.X_OK)
        if has_first_line != is_executable:
            yield Finding(file.path, 1,
                          "a script is executable and begins with #!; a sourced file neither")
        if has_first_line and STRICT not in file.lines:
            yield Finding(file.path, 1, f"a script says `{STRICT}`")
