"""One node of Apache Kafka on a copy of one of our log directories, with metadata of its own."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "common"), str(HERE.parents[1] / "cluster")]

import local_cluster  # noqa: E402  (their folders had to be named first)
import packages  # noqa: E402

START_SECONDS_MAX = 300
# No broker is taken for dead because the machine is busy. Whoever kills one sets another.
BROKER_SESSION_MS = 120_000


def properties(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")


class KafkaNode:
    """Has the cluster id and node id of the log directory, and its topics with their ids: they are
    part of what the node begins its metadata with. `more_settings` are lines for its settings."""

    more_settings = ""
    # Besides the one at `bootstrap`, of the kind PROXIED; its advertised address is in them.
    proxied_port = None
    # What it is formatted with besides.
    format_options = ()

    def __init__(self, logs, folder):
        self.folder = pathlib.Path(folder)
        self.logs = self.folder / "logs"
        self.metadata = self.folder / "metadata"
        self.known = self.take_over(logs)
        self.port = local_cluster.free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        self.output = self.folder / "kafka.log"

    def take_over(self, logs):
        shutil.copytree(logs, self.logs)
        return properties(self.logs / "meta.properties")

    def _run(self, main_class, *words):
        done = subprocess.run([*packages.java(main_class), *map(str, words)], text=True,
                              capture_output=True, check=False, timeout=START_SECONDS_MAX)
        if done.returncode != 0:
            raise AssertionError(f"{main_class} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def begin_metadata(self, node):
        self._run("millrace.clients.Main", "bootstrap", self.metadata, self.logs, node)

    def start(self):
        node, controller_port = self.known["node.id"], local_cluster.free_port()
        settings = self.folder / "server.properties"
        proxied = f",PROXIED://127.0.0.1:{self.proxied_port}" if self.proxied_port else ""
        settings.write_text(f"""process.roles=broker,controller
node.id={node}
controller.quorum.voters={node}@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{self.bootstrap}{proxied},CONTROLLER://127.0.0.1:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={self.logs}
metadata.log.dir={self.metadata}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
initial.broker.registration.timeout.ms={1000 * START_SECONDS_MAX}
broker.session.timeout.ms={BROKER_SESSION_MS}
{self.more_settings}
""", encoding="utf-8")
        self._run("kafka.tools.StorageTool", "format", "-t", self.known["cluster.id"],
                  "--ignore-formatted", *self.format_options, "-c", settings)
        self.begin_metadata(node)
        self.run()

    def run(self):
        """Returns when it answers. What start() has prepared is enough for any number of lives."""
        with open(self.output, "a", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [*packages.java("kafka.Kafka", 512), self.folder / "server.properties"],
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("Apache Kafka did not start:\n" + self.said())
            time.sleep(0.2)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def said(self):
        return self.output.read_text(encoding="utf-8", errors="replace")[-6000:]

    def _ask(self, *words):
        """Of our own command line: it starts at once."""
        return subprocess.run(
            [local_cluster.PROGRAMS / "millrace", *map(str, words), "-b", self.bootstrap, "-o",
             "json", "--timeout", str(START_SECONDS_MAX)],
            text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "XDG_CONFIG_HOME": str(self.folder)})

    def create_topic(self, topic, partitions):
        done = self._ask("topic", "create", topic, "-p", partitions)
        if done.returncode != 0:
            raise AssertionError(f"no topic {topic}: {done.stdout}{done.stderr}")

    def has_read_all(self, group, topic, partitions):
        """It has committed the end of each of so many partitions."""
        done = self._ask("group", "describe", group)
        if done.returncode != 0:
            return False
        lags = [row["lag"] for row in json.loads(done.stdout)["partitions"]
                if row["topic"] == topic]
        return lags == [0] * partitions

    def kill(self):
        """kill -9; returns when it is gone."""
        self.process.kill()
        self.process.wait(START_SECONDS_MAX)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(START_SECONDS_MAX)
            finally:
                self.process.kill()


class EmptyKafkaNode(KafkaNode):
    """A cluster of one node, without topics."""

    def __init__(self, folder):
        super().__init__(None, folder)

    def take_over(self, logs):
        return {"node.id": "1", "cluster.id": "AAAAAAAAAAAAAAAAAAAAAQ"}

    def begin_metadata(self, node):
        """What the format of its directories wrote is all."""
