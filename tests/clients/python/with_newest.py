"""Runs a Python script with the newest clients instead of Debian's: with_newest.py SCRIPT..."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import packages  # noqa: E402  (its folder had to be named first)

if __name__ == "__main__":
    program = os.fspath(packages.python())
    os.execv(program, [program, *sys.argv[1:]])
