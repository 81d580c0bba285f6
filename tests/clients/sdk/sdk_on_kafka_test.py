"""Our own client on Apache Kafka: producer, consumer, groups and administration."""

import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "java"))

import kafka_node  # noqa: E402  (its folder had to be named first)
from kafka_node import local_cluster  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
PATIENCE_S = 300
# No member is taken for dead because the machine is busy.
SESSION_MS = 120_000
PARTITIONS = 6
RECORDS = 20_000
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")


class Member:
    """A consumer of a group: what it was assigned and has read."""

    def __init__(self, bootstrap, topic, *properties):
        self.assigned = False
        self.values = []
        self.errors = []
        self.process = subprocess.Popen(
            [PROGRAMS / "client_consumer_probe", bootstrap, "group", topic,
             f"session.timeout.ms={SESSION_MS}", "heartbeat.interval.ms=500", *properties],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                self.assigned = self.assigned or (what == "assigned" and len(words) > 0)
                if what == "record":
                    self.values.append(words[2])
                if what == "error":
                    self.errors.append(line)

    @property
    def seen(self):
        """How often each was read, up to now: the reading goes on in a thread of its own."""
        return collections.Counter(self.values.copy())

    def end(self):
        """Leaves in order, and gives the exit code."""
        self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status


class SdkOnKafka(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.node = kafka_node.EmptyKafkaNode(folder.name)
        cls.addClassCleanup(cls.node.stop)
        cls.node.start()

    def run_program(self, name, *arguments):
        done = subprocess.run([PROGRAMS / name, *map(str, arguments)], capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")
        return done.stdout

    def create(self, topic):
        self.node.create_topic(topic, PARTITIONS)

    def produce(self, topic, *properties):
        """Sends until so many are delivered: the number of all, each delivered."""
        producer = subprocess.Popen(
            [PROGRAMS / "client_producer_probe", self.node.bootstrap, topic, *properties],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        delivered = set()
        last = ""
        with producer.stdout:
            for line in producer.stdout:
                last = line
                self.assertFalse(line.startswith("failed"), line)
                if line.startswith("delivered"):
                    delivered.add(line.split()[1])
                if len(delivered) == RECORDS:
                    producer.stdin.close()
        self.assertEqual(producer.wait(PATIENCE_S), 0, last)
        self.assertEqual(len(delivered), int(last.split()[1]), last)
        return len(delivered)

    def test_administration_does_all_it_can(self):
        self.run_program("client_admin_check", self.node.bootstrap)

    def test_consumer_offers_places_commits_patterns_and_static_membership(self):
        self.run_program("sdk_consumer_check", self.node.bootstrap, "offered")

    def test_records_with_each_codec_come_back(self):
        for codec in CODECS:
            for acks in ("1", "all"):
                with self.subTest(codec=codec, acks=acks):
                    topic = f"codec-{codec}-{acks}"
                    self.create(topic)
                    idempotence = f"enable.idempotence={str(acks == 'all').lower()}"
                    count = self.produce(topic, f"compression.type={codec}", f"acks={acks}",
                                         idempotence)
                    read = self.run_program("client_consumer_probe", self.node.bootstrap, "read",
                                            topic, count)
                    self.assertIn(f"read {count} records", read)

    def test_groups_with_each_strategy_read_everything_once(self):
        for strategy in STRATEGIES:
            with self.subTest(strategy=strategy):
                topic = f"group-{strategy}"
                self.create(topic)
                members = [Member(self.node.bootstrap, topic, f"group.id={strategy}",
                                  "auto.offset.reset=earliest",
                                  f"partition.assignment.strategy={strategy}") for _ in range(3)]
                try:
                    local_cluster.wait_until(lambda: all(m.assigned for m in members),
                                             "some member has no partition")
                    count = self.produce(topic)

                    def seen():
                        return sum((m.seen for m in members), collections.Counter())
                    local_cluster.wait_until(lambda: len(seen()) == count,
                                             f"not all {count} records are read")
                finally:
                    codes = [m.end() for m in members]
                self.assertEqual(codes, [0, 0, 0], [m.errors for m in members])
                self.assertEqual(max(seen().values()), 1)


if __name__ == "__main__":
    unittest.main()
