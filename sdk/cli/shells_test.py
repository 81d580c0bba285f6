"""Completion in the shells themselves: each runs on a terminal of its own, and what is typed there
is completed with what a running cluster has."""

import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cluster"))

from local_cluster import PATIENCE_SECONDS, PROGRAMS, LocalCluster  # noqa: E402

# Colours, moves of the cursor, titles: all that a terminal does not show.
CONTROLS = re.compile(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][0-9A-B]"
                      r"|\x1b[=>]|[\x00-\x08\x0e-\x1a]")
ROWS, COLUMNS = 50, 200
READY = "the shell is ready"


class Terminal:
    """A shell, as one sees it who types."""

    def __init__(self, command, environment, folder):
        self.raw, self.shown = "", ""
        self.process, self.main = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def type(self, text):
        os.write(self.main, text.encode())

    def wait_for(self, text):
        """Until it is shown; gives all that was shown since the last time."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            if time.monotonic() > end:
                raise AssertionError(f"'{text}' was never shown, but: {self.shown}")
            if not select.select([self.main], [], [], 0.1)[0]:
                continue
            try:
                more = os.read(self.main, 65536).decode(errors="replace")
            except OSError as gone:
                raise AssertionError(f"the shell ended: {self.shown}") from gone
            # A sequence may come in two parts: only all together is looked through.
            self.raw += more
            self.shown = CONTROLS.sub("", self.raw)
        seen, self.shown, self.raw = self.shown, "", ""
        return seen

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.main)


class InAShell:
    """The cases that each shell below has."""

    command = ()
    # What loads the completion.
    loading = ""

    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.home = tempfile.mkdtemp(prefix="millrace-home-")
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.environment = {
            **{name: value for name, value in os.environ.items() if name != "HISTFILE"},
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": cls.home,
            "XDG_CONFIG_HOME": f"{cls.home}/config",
            "XDG_DATA_HOME": f"{cls.home}/data",
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "MILLRACE_BOOTSTRAP": ",".join(f"{host}:{port}" for host, port in
                                           cls.cluster.bootstrap),
        }
        for topic in ("orders-of-alice", "paid-in-cash", "paid-by-card"):
            cls.millrace("topic", "create", topic)
        cls.millrace("produce", "orders-of-alice", "-q", text="x\n")
        cls.millrace("consume", "orders-of-alice", "--group", "billing-of-2026", "--from", "start",
                     "--count", "1")

    @classmethod
    def millrace(cls, *arguments, text=""):
        done = subprocess.run([PROGRAMS / "millrace", *arguments], input=text, text=True,
                              capture_output=True, timeout=PATIENCE_SECONDS, check=False,
                              env=cls.environment)
        if done.returncode != 0:
            raise AssertionError(done.stderr + cls.cluster.explanation())

    def setUp(self):
        self.terminal = Terminal(self.command, self.environment, self.home)
        self.addCleanup(self.terminal.close)
        # In two halves: what is typed is shown, too.
        half = len(READY) // 2
        self.terminal.type(f"{self.loading}; printf '%s%s\\n' '{READY[:half]}' '{READY[half:]}'\r")
        self.terminal.wait_for(READY)

    def test_a_topic_is_completed_and_the_line_runs(self):
        self.terminal.type("millrace topic describe orde\t")
        self.terminal.wait_for("orders-of-alice")
        self.terminal.type("\r")
        self.terminal.wait_for("topic orders-of-alice: 1 partition")

    def test_a_group_is_completed_and_the_line_runs(self):
        self.terminal.type("millrace group describe bil\t")
        self.terminal.wait_for("billing-of-2026")
        self.terminal.type("\r")
        self.terminal.wait_for("billing-of-2026  empty")

    def test_a_broker_is_completed(self):
        self.terminal.type("millrace config list broker \t")
        self.terminal.type("--all -o tsv\r")
        self.terminal.wait_for("num.recovery.threads.per.data.dir")

    def test_names_of_commands_and_options_are_completed(self):
        self.terminal.type("millrace top\t")
        self.terminal.wait_for("topic")
        self.terminal.type("lis\t--inter\t\r")
        self.terminal.wait_for("__consumer_offsets")

    def test_all_that_it_may_be_is_listed(self):
        self.terminal.type("millrace topic describe paid-\t\t")
        shown = self.terminal.wait_for("paid-in-cash")
        if "paid-by-card" not in shown:
            self.terminal.wait_for("paid-by-card")

    def test_files_are_completed_where_they_are_wanted(self):
        pathlib.Path(self.home, "a-file-of-mine").write_text("nothing", encoding="utf-8")
        self.terminal.type("millrace log dump a-fi\t")
        self.terminal.wait_for("a-file-of-mine")


class InBash(InAShell, unittest.TestCase):
    command = ("bash", "--norc", "--noprofile", "-i")
    loading = "source <(millrace completion bash)"


class InZsh(InAShell, unittest.TestCase):
    command = ("zsh", "-f", "-i")
    loading = "autoload -Uz compinit; compinit -u; source <(millrace completion zsh)"


class InFish(InAShell, unittest.TestCase):
    command = ("fish", "--no-config", "-i")
    loading = "millrace completion fish | source"


if __name__ == "__main__":
    unittest.main()
