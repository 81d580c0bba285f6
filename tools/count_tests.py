"""Counts what a run of ctest did, case by case, and says what failed.

Usage: count_tests.py BUILD_FOLDER RESULTS_FOLDER. RESULTS_FOLDER holds junit.xml from ctest and
one NAME.json from each test program labelled gtest or python; any other test (a fuzz smoke) counts
as one. A skipped case counts as failed unless tests/allowed-skips.txt names it with a reason.
Writes "PASSED FAILED" to RESULTS_FOLDER/totals.
"""

import fnmatch
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALLOWED_SKIPS = ROOT / "tests" / "allowed-skips.txt"


def allowed_skips():
    """Returns {pattern: reason}. A line is a pattern over Suite.case, then the reason."""
    allowed = {}
    if not ALLOWED_SKIPS.exists():
        return allowed
    for number, line in enumerate(ALLOWED_SKIPS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.partition(" ")
        if not reason.strip():
            sys.exit(f"{ALLOWED_SKIPS.relative_to(ROOT)}:{number}: {pattern} has no reason")
        allowed[pattern] = reason.strip()
    return allowed


def labels_of(build_folder):
    """Returns {test name: set of its labels}, as ctest knows them."""
    shown = subprocess.run(["ctest", "--test-dir", build_folder, "--show-only=json-v1"],
                           check=True, capture_output=True, text=True)
    labels = {}
    for test in json.loads(shown.stdout)["tests"]:
        properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
        labels[test["name"]] = set(properties.get("LABELS", []))
    return labels


def outcome_of_case(case):
    if case.get("failures"):
        return "failed"
    if case.get("result") == "COMPLETED":
        return "passed"
    return "skipped"  # SKIPPED by itself, or SUPPRESSED because its name says DISABLED_


def cases_of_report(report):
    """Yields (full name, outcome) for each case of a Google Test report."""
    for suite in report.get("testsuites", []):
        for case in suite.get("testsuite", []):
            name = f"{case['classname']}.{case['name']}"
            if "value_param" in case:
                name += f" ({case['value_param']})"
            yield name, outcome_of_case(case)


def cases_of_program(name, status, reports_cases, results_folder):
    """Yields (full name, outcome) for each case of one test program."""
    ended_well = status == "run"
    if not reports_cases:
        yield name, {"run": "passed", "disabled": "skipped"}.get(status, "failed")
        return
    path = results_folder / f"{name}.json"
    try:
        cases = list(cases_of_report(json.loads(path.read_text())))
    except (OSError, ValueError):
        yield f"{name} (ended as '{status}' without a complete report)", "failed"
        return
    yield from cases
    if not ended_well and not any(outcome == "failed" for _, outcome in cases):
        yield f"{name} (its cases passed, the program ended as '{status}')", "failed"


def all_cases(build_folder, results_folder):
    labels = labels_of(build_folder)
    junit = xml.etree.ElementTree.parse(results_folder / "junit.xml")
    for program in junit.iter("testcase"):
        name = program.get("name")
        reports_cases = bool(labels.get(name, set()) & {"gtest", "python"})
        yield from cases_of_program(name, program.get("status"), reports_cases, results_folder)


def reason_to_skip(name, allowed):
    return next((reason for pattern, reason in allowed.items()
                 if fnmatch.fnmatchcase(name, pattern)), None)


def main():
    build_folder, results_folder = sys.argv[1], pathlib.Path(sys.argv[2])
    allowed = allowed_skips()
    passed = failed = 0
    for name, outcome in all_cases(build_folder, results_folder):
        reason = reason_to_skip(name, allowed) if outcome == "skipped" else None
        if outcome == "passed":
            passed += 1
        elif reason is not None:
            print(f"   skipped: {name}: {reason}")
        else:
            failed += 1
            print(f"   {outcome}: {name}")
            if outcome == "skipped":
                print("      (counts as failed: tests/allowed-skips.txt does not name it)")
    (results_folder / "totals").write_text(f"{passed} {failed}\n")


if __name__ == "__main__":
    main()
