"""Runs one file of unittest cases and leaves its counts where tools/count_tests.py finds them.

Usage: python_test.py NAME SCRIPT. The result file NAME.json goes into $MILLRACE_TEST_RESULTS, in
the form that Google Test writes; without that variable nothing is written.
"""

import json
import os
import pathlib
import runpy
import sys
import unittest


class CountingResult(unittest.TextTestResult):
    """Remembers for every case how it ended."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.outcomes = {}

    def startTest(self, test):
        super().startTest(test)
        self.outcomes[test.id()] = "COMPLETED"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[test.id()] = "SKIPPED"

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.outcomes[test.id()] = "FAILED"

    def addError(self, test, err):
        super().addError(test, err)
        self.outcomes[test.id()] = "FAILED"

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcomes[test.id()] = "FAILED"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = "FAILED"


def write_results(name, outcomes):
    folder = os.environ.get("MILLRACE_TEST_RESULTS")
    if not folder:
        return
    cases = []
    for identifier, outcome in outcomes.items():
        suite, _, case = identifier.rpartition(".")
        entry = {"classname": suite, "name": case, "status": "RUN", "result": outcome}
        if outcome == "FAILED":
            entry |= {"result": "COMPLETED", "failures": [{"failure": "see the output"}]}
        cases.append(entry)
    report = {"name": name, "testsuites": [{"name": name, "testsuite": cases}]}
    pathlib.Path(folder, f"{name}.json").write_text(json.dumps(report))


def main():
    name, script = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    sys.path.insert(0, str(script.parent))
    namespace = runpy.run_path(str(script), run_name=script.stem)
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(
        loader.loadTestsFromTestCase(thing) for thing in namespace.values()
        if isinstance(thing, type) and issubclass(thing, unittest.TestCase))
    result = unittest.TextTestRunner(resultclass=CountingResult, verbosity=1).run(suite)
    write_results(name, result.outcomes)
    if not result.testsRun:
        print(f"{script}: no test case in it", file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
