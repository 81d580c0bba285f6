"""A cluster of real processes on this machine, and what a fault does to them."""

import os
import pathlib
import signal
import subprocess
import threading
import time

READY_WAIT_S = 60
STOP_WAIT_S = 60


class Cluster:
    """`millrace local` in the foreground of this test; its children are found by their names."""

    def __init__(self, program, data, port, settings=()):
        self.data = pathlib.Path(data)
        self.output = self.data.parent / "millrace-local.log"
        command = [program, "local", "--data", str(self.data), "--port", str(port)]
        for setting in settings:
            command += ["--set", setting]
        self._errors = open(self.output, "ab")
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self.bootstrap = None
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        if not self._ready.wait(READY_WAIT_S) or self.bootstrap is None:
            self._process.kill()
            raise RuntimeError(f"no ready line within {READY_WAIT_S} s; see {self.output}")

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("ready bootstrap="):
                self.bootstrap = line.strip().removeprefix("ready bootstrap=")
                self._ready.set()
        self._ready.set()

    def pid_of(self, name):
        """The process id of `millrace-NAME` below this cluster, or None."""
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                program = os.readlink(entry / "exe")
            except OSError:
                continue
            parent = int(stat[stat.rindex(")") + 2 :].split()[1])
            state = stat[stat.rindex(")") + 2]
            if parent != self._process.pid or state == "Z":
                continue
            # A program that was built anew while it runs has this behind its name.
            program = program.removesuffix(" (deleted)")
            if os.path.basename(program) == f"millrace-{name}":
                return int(entry.name)
        return None

    def wait_for_pid(self, name, other_than=None, seconds=READY_WAIT_S):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid = self.pid_of(name)
            if pid is not None and pid != other_than:
                return pid
            time.sleep(0.01)
        raise RuntimeError(f"millrace-{name} did not come back within {seconds} s")

    def kill(self, name):
        """kill -9; fails where there is nothing to kill. Gives the process id that died."""
        pid = self.wait_for_pid(name)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.pid_of(name) != pid:
                return pid
            time.sleep(0.005)
        raise RuntimeError(f"millrace-{name}, process {pid}, did not die of kill -9")

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._errors.close()
        if status != 0:
            raise RuntimeError(f"millrace local ended with {status}; see {self.output}")

    def abandon(self):
        """After a failure: end it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._errors.close()
