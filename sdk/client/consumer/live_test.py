"""Consumers of this library in groups on a real cluster: they come, go and die, and so do the
broker and the coordinator. Also proves consumer_probe.cpp.
"""

import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/cluster"))
from local_cluster import LocalCluster, wait_until  # noqa: E402  (its folder comes first)

PROBE = os.environ.get("CONSUMER_PROBE", str(ROOT / "build/release/bin/client_consumer_probe"))
PARTITIONS = 6
QUICK = ["session.timeout.ms=6000", "heartbeat.interval.ms=500"]


class Member:
    """One consumer process; what it holds and has read, by what it says."""

    def __init__(self, bootstrap, *properties, quick=QUICK):
        self.held, self.seen, self.errors = set(), collections.Counter(), []
        self.revoked = 0
        self.process = subprocess.Popen(
            [PROBE, bootstrap, "group", "orders", "group.id=live", *quick, *properties],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                if what == "assigned":
                    self.held |= set(words)
                elif what in ("revoked", "lost"):
                    self.held -= set(words)
                    self.revoked += len(words)
                elif what == "record":
                    self.seen[words[2]] += 1
                elif what == "error":
                    self.errors.append(line)

    def end(self, how=signal.SIGTERM):
        """Gives its exit code."""
        self.process.send_signal(how)
        status = self.process.wait(60)
        self.reader.join(60)
        return status


@unittest.skipUnless(shutil.which("kcat"), "kcat writes the records")
class LiveTest(unittest.TestCase):

    def setUp(self):
        self.cluster = LocalCluster("--set", f"num.partitions={PARTITIONS}",
                                    "--set", "group.initial.rebalance.delay.ms=200").start()
        self.addCleanup(self.cluster.close)
        self.bootstrap = ",".join(f"{host}:{port}" for host, port in self.cluster.bootstrap)
        self.members, self.gone, self.written = [], [], 0
        self.addCleanup(lambda: [m.end(signal.SIGKILL) for m in self.members])

    def write(self, count):
        values = "".join(f"{self.written + i}\n" for i in range(count))
        command = ["kcat", "-P", "-b", self.bootstrap, "-t", "orders", "-X", "partitioner=random",
                   "-X", "sticky.partitioning.linger.ms=0"]
        # It gives up when no broker is there for a moment.
        wait_until(lambda: subprocess.run(command, input=values, text=True, timeout=60,
                                          stderr=subprocess.DEVNULL).returncode == 0,
                   "kcat cannot write")
        self.written += count

    def join(self, *properties):
        self.members.append(Member(self.bootstrap, *properties))
        return self.members[-1]

    def part(self, member, how=signal.SIGTERM):
        self.members.remove(member)
        self.gone.append(member)
        return member.end(how)

    def expect_shared(self):
        """Every partition is held by one member, and all hold as many."""
        def is_shared():
            held = [partition for member in self.members for partition in member.held]
            return (len(held) == len(set(held)) == PARTITIONS and
                    {len(member.held) for member in self.members} ==
                    {PARTITIONS // len(self.members)})
        wait_until(is_shared, f"not shared out: {[sorted(m.held) for m in self.members]}, "
                   f"{[m.errors for m in self.members]}\n{self.cluster.explanation()}")

    def seen(self):
        return sum((member.seen for member in self.members + self.gone), collections.Counter())

    def expect_all_read(self):
        wait_until(lambda: len(self.seen()) == self.written,
                   f"{len(self.seen())} of {self.written} records were read; "
                   f"{[m.errors for m in self.members]}\n")

    def members_come_and_go(self, *properties):
        self.write(100)
        one = self.join(*properties)
        self.expect_shared()
        self.expect_all_read()
        two = self.join(*properties)
        self.expect_shared()
        three = self.join(*properties)
        self.expect_shared()
        self.write(500)
        self.expect_all_read()
        self.assertEqual(self.part(two), 0)
        self.write(100)
        self.expect_all_read()
        self.part(three, signal.SIGKILL)
        self.expect_shared()
        self.write(100)
        self.expect_all_read()
        return one

    def test_eager_members_come_go_and_die(self):
        self.members_come_and_go("partition.assignment.strategy=range")

    def test_cooperative_members_come_go_and_die(self):
        one = self.members_come_and_go("partition.assignment.strategy=cooperative-sticky")
        self.assertLessEqual(one.revoked, 4, "it gave up more than others got")

    def test_each_record_is_read_once_when_all_end_in_order(self):
        self.write(300)
        one = self.join()
        self.expect_all_read()
        self.assertEqual(self.part(one), 0)
        self.write(300)
        self.join()
        self.expect_all_read()
        self.assertEqual(set(self.seen().values()), {1})

    def test_brokers_without_the_protocol_are_named(self):
        self.write(1)
        member = Member(self.bootstrap, "group.protocol=consumer", quick=())
        self.assertEqual(member.process.wait(60), 0, "it ended in order")
        member.reader.join(60)
        self.assertIn("the broker does not offer group.protocol=consumer", member.errors[0])

    def test_kill_of_broker_and_coordinator(self):
        self.write(100)
        for _ in range(2):
            self.join()
        self.expect_shared()
        self.expect_all_read()
        for service in ("broker", "coordinator", "broker"):
            self.cluster.kill(service)
            self.write(200)
            self.expect_all_read()
            self.expect_shared()
        for member in self.members:
            self.assertIsNone(member.process.poll(), "a member has ended")


if __name__ == "__main__":
    unittest.main()
