"""Transactions of our own client on Apache Kafka, in both versions of their protocol: a check, and
the example copy_exactly_once, which is killed again and again. Java reads what came of them."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "java"))

import kafka_node  # noqa: E402  (its folder had to be named first)
from kafka_node import local_cluster, packages  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
EXAMPLES = pathlib.Path(os.environ["MILLRACE_EXAMPLES"])
PATIENCE_S = 300
RECORDS = 200_000
KILLS = 6


class OldKafkaNode(kafka_node.EmptyKafkaNode):
    """Its producers name each partition to the coordinator before they write to it."""

    format_options = ("--feature", "transaction.version=1")


class Copier:
    """One life of the example: how many records it has copied, by its own word."""

    def __init__(self, *arguments):
        self.copied = 0
        self.errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")
        self.process = subprocess.Popen([EXAMPLES / "copy_exactly_once", *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                self.copied = int(line)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self.errors.close()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()


class TransactionsOnKafka(unittest.TestCase):
    NODE = kafka_node.EmptyKafkaNode

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.node = cls.NODE(folder.name)
        cls.addClassCleanup(cls.node.stop)
        cls.node.start()

    def run_tool(self, main_class, *arguments):
        done = subprocess.run([*packages.java(main_class), *map(str, arguments)],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def create(self, topic, partitions=1):
        self.node.create_topic(topic, partitions)

    def values(self, topic, count, isolation="read_committed"):
        """What Java's consumer sees up to the end; again while there are fewer, as brokers write
        the end of a transaction after they have answered."""
        lines = []

        def is_complete():
            lines[:] = self.run_tool("millrace.clients.Main", "values", self.node.bootstrap, topic,
                                     isolation).splitlines()
            return len(lines) >= count
        local_cluster.wait_until(is_complete, f"{topic} has fewer than {count} records")
        return lines

    def test_commit_abort_offsets_and_fencing(self):
        self.create("check-from")
        self.create("check-to")
        done = subprocess.run([PROGRAMS / "client_transaction_check", self.node.bootstrap,
                               "check-from", "check-to"], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.values("check-to", 10), [f"committed {i}" for i in range(10)])
        everything = self.values("check-to", 40, "read_uncommitted")
        self.assertIn("aborted 9", everything)
        self.assertIn("zombie 9", everything)

    def test_read_committed_gives_what_was_committed_up_to_the_first_open_transaction(self):
        self.create("isolated")
        done = subprocess.run([PROGRAMS / "sdk_isolation_check", self.node.bootstrap,
                               "isolated"], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        seen = done.stdout.splitlines()
        self.assertEqual(len(seen), 40)
        self.assertEqual(self.values("isolated", len(seen)), seen)

    def test_copies_each_record_once_though_the_copier_is_killed(self):
        self.create("copied-from", 3)
        self.create("copied-to", 3)
        producer = subprocess.run([EXAMPLES / "produce_many", self.node.bootstrap, "copied-from",
                                   str(RECORDS)], capture_output=True, text=True,
                                  timeout=PATIENCE_S, check=False)
        self.assertEqual(producer.returncode, 0, producer.stdout + producer.stderr)
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        killed = 0
        arguments = (self.node.bootstrap, "copier", "copied-from", "copied-to")
        for _ in range(KILLS):
            copier = Copier(*arguments, RECORDS)
            self.addCleanup(copier.kill)
            local_cluster.wait_until(lambda c=copier: c.copied > 0 or c.process.poll() is not None,
                                     "nothing is copied")
            time.sleep(chance.uniform(0, 0.1))
            self.assertIsNone(copier.process.poll(), copier.said())
            copier.kill()
            killed += 1
        last = Copier(*arguments, RECORDS)
        self.addCleanup(last.kill)
        wanted = sorted(f"value {i}" for i in range(RECORDS))
        local_cluster.wait_until(lambda: self.node.has_read_all("copier", "copied-from", 3),
                                 "not all is copied")
        last.kill()
        self.assertEqual(sorted(self.values("copied-to", RECORDS)), wanted, f"seed {seed}")
        self.assertEqual(killed, KILLS)


class TransactionsOnKafkaOfVersion1(TransactionsOnKafka):
    NODE = OldKafkaNode


if __name__ == "__main__":
    unittest.main()
