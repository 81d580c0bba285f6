"""A cluster that `millrace local` runs, with real processes, for one test."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("MILLRACE_PROGRAMS", ROOT / "build/release/bin"))
# How long to wait for what must happen: nothing is said about how fast it has to be.
PATIENCE_SECONDS = 180


def wait_until(holds, message):
    """Looks again and again; a test never waits for a time that it expects."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError(message)


class LocalCluster:
    """Starts in a directory of its own; ends, and takes the directory with it, in close()."""

    def __init__(self, *arguments, environment=None, under=()):
        """environment: variables that are set for it. under: words before its command line, of
        programs that become it by exec()."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-cluster-"))
        self.port = free_port()
        self.arguments = arguments
        self.environment = dict(os.environ, **(environment or {}))
        self.under = under
        self.process = None
        self.errors = []
        self.bootstrap = None
        self.start_seconds = None

    def start(self):
        """Returns when the ready line has come."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [*self.under, PROGRAMS / "millrace", "local", "--data", self.directory / "data",
             "--port", str(self.port), *self.arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        threading.Thread(target=self.read_errors, args=[self.process], daemon=True).start()
        # One that never becomes ready ends, and with it the line that is waited for.
        patience = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        patience.start()
        line = self.process.stdout.readline()
        patience.cancel()
        ready = re.fullmatch(r"ready bootstrap=(\S+)\n", line)
        if not ready:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no ready line but '{line}'\n" + self.explanation())
        self.start_seconds = time.monotonic() - began
        self.bootstrap = [
            (host, int(port)) for host, _, port in
            (address.partition(":") for address in ready[1].split(","))]
        return self

    def read_errors(self, process):
        with process.stderr:
            for line in process.stderr:
                self.errors.append(line)

    def explanation(self):
        """What the processes said, for the message of a failure."""
        said = "".join(self.errors[-50:])
        for log in sorted((self.directory / "data/logs").glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            said += f"--- {log.name}\n" + "\n".join(lines) + "\n"
        return said

    def log_of(self, service):
        """All that the processes of the service have written."""
        logs = sorted((self.directory / "data/logs").glob(f"{service}*.log"))
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs)

    def stop(self):
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()
        return status

    def kill_all(self):
        """kill -9 of `millrace local`, with which its processes die."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def process_of(self, service):
        """The number of the running process of millrace-SERVICE; none while there is none."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text(encoding="utf-8").split():
            try:
                words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].decode().endswith(f"/millrace-{service}"):
                return int(child)
        return None

    def wait_for(self, service, other_than=None):
        """The number of the process, once there is one (other than that)."""
        wait_until(lambda: self.process_of(service) not in (None, other_than),
                   f"millrace-{service} does not run\n")
        return self.process_of(service)

    def end(self, service):
        """kill -9; returns when the process is gone, whether or not another has come. Gives its
        number."""
        victim = self.wait_for(service)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: self.process_of(service) != victim,
                   f"millrace-{service}, process {victim}, did not die of kill -9\n")
        return victim

    def kill(self, service):
        """kill -9; returns when another process has taken its place."""
        self.wait_for(service, other_than=self.end(service))

    def close(self, keep=False):
        """Ends it, whatever it does. keep: its directory stays, for a look."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.process.stdout.close()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
