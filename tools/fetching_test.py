"""What cannot be fetched is told apart: a registry or mirror that does not answer is left out of
`.ci/run`, and everything else that goes wrong there counts as a failure."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLIENTS = pathlib.Path("tests/clients")
UNREACHABLE, BROKEN = 75, 1

sys.path.insert(0, str(ROOT / CLIENTS / "common"))

import registries  # noqa: E402


class Fetching(unittest.TestCase):
    """A tree of its own, and commands before all others."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name, "tree")
        self.commands = pathlib.Path(folder.name, "commands")
        self.commands.mkdir()
        self.path = f"{self.commands}:{os.environ['PATH']}"

    def copy(self, *names):
        for name in names:
            target = self.tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)

    def script(self, path, *lines, interpreter="/bin/sh"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{interpreter}\n" + "\n".join(lines) + "\n")
        path.chmod(0o755)

    def command(self, name, *lines):
        self.script(self.commands / name, *lines)

    def run_here(self, *words):
        return subprocess.run(words, cwd=self.tree, env=dict(os.environ, PATH=self.path),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)


class PackagesTest(Fetching):

    def setUp(self):
        super().setUp()
        shutil.copytree(ROOT / CLIENTS, self.tree / CLIENTS)
        self.copy("tests/cluster/ports.py")

    def manager(self, name, question, answers):
        """A package manager that can install nothing, and is asked whether anybody is there."""
        self.command(name, 'case "$*" in', '  *GOVERSION*) echo go1.23.0 ;;',
                     f'  *"{question}"*) exit {0 if answers else 1} ;;', "  *) exit 1 ;;", "esac")

    def install(self, *names):
        return self.run_here(sys.executable, str(CLIENTS / "common/packages.py"), *names)

    def test_what_cannot_be_installed_is_a_failure_where_the_registry_answers(self):
        for name, manager, question in (("java", "mvn", "validate"), ("kafkajs", "npm", "ping"),
                                        ("franz-go", "go", "list -m"), ("sarama", "go", "list -m")):
            with self.subTest(name=name):
                self.manager(manager, question, answers=True)
                done = self.install(name)
                self.assertEqual(done.returncode, BROKEN, done.stderr)
                self.assertIn(f"{name} cannot be installed", done.stderr)
                self.manager(manager, question, answers=False)
                done = self.install(name)
                self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
                self.assertIn(f"the registry of {name} does not answer", done.stderr)

    def test_a_failure_counts_beside_a_registry_that_does_not_answer(self):
        self.manager("mvn", "validate", answers=False)
        self.manager("npm", "ping", answers=True)
        for names in (("java", "kafkajs"), ("kafkajs", "java")):
            done = self.install(*names)
            self.assertEqual(done.returncode, BROKEN, done.stderr)
            self.assertIn("the registry of java does not answer", done.stderr)

    def test_what_can_be_installed_asks_nobody(self):
        self.command("npm", 'case "$*" in', '  *ping*) touch "$0.asked"; exit 1 ;;', "esac")
        done = self.install("kafkajs")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.commands / "npm.asked").exists())

    def test_a_client_that_nobody_knows_is_a_failure(self):
        self.assertEqual(self.install("cobol").returncode, BROKEN)


class RegistriesTest(Fetching):

    def test_pip_asks_for_one_small_package(self):
        pip = self.commands / "pip"
        self.command("pip", '[ "$1 $2" = "index versions" ]')
        self.assertTrue(registries.pip(pip))
        self.command("pip", "exit 1")
        self.assertFalse(registries.pip(pip))

    def test_one_that_is_silent_does_not_answer(self):
        with mock.patch.object(registries, "PATIENCE_SECONDS", 0.1):
            self.assertFalse(registries.answers("sleep", "60"))

    def test_a_package_manager_that_is_missing_is_no_registry_that_is_silent(self):
        self.assertTrue(registries.answers(self.commands / "nowhere"))


class DependenciesTest(Fetching):
    """./dev deps, with a package that nobody has."""

    def setUp(self):
        super().setUp()
        self.copy("tools/dev-deps", "tools/common.sh")
        (self.tree / "tools/packages.txt").write_text("[build]\nmillrace-nowhere main\n")
        self.command("sudo", 'exec "$@"')

    def status_after(self, *lines):
        self.command("apt-get", *lines)
        return self.run_here("tools/dev-deps").returncode

    def test_a_mirror_that_does_not_answer_is_told_by_apt(self):
        self.assertEqual(self.status_after(
            'echo "E: Failed to fetch mirror/Packages  Could not resolve" >&2', "exit 100"),
            UNREACHABLE)

    def test_an_update_without_its_lists_explains_what_is_not_found_later(self):
        self.assertEqual(self.status_after(
            'case "$*" in',
            '  *update*) echo "W: Some index files failed to download." >&2 ;;',
            '  *) echo "E: Unable to locate package millrace-nowhere" >&2; exit 100 ;;',
            "esac"), UNREACHABLE)

    def test_a_package_that_the_mirror_has_not_is_a_failure(self):
        self.assertEqual(self.status_after(
            'case "$*" in',
            '  *install*) echo "E: Unable to locate package millrace-nowhere" >&2; exit 100 ;;',
            "esac"), BROKEN)

    def test_one_that_is_not_there_afterwards_is_a_failure(self):
        self.assertEqual(self.status_after("exit 0"), BROKEN)

    def test_what_apt_says_is_still_to_be_read(self):
        self.command("apt-get", 'echo "of $*"; echo "E: broken" >&2; exit 100')
        done = self.run_here("tools/dev-deps")
        self.assertIn("update", done.stdout)
        self.assertIn("E: broken", done.stderr)
        self.assertIn("error: apt-get update failed", done.stderr)


class RunTest(Fetching):
    """.ci/run, whose phases have ten cases each."""

    def setUp(self):
        super().setUp()
        self.copy(".ci/run")
        self.script(self.tree / "dev", 'echo "dev $*" >>phases', 'echo "10 passed, 0 failed"')

    def run_ci(self, *words, dependencies=0, packages=0):
        self.script(self.tree / "tools/dev-deps", f"exit {dependencies}")
        self.script(self.tree / CLIENTS / "common/packages.py", f"raise SystemExit({packages})")
        done = self.run_here("bash", ".ci/run", *words)
        return done.returncode, done.stdout

    def clients_ran(self):
        return "dev test clients" in (self.tree / "phases").read_text().splitlines()

    def test_all_that_is_fetched_is_tested(self):
        status, said = self.run_ci()
        self.assertEqual((status, said.splitlines()[-1]), (0, "40 passed, 0 failed"), said)

    def test_clients_are_not_even_fetched_where_nobody_wants_them(self):
        status, said = self.run_ci("--without-clients", dependencies=BROKEN, packages=BROKEN)
        self.assertEqual((status, said.splitlines()[-1]), (0, "30 passed, 0 failed"), said)
        self.assertFalse(self.clients_ran())

    def test_clients_are_left_out_where_nobody_answers(self):
        for who in ("dependencies", "packages"):
            status, said = self.run_ci(**{who: UNREACHABLE})
            self.assertEqual((status, said.splitlines()[-1]), (0, "30 passed, 0 failed"), said)
            self.assertRegex(said, r"test clients\s+left out: ")
            self.assertFalse(self.clients_ran())

    def test_any_other_failure_to_fetch_counts_and_the_others_are_tested(self):
        for who in ("dependencies", "packages"):
            status, said = self.run_ci(**{who: BROKEN})
            self.assertEqual((status, said.splitlines()[-1]), (1, "40 passed, 1 failed"), said)
            self.assertTrue(self.clients_ran())


if __name__ == "__main__":
    unittest.main()
