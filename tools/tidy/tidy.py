"""Checks the house rules over the whole tree. `./dev tidy` runs it.

Usage: tidy.py [--root FOLDER] [--totals FILE] [--only CHECK]... [--list]
Prints `file:line: message [check]` for each finding. Warnings do not fail. An exception from a
rule is a line of tools/tidy/exceptions.txt, with its reason; one that excepts nothing any more is
a finding itself.
"""

import argparse
import fnmatch
import pathlib
import sys

from checks import (cmake_sources, console_output, dead_files, doc_links, file_length, file_order,
                    formatting, function_length, headers, layering, line_length, machine_leaks,
                    naming, readmes, scripts, third_party_headers, unfinished_words, unit_tests,
                    using_namespace)
from tree import Finding, Tree

CHECKS = [formatting, file_order, third_party_headers, layering, naming, line_length, file_length,
          function_length, headers, using_namespace, console_output, unfinished_words, unit_tests,
          cmake_sources, dead_files, readmes, doc_links, scripts, machine_leaks]
EXCEPTIONS = "tools/tidy/exceptions.txt"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Exceptions:
    """Who may break which rule, and whether anybody still does."""

    def __init__(self, tree):
        self.entries = []  # [line number, check, pattern, used]
        self.broken = []
        file = tree.by_path.get(EXCEPTIONS)
        for number, line in enumerate(file.lines if file else [], 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split(maxsplit=2)
            if len(fields) < 3:
                self.broken.append(Finding(EXCEPTIONS, number, "an exception needs a reason"))
            else:
                self.entries.append([number, fields[0], fields[1], False])

    def cover(self, check, finding):
        for entry in self.entries:
            if entry[1] == check and fnmatch.fnmatchcase(finding.path, entry[2]):
                entry[3] = True
                return True
        return False

    def findings(self, checks_run):
        yield from self.broken
        for number, check, pattern, used in self.entries:
            if not used and check in checks_run:
                yield Finding(EXCEPTIONS, number,
                              f"{pattern} keeps the rule {check}: drop the line")


def print_findings(name, findings):
    """Prints them in the order of the tree; returns how many are errors."""
    for finding in sorted(findings, key=lambda found: (found.path, found.line)):
        level = "warning: " if finding.is_warning else ""
        print(f"{finding.path}:{finding.line}: {level}{finding.message} [{name}]")
    return sum(not finding.is_warning for finding in findings)


def run_checks(tree, checks):
    """Returns (checks that passed, checks that failed)."""
    exceptions = Exceptions(tree)
    passed = failed = 0
    for check in checks:
        found = [finding for finding in check.findings(tree)
                 if not exceptions.cover(check.NAME, finding)]
        if print_findings(check.NAME, found):
            failed += 1
        else:
            passed += 1
    if print_findings("exceptions", list(exceptions.findings({check.NAME for check in checks}))):
        failed += 1
    else:
        passed += 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser(prog="./dev tidy")
    parser.add_argument("--root", default=ROOT)
    parser.add_argument("--totals")
    parser.add_argument("--only", action="append", choices=[check.NAME for check in CHECKS])
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    checks = [check for check in CHECKS if not arguments.only or check.NAME in arguments.only]
    if arguments.list:
        for check in checks:
            rule = " ".join(check.__doc__.partition("\n\n")[0].split())
            print(f"{check.NAME:20} {rule}")
        return
    passed, failed = run_checks(Tree(arguments.root), checks)
    if arguments.totals:
        pathlib.Path(arguments.totals).write_text(f"{passed} {failed}\n")
    print(f"== tidy: {passed} of {passed + failed} checks are clean")
    if failed:
        print("next:  mend what is named above, or argue for a line in tools/tidy/exceptions.txt")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
