"""Prints the ten slowest steps of the build that has just run.

Usage: slowest_steps.py LOG_BEFORE LOG_AFTER, two copies of ninja's .ninja_log. The steps of this
build are the lines that only the second has.
"""

import pathlib
import sys

SHOWN = 10
NO_STEPS = ("build.ninja", "cmake.verify_globs")  # CMake looking after itself


def lines_of(path):
    file = pathlib.Path(path)
    return set(file.read_text().splitlines()) if file.exists() else set()


def steps(before, after):
    """Returns (seconds, output) for each step, once for a step with several outputs."""
    found = {}
    for line in lines_of(after) - lines_of(before):
        fields = line.split("\t")
        if len(fields) != 5 or fields[3].endswith(NO_STEPS):
            continue
        start, end, _, output, command = fields
        key = (start, end, command)
        found[key] = min(found.get(key, output), output, key=len)
    return sorted(((int(end) - int(start)) / 1000, output)
                  for (start, end, _), output in found.items())[::-1]


def main():
    slowest = steps(sys.argv[1], sys.argv[2])[:SHOWN]
    if slowest:
        print(f"== the {len(slowest)} slowest steps")
    for seconds, output in slowest:
        print(f"{seconds:8.2f} s  {output}")


if __name__ == "__main__":
    main()
