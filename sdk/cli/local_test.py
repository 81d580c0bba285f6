"""`millrace local` with stand-ins for the services: start, restart, stop, and what goes wrong."""

import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(SOURCE.parents[1] / "tests/cluster"))

from ports import free_port  # noqa: E402  (its folder had to be named first)

PROGRAM = pathlib.Path(os.environ["MILLRACE_PROGRAM"])
PATIENCE_SECONDS = 60


def is_alive(process):
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


class LocalTest(unittest.TestCase):

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-local-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.programs = self.directory / "bin"
        self.programs.mkdir()
        # A copy: the program looks for the others beside itself, wherever links point.
        shutil.copy(PROGRAM, self.programs / "millrace")
        for service in ("controller", "broker", "coordinator"):
            (self.programs / f"millrace-{service}").symlink_to(SOURCE / "stand_in.py")
        self.data = self.directory / "data"
        self.port = free_port()

    def start(self, *arguments, errors_to=subprocess.PIPE):
        process = subprocess.Popen(
            [self.programs / "millrace", "local", "--data", self.data, "--port", str(self.port),
             *arguments],
            stdout=subprocess.PIPE, stderr=errors_to, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def ready(self, *arguments):
        process = self.start(*arguments)
        self.assertRegex(process.stdout.readline(), r"^ready bootstrap=127\.0\.0\.1:\d+")
        return process

    def stop(self, process, signal_number=signal.SIGTERM):
        process.send_signal(signal_number)
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(output, "", "only the ready line is printed")
        return errors

    def events(self, what=""):
        path = self.data / "events.txt"
        if not path.exists():
            return []
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        return [(name, int(process)) for name, event, process in lines if event == what]

    def wait_until(self, holds, message):
        for _ in range(PATIENCE_SECONDS * 100):
            if holds():
                return
            time.sleep(0.01)
        self.fail(message)

    def process_of(self, name):
        return [process for who, process in self.events("starts") if who == name][-1]

    def test_says_ready_once_and_stops_in_order(self):
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=signal_number):
                shutil.rmtree(self.data, ignore_errors=True)
                process = self.ready()
                errors = self.stop(process, signal_number)
                self.assertEqual(process.returncode, 0, errors)
                self.assertEqual([name for name, _ in self.events("stops")],
                                 ["coordinator-1", "broker-1", "controller-1"])

    def test_says_ready_and_why_not_in_the_format_that_is_asked_for(self):
        for form, line in (("json", f'{{"bootstrap":"127.0.0.1:{self.port}"}}'),
                           ("tsv", "bootstrap")):
            process = self.start("-o", form)
            self.assertEqual(process.stdout.readline(), line + "\n")
            if form == "tsv":
                self.assertEqual(process.stdout.readline(), f"127.0.0.1:{self.port}\n")
            self.stop(process)
        process = self.start("-o", "json", "--set", "stand.in.broker-1=fail")
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(json.loads(output)["error"]["code"], "LOCAL")
        self.assertIn("broker-1", json.loads(output)["error"]["message"])

    def test_starts_as_many_as_asked(self):
        self.port = free_port(2)
        process = self.start("--brokers", "2", "--controllers", "3", "--set", "stand.in.brokers=2")
        self.assertEqual(process.stdout.readline(),
                         f"ready bootstrap=127.0.0.1:{self.port},127.0.0.1:{self.port + 1}\n")
        self.assertEqual(sorted({name for name, _ in self.events("starts")}),
                         ["broker-1", "broker-2", "controller-1", "controller-2", "controller-3",
                          "coordinator-1", "coordinator-2"])
        self.stop(process)
        self.assertEqual([name[:-2] for name, _ in self.events("stops")],
                         ["coordinator"] * 2 + ["broker"] * 2 + ["controller"] * 3)

    def test_starts_a_child_again_that_died_and_says_so(self):
        process = self.ready()
        for round_number in range(3):
            for name in ("controller-1", "broker-1", "coordinator-1"):
                before = len(self.events("starts"))
                os.kill(self.process_of(name), signal.SIGKILL)
                self.wait_until(lambda count=before: len(self.events("starts")) > count,
                                f"{name} was not started again in round {round_number}")
        errors = self.stop(process)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("broker-1 ended with signal 9 (Killed); it is started again in 50 ms", errors)

    def test_goes_on_trying_while_a_child_cannot_be_started_again(self):
        process = self.ready()
        program, away = self.programs / "millrace-broker", self.programs / "away"
        program.rename(away)
        before = self.process_of("broker-1")
        os.kill(before, signal.SIGKILL)
        for _ in range(2):
            self.hear(process, "millrace-broker: No such file or directory; it is started again in")
        self.assertIsNone(process.poll())
        away.rename(program)
        self.wait_until(lambda: self.process_of("broker-1") != before,
                        "the broker was not started again")
        errors = self.stop(process)
        self.assertEqual(process.returncode, 0, errors)

    def test_starts_a_child_again_that_crashes_before_all_serve(self):
        process = self.ready("--set", "stand.in.controller-1=crash-once")
        errors = self.stop(process)
        self.assertIn("controller-1 ended with signal 9", errors)
        self.assertEqual(process.returncode, 0, errors)

    def test_children_die_with_it_even_when_it_is_killed(self):
        process = self.ready()
        children = [number for _, number in self.events("starts")]
        process.kill()
        process.wait()
        self.wait_until(lambda: not any(is_alive(child) for child in children),
                        "a child outlives its parent")

    def test_starts_again_at_once_after_it_was_killed(self):
        for _ in range(5):
            process = self.ready()
            process.kill()
            process.wait()
        self.stop(self.ready())

    def test_uses_the_same_ports_with_the_same_data(self):
        self.stop(self.ready())
        first = (self.data / "controller-1/controller.properties").read_text(encoding="utf-8")
        self.stop(self.ready())
        second = (self.data / "controller-1/controller.properties").read_text(encoding="utf-8")
        self.assertEqual(first, second)

    def test_gives_up_in_a_sentence_when_a_child_cannot_start(self):
        process = self.start("--set", "stand.in.controller-1=fail")
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 78)
        self.assertEqual(output, "")
        self.assertIn("controller-1 cannot start (exit code 78): stand-in: the disk is on fire",
                      errors)
        self.assertIn("controller-1.log", errors)

    def test_refuses_a_port_in_use(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", self.port))
            listener.listen()
            process = self.start()
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 1)
        self.assertIn(f"port {self.port} is in use", errors)
        self.assertEqual(self.events("starts"), [])

    def test_refuses_data_that_another_one_uses(self):
        first = self.ready()
        self.port = free_port()
        second = self.start()
        _, errors = second.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(second.returncode, 1)
        self.assertIn("is in use by another", errors)
        self.stop(first)

    def test_refuses_to_start_without_its_programs(self):
        (self.programs / "millrace-broker").unlink()
        process = self.start()
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 1)
        self.assertIn("there is no program", errors)

    def hear(self, process, text):
        """Reads what it says until a line has the text."""
        if not any(text in line for line in process.stderr):
            self.fail(f"it does not say '{text}'")

    def start_to_stop(self, how):
        """A process that is stopping, and has not yet stopped its broker."""
        process = self.ready("--set", f"stand.in.broker-1={how}")
        process.send_signal(signal.SIGTERM)
        self.wait_until(lambda: ("coordinator-1", self.process_of("coordinator-1")) in
                        self.events("stops"), "the coordinator was not stopped")
        return process

    def test_kills_what_hangs_when_it_is_interrupted_twice_while_it_stops(self):
        process = self.start_to_stop("hang")
        process.send_signal(signal.SIGINT)
        self.hear(process, "interrupt it again")
        errors = self.stop(process, signal.SIGINT)
        self.assertIn("broker-1 ended with signal 9", errors)
        self.assertEqual(process.returncode, 1)

    def test_goes_on_stopping_when_it_is_asked_again(self):
        process = self.start_to_stop("slow")
        process.send_signal(signal.SIGTERM)
        self.hear(process, "stopping already")
        for signal_number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(signal_number)
        (self.data / "broker-1/may-stop").touch()
        process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 0)
        self.assertEqual([name for name, _ in self.events("stops")],
                         ["coordinator-1", "broker-1", "controller-1"])

    def test_stops_children_that_stand_still(self):
        process = self.ready()
        for name in ("controller-1", "broker-1", "coordinator-1"):
            os.kill(self.process_of(name), signal.SIGSTOP)
        errors = self.stop(process)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual([name for name, _ in self.events("stops")],
                         ["coordinator-1", "broker-1", "controller-1"])

    def test_shows_warnings_without_end_only_in_the_log(self):
        process = self.ready("--set", "stand.in.coordinator-1=chatty")
        log = self.data / "logs/coordinator-1.log"
        # Those of its start are not shown; it is chatty each time that it starts.
        os.kill(self.process_of("coordinator-1"), signal.SIGKILL)
        self.wait_until(lambda: log.read_text(encoding="utf-8").count("warning 499") == 2,
                        "the log lacks lines")
        errors = self.stop(process)
        self.assertEqual(errors.count("stand-in: warning 3\n"), 1)
        self.assertIn("for more see", errors)
        self.assertLess(errors.count("warning stand-in"), 40)
        self.assertNotIn("started with", errors, "what is no warning stays in the log")

    def test_can_be_stopped_while_it_waits_for_a_broker(self):
        process = self.start("--set", "stand.in.broker-1=deaf")
        self.wait_until(lambda: any(name == "broker-1" for name, _ in self.events("starts")),
                        "no broker was started")
        errors = self.stop(process)
        self.assertIn("stopping", errors)

    def test_shows_its_status_in_one_row_of_a_narrow_terminal(self):
        main, terminal = pty.openpty()
        self.addCleanup(os.close, main)
        columns = 20
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = self.start("--status", errors_to=terminal)
        os.close(terminal)
        shown, end = b"", time.monotonic() + PATIENCE_SECONDS
        while shown.count(b"up ") < 3 and time.monotonic() < end:
            if select.select([main], [], [], 0.1)[0]:
                shown += os.read(main, 4096)
        rows = [row for row in shown.replace(b"\n", b"\r").replace(b"\x1b[K", b"").split(b"\r")
                if row.startswith(b"up ")]
        self.assertTrue(rows, shown)
        for row in rows:
            self.assertLess(len(row), columns)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)


if __name__ == "__main__":
    unittest.main()
