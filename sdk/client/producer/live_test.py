"""The producer of this library into a real cluster whose broker is killed again and again: every
record is there once, in order, where it was said to be.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/cluster"))
from local_cluster import LocalCluster, wait_until  # noqa: E402  (its folder comes first)

PROBE = os.environ.get("PRODUCER_PROBE", str(ROOT / "build/release/bin/client_producer_probe"))
QUICK = ["retry.backoff.ms=10", "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100"]


class Producer:
    """A process that sends without a pause; what it was told."""

    def __init__(self, bootstrap, *properties, topic="orders"):
        self.delivered, self.failed, self.last_line = {}, [], ""
        self.process = subprocess.Popen(
            [PROBE, bootstrap, topic, *QUICK, *properties], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                if what == "delivered":
                    number, partition, offset = map(int, words)
                    if number in self.delivered:
                        self.failed.append(f"a second outcome: {line}")
                    self.delivered[number] = (partition, offset)
                elif what == "failed":
                    self.failed.append(line)
                self.last_line = line

    def end(self):
        """Gives how many records it sent, and the most memory that it took for them."""
        self.process.stdin.close()
        status = self.process.wait(240)
        self.reader.join(60)
        if status != 0:
            raise AssertionError(f"the producer ended with {status}: {self.last_line}")
        _, sent, _, memory = self.last_line.split()
        return int(sent), int(memory)


@unittest.skipUnless(shutil.which("kcat"), "kcat reads the records")
class LiveTest(unittest.TestCase):

    def setUp(self):
        self.cluster = LocalCluster("--set", "num.partitions=2").start()
        self.addCleanup(self.cluster.close)
        self.bootstrap = ",".join(f"{host}:{port}" for host, port in self.cluster.bootstrap)

    def stored(self):
        """The numbers of each partition by their offsets, in the order of offsets."""
        read = subprocess.run(
            ["kcat", "-C", "-m", "180", "-b", self.bootstrap, "-t", "orders", "-e", "-q",
             "-o", "beginning", "-f", "%p %o %s\n"],
            capture_output=True, text=True, check=True, timeout=240)
        found = {}
        for line in read.stdout.splitlines():
            partition, offset, number = map(int, line.split())
            found.setdefault(partition, {})[offset] = number
        return found

    def produce_through_kills(self, kills, *properties):
        producer = Producer(self.bootstrap, *properties)
        for kill in range(kills + 1):
            # A moment that differs each time.
            enough = len(producer.delivered) + 1000 + 700 * kill
            wait_until(lambda: len(producer.delivered) >= enough or producer.failed,
                       "no records are delivered\n" + self.cluster.explanation())
            if kill < kills:
                self.cluster.kill("broker")
        sent, memory = producer.end()
        self.assertEqual(producer.failed, [])
        self.assertEqual(len(producer.delivered), sent)
        return producer, memory

    def expect_all_once_in_order(self, producer):
        stored = self.stored()
        numbers = [number for partition in stored.values() for number in partition.values()]
        self.assertEqual(sorted(numbers), sorted(producer.delivered))
        for partition in stored.values():
            in_order = [partition[offset] for offset in sorted(partition)]
            self.assertEqual(in_order, sorted(in_order), "records out of order")
        for number, (partition, offset) in producer.delivered.items():
            if offset >= 0:
                self.assertEqual(stored[partition][offset], number)

    def test_every_record_is_there_once_and_in_order(self):
        producer, _ = self.produce_through_kills(4, "batch.size=500")
        self.expect_all_once_in_order(producer)

    def test_compressed_records_too(self):
        for codec in ("lz4", "zstd", "snappy", "gzip"):
            with self.subTest(codec):
                self.cluster.close()
                self.setUp()
                producer, _ = self.produce_through_kills(1, f"compression.type={codec}")
                self.expect_all_once_in_order(producer)

    def test_memory_stays_in_its_budget_while_the_broker_is_away(self):
        _, memory = self.produce_through_kills(3, "buffer.memory=262144")
        self.assertLessEqual(memory, 262144)


if __name__ == "__main__":
    unittest.main()
