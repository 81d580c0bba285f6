"""Groups whose broker assigns (group.protocol=consumer) on Apache Kafka: members of our own client
and of Java's come, go, die and come back.
"""

import collections
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE))

import sdk_on_kafka_test  # noqa: E402  (its folder had to be named first)
from sdk_on_kafka_test import PARTITIONS, PATIENCE_S, PROGRAMS, kafka_node  # noqa: E402
from kafka_node import local_cluster, packages  # noqa: E402


# Long enough that a busy machine sends a heartbeat in it.
SHORT_SESSION_MS = 10_000


class QuickKafkaNode(kafka_node.EmptyKafkaNode):
    """No member is taken for dead because the machine is busy, if its group does not say so."""

    more_settings = """group.consumer.min.session.timeout.ms=1000
group.consumer.max.session.timeout.ms=120000
group.consumer.session.timeout.ms=120000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0"""


class Member:
    """A consumer of a group: what it holds and has read, by what it says."""

    def __init__(self, command):
        self.held, self.values, self.errors = set(), [], []
        self.given_up = self.lost = 0
        self.works = threading.Event()
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                if what == "record":
                    self.values.append(words[2])
                elif what == "error":
                    self.errors.append(line)
                else:
                    self.note(what, words)

    @property
    def seen(self):
        """How often each was read, up to now: the reading goes on in a thread of its own."""
        return collections.Counter(self.values.copy())

    def note(self, what, words):
        if what == "assigned":
            self.held |= set(words)
        elif what in ("revoked", "lost"):
            self.held -= set(words)
            self.given_up += len(words)
            self.lost += len(words) if what == "lost" else 0
        elif what == "works":
            self.works.set()

    def work(self):
        """Returns when it polls no more, until go_on()."""
        self.process.send_signal(signal.SIGUSR1)
        if not self.works.wait(PATIENCE_S):
            raise AssertionError(f"it does not work: {self.errors}")

    def go_on(self):
        self.works.clear()
        self.process.send_signal(signal.SIGUSR2)

    def end(self, how=signal.SIGTERM):
        """Gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status


class JavaMember(Member):
    """It says after each change what it has."""

    def note(self, what, words):
        if what == "assigned":
            self.held = set(words[0].split(",")) if words else set()


class ManagedGroups(unittest.TestCase):

    create = sdk_on_kafka_test.SdkOnKafka.create
    produce = sdk_on_kafka_test.SdkOnKafka.produce

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.node = QuickKafkaNode(folder.name)
        cls.addClassCleanup(cls.node.stop)
        cls.node.start()

    def setUp(self):
        self.members, self.gone = [], []
        self.topic = self.id().rsplit(".", maxsplit=1)[-1].replace("_", "-")
        self.create(self.topic)
        self.addCleanup(lambda: [m.end(signal.SIGKILL) for m in self.members])

    def join(self, *properties, protocol="consumer", mode="group", topic=None):
        self.members.append(Member(
            [PROGRAMS / "client_consumer_probe", self.node.bootstrap, mode, topic or self.topic,
             f"group.id={self.topic}", f"group.protocol={protocol}", *properties]))
        return self.members[-1]

    def join_java(self, strategy):
        command = packages.java("millrace.clients.Main")
        self.members.append(JavaMember(
            [*command, "member", self.node.bootstrap, self.topic, self.topic, strategy, "", "0"]))
        return self.members[-1]

    def part(self, member, how=signal.SIGTERM):
        self.members.remove(member)
        self.gone.append(member)
        return member.end(how)

    def expect_shared(self):
        def is_shared():
            return {len(m.held) for m in self.members} == {PARTITIONS // len(self.members)}
        local_cluster.wait_until(
            is_shared, f"not shared out: {[sorted(m.held) for m in self.members]}, "
            f"{[m.errors for m in self.members]}")

    def seen(self):
        return sum((m.seen for m in self.members + self.gone), collections.Counter())

    def expect_read(self, count):
        local_cluster.wait_until(
            lambda: sum(1 for value in self.seen()) >= count,
            f"not all {count} records are read: {[m.errors for m in self.members]}")

    def test_members_join_leave_and_share_without_loss(self):
        one = self.join()
        self.expect_shared()
        two = self.join()
        self.expect_shared()
        self.assertEqual(one.given_up, PARTITIONS // 2, "it keeps the rest")
        self.join()
        self.expect_shared()
        count = self.produce(self.topic)
        self.expect_read(count)
        self.assertEqual(self.part(two), 0, two.errors)
        self.expect_shared()
        self.assertEqual([m.end() for m in self.members], [0, 0], [m.errors for m in self.members])
        self.assertEqual(max(self.seen().values()), 1, "all ended in order")

    def ask(self, *words):
        done = subprocess.run(
            [PROGRAMS / "millrace", *words, "-b", self.node.bootstrap, "-o", "json"],
            text=True, capture_output=True, timeout=PATIENCE_S, check=False,
            stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_members_that_are_killed_are_replaced_by_one_that_works_for_longer(self):
        self.ask("config", "set", "group", self.topic,
                 f"consumer.session.timeout.ms={SHORT_SESSION_MS}")
        one = self.join()
        two = self.join()
        self.expect_shared()
        one.work()
        self.part(two, signal.SIGKILL)

        def is_alone():
            described = self.ask("group", "describe", self.topic)
            return described["members"] == 1 and described["state"] == "stable"
        # Stable: it has said in a heartbeat that it knows what is its own now.
        local_cluster.wait_until(is_alone, "it does not get what the other one had")
        self.assertTrue(one.works.is_set())
        one.go_on()
        self.expect_shared()
        self.assertEqual(one.lost, 0, "its own session ended while it worked")
        count = self.produce(self.topic)
        self.expect_read(count)

    def test_members_that_work_too_long_leave_and_come_back(self):
        one = self.join()
        two = self.join("max.poll.interval.ms=2000")
        self.expect_shared()
        two.work()
        local_cluster.wait_until(lambda: len(one.held) == PARTITIONS, "it does not leave")
        self.assertTrue(two.works.is_set())
        two.go_on()
        local_cluster.wait_until(lambda: two.lost > 0 and two.errors, "it is not told")
        self.assertIn("max.poll.interval.ms", two.errors[-1])
        self.expect_shared()

    def test_offsets_are_committed_and_gone_on_from(self):
        one = self.join()
        self.expect_read(self.produce(self.topic))
        self.assertEqual(self.part(one), 0, one.errors)
        two = self.join()
        self.expect_shared()
        self.assertEqual(self.part(two), 0, two.errors)
        self.assertEqual(max(self.seen().values()), 1, "read again what was committed")

    def test_static_members_come_back_to_what_they_had(self):
        one = self.join("group.instance.id=a")
        two = self.join("group.instance.id=b")
        self.expect_shared()
        held, given_up = set(one.held), two.given_up
        refused = self.join("group.instance.id=a")
        local_cluster.wait_until(lambda: refused.errors, "two have one group.instance.id")
        self.assertIn("UNRELEASED_INSTANCE_ID", refused.errors[0])
        self.part(refused)
        self.assertEqual(self.part(one), 0, one.errors)
        again = self.join("group.instance.id=a")
        local_cluster.wait_until(lambda: again.held == held, f"it holds {again.held}, not {held}")
        self.assertEqual(two.given_up, given_up, "others notice nothing")

    def test_patterns_are_matched_by_the_broker(self):
        one = self.join(mode="matching", topic=self.topic[:-1] + ".")
        self.expect_shared()
        self.expect_read(self.produce(self.topic))
        self.assertEqual(self.part(one), 0, one.errors)

    def test_patterns_are_those_of_the_broker_and_wrong_ones_are_told(self):
        # No pattern of ECMAScript.
        one = self.join(mode="matching", topic=f"(?i){self.topic.upper()}")
        self.expect_shared()
        self.assertEqual(self.part(one), 0, one.errors)
        two = self.join(mode="matching", topic="(")
        local_cluster.wait_until(lambda: two.errors, "it was not refused")
        self.assertIn("INVALID_REGULAR_EXPRESSION", two.errors[0])

    def test_assignors_are_those_of_the_broker(self):
        one = self.join("group.remote.assignor=range")
        self.expect_shared()
        self.assertEqual(self.part(one), 0, one.errors)
        two = self.join("group.remote.assignor=sticky")
        local_cluster.wait_until(lambda: two.errors, "it was not refused")
        self.assertIn("UNSUPPORTED_ASSIGNOR", two.errors[0])

    def test_members_of_java_and_of_the_classic_protocol_share_the_group(self):
        self.join()
        self.join_java("consumer")
        self.expect_shared()
        self.join("session.timeout.ms=120000", "heartbeat.interval.ms=500",
                  "partition.assignment.strategy=cooperative-sticky", protocol="classic")
        self.expect_shared()
        count = self.produce(self.topic)
        self.expect_read(count)


if __name__ == "__main__":
    unittest.main()
