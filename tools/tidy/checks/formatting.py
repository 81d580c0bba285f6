"""C++ is formatted by clang-format, so that nobody discusses it and diffs show only meaning."""

import concurrent.futures
import re
import subprocess

from tree import Finding

NAME = "format"
FILES_PER_RUN = 16
MESSAGE = re.compile(r"^(.+?):(\d+):\d+: (?:error|warning): ")


def run_clang_format(tree, paths):
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *paths], cwd=tree.root,
                          capture_output=True, text=True)
    found = {}
    for line in done.stderr.splitlines():
        if match := MESSAGE.match(line):
            found.setdefault(match[1], int(match[2]))
    if done.returncode and not found:
        raise RuntimeError(f"clang-format-19: {done.stderr}")
    return [Finding(path, line, "not formatted: ./dev fmt") for path, line in found.items()]


def findings(tree):
    paths = [file.path for file in tree.cpp()]
    groups = [paths[i:i + FILES_PER_RUN] for i in range(0, len(paths), FILES_PER_RUN)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for found in pool.map(lambda group: run_clang_format(tree, group), groups):
            yield from found
