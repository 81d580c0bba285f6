"""The producer of this library over connections that break, stand still and change bits: every
record has one outcome, and it is true.
"""

import collections
import pathlib
import random
import shutil
import subprocess
import sys
import unittest

from live_test import Producer

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/cluster"))
from fault_proxy import BREAKS, FLIPS, FaultProxy, behind  # noqa: E402  (its folder comes first)
from local_cluster import wait_until  # noqa: E402

FAULTS_OF_A_KIND, FAULTS_MIXED = 3, 12
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
# Many small requests, few records on their way, and answers that are not waited for long.
SMALL = ("batch.size=1000", "buffer.memory=131072", "request.timeout.ms=1000")
NOT_PERSISTED = 0


@unittest.skipUnless(shutil.which("kcat"), "kcat reads the records")
class FaultsTest(unittest.TestCase):

    def setUp(self):
        self.proxy = FaultProxy()
        self.addCleanup(self.proxy.close)
        self.cluster = behind(self.proxy, "--set", "num.partitions=2")
        self.addCleanup(self.cluster.close)
        self.bootstrap = f"127.0.0.1:{self.proxy.port}"
        self.producer = None

    def explanation(self):
        failed = "".join(self.producer.failed[:5])
        return (f"{len(self.producer.delivered)} delivered, status {self.producer.process.poll()}; "
                f"{failed}\n{self.proxy.explanation()}{self.cluster.explanation()}")

    def start(self, *properties):
        """Returns when records are delivered."""
        self.producer = Producer(self.bootstrap, *SMALL, *properties)
        self.addCleanup(self.stop)
        self.go_on()

    def stop(self):
        self.producer.process.kill()
        self.producer.process.wait()
        self.producer.reader.join()
        self.producer.process.stdin.close()

    def wait_until(self, holds, what):
        """Or until the producer has ended, which is then found out."""
        try:
            wait_until(lambda: holds() or self.has_ended(), what)
        except AssertionError as error:
            raise AssertionError(f"{what}\n{self.explanation()}") from error

    def go_on(self):
        enough = len(self.producer.delivered) + 500
        self.wait_until(lambda: len(self.producer.delivered) >= enough, "no records are delivered")

    def has_ended(self):
        return self.producer.process.poll() is not None

    def strike(self, kinds, count):
        self.proxy.begin(kinds, count)
        self.wait_until(self.proxy.is_spent, f"{kinds} do not come about")
        self.go_on()

    def end(self):
        """Gives how many were sent; each was told once, as delivered or not."""
        self.proxy.calm()
        sent, _ = self.producer.end()
        self.assertEqual(len(self.producer.delivered) + len(self.producer.failed), sent,
                         self.explanation())
        return sent

    def stored(self):
        """The numbers of each partition by their offsets, in the order of offsets."""
        read = subprocess.run(
            ["kcat", "-C", "-m", "180", "-b", self.bootstrap, "-t", "orders", "-e", "-q",
             "-o", "beginning", "-X", "check.crcs=true", "-f", "%p %o %s\n"],
            capture_output=True, text=True, check=True, timeout=240)
        found = {}
        for line in read.stdout.splitlines():
            partition, offset, number = map(int, line.split())
            found.setdefault(partition, {})[offset] = number
        return found

    def expect_delivered_where_told(self):
        """Gives how often each number is there."""
        stored = self.stored()
        for number, (partition, offset) in self.producer.delivered.items():
            if offset >= 0:
                self.assertEqual(stored[partition].get(offset), number, self.explanation())
        return collections.Counter(
            number for partition in stored.values() for number in partition.values())

    def expect_all_once_in_order(self):
        self.end()
        self.assertEqual(self.producer.failed, [], self.explanation())
        counts = self.expect_delivered_where_told()
        self.assertEqual(counts, collections.Counter(self.producer.delivered.keys()),
                         self.explanation())
        for partition in self.stored().values():
            numbers = list(partition.values())
            self.assertEqual(numbers, sorted(numbers), "not in order\n" + self.explanation())

    def test_every_record_is_there_once_after_connections_broke(self):
        codec = random.Random(str(self.proxy.seed)).choice(CODECS)
        self.start(f"compression.type={codec}")
        for kind in BREAKS:
            self.strike([kind], FAULTS_OF_A_KIND)
        self.strike(BREAKS, FAULTS_MIXED)
        self.expect_all_once_in_order()

    def test_every_record_is_there_once_after_bits_were_flipped(self):
        self.start()
        for kind in FLIPS:
            self.strike([kind], FAULTS_OF_A_KIND)
        self.strike(BREAKS + FLIPS, FAULTS_MIXED)
        self.expect_all_once_in_order()

    def test_records_with_a_flipped_bit_are_refused_and_told(self):
        # Where nothing is tried again, an answer that comes late would be another failure.
        self.start("retries=0", "request.timeout.ms=100000")
        self.strike(["flipped records"], FAULTS_OF_A_KIND)
        self.end()
        self.assertTrue(self.producer.failed, self.explanation())
        for line in self.producer.failed:
            self.assertIn("CORRUPT_MESSAGE", line, self.explanation())
        counts = self.expect_delivered_where_told()
        self.assertEqual(counts, collections.Counter(self.producer.delivered.keys()),
                         self.explanation())

    def test_every_record_has_its_outcome_in_time_when_nothing_is_answered(self):
        self.start("delivery.timeout.ms=3000")
        self.proxy.stall()
        self.wait_until(lambda: self.producer.failed, "nothing fails")
        self.end()
        self.proxy.resume()
        counts = self.expect_delivered_where_told()
        self.assertEqual(set(counts.values()), {1}, self.explanation())
        for number in self.producer.delivered:
            self.assertIn(number, counts, self.explanation())
        for line in self.producer.failed:
            number, persistence = map(int, line.split()[1:3])
            if persistence == NOT_PERSISTED:
                self.assertNotIn(number, counts, line + self.explanation())


if __name__ == "__main__":
    unittest.main()
