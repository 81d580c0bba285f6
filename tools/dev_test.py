"""./dev and what is behind it: help, suggestions, and how test cases are counted."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))

import count_tests  # noqa: E402
import slowest_steps  # noqa: E402

COMMANDS = ["deps", "build", "test", "bench", "fuzz", "fmt", "tidy", "run", "package"]


def dev(*arguments):
    return subprocess.run([str(TOOLS.parent / "dev"), *arguments], capture_output=True, text=True)


class DevTest(unittest.TestCase):

    def test_help_names_every_command(self):
        done = dev("--help")
        self.assertEqual(done.returncode, 0)
        for command in COMMANDS:
            self.assertRegex(done.stdout, rf"\n  {command} ")

    def test_every_command_has_its_own_help(self):
        for command in COMMANDS:
            done = dev(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertTrue(done.stdout.startswith(f"./dev {command}"), done.stdout)

    def test_unknown_command_suggests_the_nearest(self):
        done = dev("biuld")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("did you mean 'build'?", done.stderr)

    def test_word_far_from_every_command_gets_no_suggestion(self):
        done = dev("xylophone")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("did you mean", done.stderr)
        self.assertIn("choose one of: deps", done.stderr)

    def test_commands_to_come_say_what_works_today(self):
        done = dev("package")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("today: ./dev deps", done.stderr)

    def test_unknown_preset_and_suite_are_refused_before_any_work(self):
        self.assertIn("did you mean 'release'?", dev("build", "relaese").stderr)
        self.assertIn("did you mean 'asan'?", dev("test", "assan").stderr)

    def test_arguments_without_the_separator_are_refused(self):
        self.assertIn("come after --", dev("test", "unit", "--gtest_filter=X.*").stderr)


def report(*cases):
    """A Google Test report; a case is (name, result, failures)."""
    return {"testsuites": [{"testsuite": [
        {"classname": "Area", "name": name, "result": result,
         **({"failures": [{"failure": "text"}]} if failed else {})}
        for name, result, failed in cases]}]}


class CountingTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def outcomes(self, status, reports_cases=True, written=None):
        if written is not None:
            (self.folder / "program.json").write_text(
                written if isinstance(written, str) else json.dumps(written))
        return [outcome for _, outcome in count_tests.cases_of_program(
            "program", status, reports_cases, self.folder)]

    def test_each_case_counts(self):
        written = report(("a", "COMPLETED", False), ("b", "COMPLETED", True))
        self.assertEqual(self.outcomes("fail", written=written), ["passed", "failed"])

    def test_skipped_and_disabled_cases_are_skipped(self):
        written = report(("a", "SKIPPED", False), ("DISABLED_b", "SUPPRESSED", False))
        self.assertEqual(self.outcomes("run", written=written), ["skipped", "skipped"])

    def test_program_that_crashed_without_a_report_failed(self):
        self.assertEqual(self.outcomes("fail"), ["failed"])

    def test_program_that_ended_well_without_a_report_failed(self):
        self.assertEqual(self.outcomes("run"), ["failed"])

    def test_half_written_report_failed(self):
        self.assertEqual(self.outcomes("run", written='{"testsuites": ['), ["failed"])

    def test_leak_found_after_the_last_case_failed(self):
        written = report(("a", "COMPLETED", False))
        self.assertEqual(self.outcomes("fail", written=written), ["passed", "failed"])

    def test_program_without_cases_counts_as_one(self):
        self.assertEqual(self.outcomes("run", reports_cases=False), ["passed"])
        self.assertEqual(self.outcomes("fail", reports_cases=False), ["failed"])
        self.assertEqual(self.outcomes("notrun", reports_cases=False), ["failed"])
        self.assertEqual(self.outcomes("disabled", reports_cases=False), ["skipped"])

    def test_skip_needs_a_line_with_a_reason(self):
        allowed = {"Area.needs_*": "no such kernel here"}
        self.assertEqual(count_tests.reason_to_skip("Area.needs_ring", allowed),
                         "no such kernel here")
        self.assertIsNone(count_tests.reason_to_skip("Area.other", allowed))


class SlowestStepsTest(unittest.TestCase):

    def test_only_the_steps_of_this_build_are_shown_slowest_first(self):
        with tempfile.TemporaryDirectory() as folder:
            before, after = pathlib.Path(folder, "before"), pathlib.Path(folder, "after")
            old = "# ninja log v5\n0\t9000\t1\told.o\tabc\n"
            before.write_text(old)
            after.write_text(old + "0\t1500\t2\ta.o\tdef\n0\t1500\t2\ta.pcm\tdef\n"
                             "10\t4010\t2\tb.o\t123\n")
            self.assertEqual(slowest_steps.steps(before, after), [(4.0, "b.o"), (1.5, "a.o")])

    def test_first_build_has_no_log_before(self):
        with tempfile.TemporaryDirectory() as folder:
            after = pathlib.Path(folder, "after")
            after.write_text("0\t1500\t2\ta.o\tdef\n")
            self.assertEqual(slowest_steps.steps(pathlib.Path(folder, "none"), after),
                             [(1.5, "a.o")])


if __name__ == "__main__":
    unittest.main()
