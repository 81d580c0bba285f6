"""The two peers: Apache Kafka on one node, and a Millrace cluster on this machine."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/cluster"))

from ports import free_port  # noqa: E402  (its folder had to be named first)

START_WAIT_S = 90
STOP_WAIT_S = 60
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

KAFKA_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def cpu_seconds(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    numbers = fields[fields.rindex(")") + 2 :].split()
    return (int(numbers[11]) + int(numbers[12])) / TICKS_PER_S


def resident_bytes(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        if int(stat[stat.rindex(")") + 2 :].split()[1]) == pid:
            found.append(int(entry.name))
    return found


class Server:
    """One peer. `pids()` are the processes whose CPU and memory count."""

    name = ""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        self.ready_s = None
        self.idle_bytes = None  # told by who waits until it idles

    def pids(self):
        raise NotImplementedError

    def cpu_seconds(self):
        return sum(cpu_seconds(pid) for pid in self.pids())

    def resident_bytes(self):
        return sum(resident_bytes(pid) for pid in self.pids())

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Kafka(Server):
    name = "kafka"

    def __init__(self, directory, classpath):
        super().__init__(directory)
        self._classpath = classpath

    def start(self):
        properties = self.directory / "server.properties"
        properties.write_text(
            KAFKA_PROPERTIES.format(
                port=self.port, controller_port=free_port(), logs=self.directory / "logs"
            )
        )
        java = ["java", "-cp", self._classpath]
        # The tool's own settings of memory and collector: what kafka-server-start uses.
        server_options = [
            "-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
        ]
        with open(self.directory / "out", "wb") as out:
            subprocess.run(
                [*java, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ",
                 "-c", str(properties)],
                stdout=out, stderr=out, check=True,
            )
            begin = time.monotonic()
            self.process = subprocess.Popen(
                ["java", *server_options, "-cp", self._classpath, "kafka.Kafka", str(properties)],
                stdout=out, stderr=out,
            )
        while True:
            if self.process.poll() is not None or time.monotonic() - begin > START_WAIT_S:
                raise RuntimeError(f"Kafka did not start; see {self.directory}/out")
            if "Kafka Server started" in (self.directory / "out").read_text(errors="replace"):
                break
            if is_open(self.port):
                break
            time.sleep(0.01)
        self.ready_s = time.monotonic() - begin

    def pids(self):
        return [self.process.pid]


class Millrace(Server):
    name = "millrace"

    def __init__(self, directory, program, settings=()):
        super().__init__(directory)
        self._program = program
        self._settings = settings

    def start(self):
        command = [
            self._program, "local", "--data", str(self.directory / "data"), "--port",
            str(self.port), "--set", "group.initial.rebalance.delay.ms=0",
        ]
        for setting in self._settings:
            command += ["--set", setting]
        begin = time.monotonic()
        with open(self.directory / "out", "wb") as out:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=out, text=True
            )
        line = self.process.stdout.readline()
        if not line.startswith("ready bootstrap="):
            raise RuntimeError(f"millrace local did not start; see {self.directory}/out")
        self.ready_s = time.monotonic() - begin
        threading.Thread(target=self._drain, args=(self.process.stdout,), daemon=True).start()

    @staticmethod
    def _drain(stream):
        for _ in stream:
            pass

    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
