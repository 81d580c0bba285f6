"""Our own client on two brokers of Apache Kafka: brokers are killed and come back, leaders and
coordinators move, while a producer writes and a group of each protocol reads. Each acknowledged
record is there once, in order, at its offset; each comes to both groups; commits are kept. What
is written without acks follows the leader.
"""

import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path += [str(HERE), str(HERE.parent / "java"), str(ROOT / "sdk/client/producer")]

import kafka_node  # noqa: E402  (its folder had to be named first)
from cli_on_kafka_test import SecondNode  # noqa: E402
from kafka_node import local_cluster, packages  # noqa: E402
from live_test import Producer  # noqa: E402
from managed_groups_test import PATIENCE_S, PROGRAMS, Member  # noqa: E402

PARTITIONS = 4
OFFSETS_PARTITIONS = 4
RECORDS_BETWEEN_FAULTS = 500
# 5,000 records each second: enough to be under way at each moment, few enough for any machine.
WRITING = ("pause=10", "batch.size=1000", "enable.idempotence=true", "acks=all",
           "request.timeout.ms=3000", "metadata.max.age.ms=5000")
# Leaders are not asked for from time to time: they are found out.
WRITING_WITHOUT_ACKS = ("pause=200", "batch.size=1000", "enable.idempotence=false", "acks=0",
                        "metadata.max.age.ms=3600000")
READING = ("auto.commit.interval.ms=200", "retry.backoff.ms=10", "reconnect.backoff.ms=10",
           "reconnect.backoff.max.ms=100", "request.timeout.ms=3000", "fetch.max.wait.ms=200",
           "metadata.max.age.ms=5000")
# Members outlive the time without their coordinator.
PROTOCOLS = {
    "classic": ("session.timeout.ms=45000", "heartbeat.interval.ms=500",
                "partition.assignment.strategy=cooperative-sticky"),
    "consumer": (),
}


class FirstNode(kafka_node.EmptyKafkaNode):
    """The controller is in it too."""
    # A killed broker stops leading, and may come back, when its session is over.
    more_settings = f"""broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=300
offsets.topic.replication.factor=2
offsets.topic.num.partitions={OFFSETS_PARTITIONS}
min.insync.replicas=1
auto.leader.rebalance.enable=false
replica.fetch.wait.max.ms=100
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
group.consumer.session.timeout.ms=45000"""


class Reader(Member):
    """Puts what it reads into the records of its group: the number at each partition and offset."""

    def __init__(self, group, command):
        self.group = group
        super().__init__(command)

    def _read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                if what == "record":
                    partition, offset, number = map(int, words)
                    self.group.records[partition, offset] = number
                    self.group.read += 1
                elif what == "error":
                    self.errors.append(line)
                else:
                    self.note(what, words)


class Group:
    """Two members, and what they have read."""

    def __init__(self, bootstrap, protocol):
        self.name, self.bootstrap, self.protocol = f"group-{protocol}", bootstrap, protocol
        self.records, self.read, self.members = {}, 0, []

    def join(self):
        self.members = [
            Reader(self, [PROGRAMS / "client_consumer_probe", self.bootstrap, "group", "orders",
                          f"group.id={self.name}", f"group.protocol={self.protocol}", *READING,
                          *PROTOCOLS[self.protocol]]) for _ in range(2)]

    def is_shared(self):
        one, two = (member.held for member in self.members)
        return len(one) == len(two) == PARTITIONS // 2 and not one & two

    def end(self, how=signal.SIGTERM):
        return [member.end(how) for member in self.members]

    def __str__(self):
        said = [(sorted(member.held), member.errors[-5:], member.process.poll())
                for member in self.members]
        return f"{self.name} has read {len(self.records)} records; {said}"


class BrokerFaultsOnKafka(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        folders = [pathlib.Path(folder.name) / name for name in "12"]
        for place in folders:
            place.mkdir()
        self.first = FirstNode(folders[0])
        self.addCleanup(self.first.stop)
        self.first.start()
        self.second = SecondNode(folders[1], self.first)
        # Before the controller: it says there that it goes.
        self.addCleanup(self.second.stop)
        self.second.start()
        self.bootstrap = f"{self.first.bootstrap},{self.second.bootstrap}"
        self.wait_until(lambda: len(self.ask("cluster", "brokers")["brokers"]) == 2,
                        "there are not two brokers")
        self.ask("topic", "create", "orders", "-p", PARTITIONS, "-r", 2)
        self.producer, self.groups = None, []

    def ask(self, *arguments):
        done = self.run_command(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def run_command(self, *arguments):
        return subprocess.run(
            [PROGRAMS / "millrace", *map(str, arguments), "-b", self.bootstrap, "-o", "json",
             "--timeout", str(PATIENCE_S // 2)],
            text=True, capture_output=True, timeout=PATIENCE_S, check=False,
            env={**os.environ, "XDG_CONFIG_HOME": str(self.first.folder)},
            stdin=subprocess.DEVNULL)

    def wait_until(self, holds, what):
        try:
            local_cluster.wait_until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.explanation()}") from error

    def explanation(self):
        said = "\n".join(map(str, self.groups))
        if self.producer:
            said += (f"\n{len(self.producer.delivered)} delivered, {self.producer.failed[:5]}, "
                     f"status {self.producer.process.poll()}")
        for node in (self.first, self.second):
            said += f"\n--- {node.bootstrap}\n{node.said()}"
        return said

    # --- what goes on all the time ---

    def begin(self):
        """Returns when both groups are shared out and read."""
        self.groups = [Group(self.bootstrap, protocol) for protocol in PROTOCOLS]
        self.join()
        self.write()
        self.go_on()

    def join(self):
        for group in self.groups:
            group.join()
            self.addCleanup(group.end, signal.SIGKILL)
        for group in self.groups:
            self.wait_until(group.is_shared, f"{group.name} is not shared out")

    def write(self):
        self.producer = Producer(self.bootstrap, *WRITING)
        self.addCleanup(self.stop, self.producer)

    @staticmethod
    def stop(producer):
        producer.process.kill()
        producer.process.wait()
        producer.reader.join()
        producer.process.stdin.close()

    def go_on(self):
        """So many more records are acknowledged, and both groups have read as many as that."""
        enough = len(self.producer.delivered) + RECORDS_BETWEEN_FAULTS
        self.wait_until(lambda: len(self.producer.delivered) >= enough or self.producer.failed,
                        "no records are delivered")
        self.assertEqual(self.producer.failed, [], self.explanation())
        self.expect_read(enough)

    def expect_more_in(self, topic):
        before = sum(self.ends(topic))
        self.wait_until(lambda: sum(self.ends(topic)) > before,
                        f"records do not come to the new leader of {topic}")

    def expect_read(self, count):
        for group in self.groups:
            self.wait_until(lambda group=group: len(group.records) >= count,
                            f"{group.name} does not read {count} records")

    # --- what came of it ---

    def end(self):
        """Gives the numbers of each partition, in the order of their offsets."""
        sent, _ = self.producer.end()
        self.assertEqual(self.producer.failed, [], self.explanation())
        self.assertEqual(len(self.producer.delivered), sent, self.explanation())
        stored = self.stored()
        self.expect_same([number for partition in stored for number in partition], range(sent),
                         "not each is there once")
        for partition in stored:
            self.assertTrue(partition == sorted(partition), "not in order\n" + self.explanation())
        for number, (partition, offset) in self.producer.delivered.items():
            if offset >= 0:  # one that came twice has none in the answer
                self.assertEqual(stored[partition][offset], number, self.explanation())
        self.expect_read(sent)
        wanted = {(partition, offset): number for partition, numbers in enumerate(stored)
                  for offset, number in enumerate(numbers)}
        for group in self.groups:
            self.expect_same(group.records.items(), wanted.items(), f"{group.name} read others")
            self.assertEqual(group.end(), [0, 0], self.explanation())
        self.expect_committed(stored)
        return stored

    def expect_same(self, found, wanted, what):
        """Both are long: the first of the differences are told."""
        found, wanted = collections.Counter(found), collections.Counter(wanted)
        missing, extra = list((wanted - found).items()), list((found - wanted).items())
        self.assertFalse(bool(missing or extra),
                         f"{what}: missing {missing[:5]}, too many {extra[:5]}\n"
                         f"{self.explanation()}")

    def ends(self, topic="orders"):
        described = self.ask("topic", "describe", topic, "--offsets")
        return [row["end"] for row in described["partitions"]]

    def stored(self):
        """As Java reads it."""
        ends = self.ends()
        done = subprocess.run(
            [*packages.java("org.apache.kafka.tools.consumer.ConsoleConsumer"),
             "--bootstrap-server", self.bootstrap, "--topic", "orders", "--from-beginning",
             "--max-messages", str(sum(ends)), "--timeout-ms", str(1000 * PATIENCE_S),
             "--formatter-property", "print.partition=true",
             "--formatter-property", "print.offset=true"],
            capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        found = [{} for _ in ends]
        for line in done.stdout.splitlines():
            partition, offset, number = line.split("\t")
            found[int(partition.partition(":")[2])][int(offset.partition(":")[2])] = int(number)
        self.assertEqual([len(partition) for partition in found], ends, "offsets are missing")
        return [[number for _, number in sorted(partition.items())] for partition in found]

    def expect_committed(self, stored):
        """Each group has committed all; and so it is said by whoever coordinates now."""
        ends = {partition: len(numbers) for partition, numbers in enumerate(stored)}
        for group in self.groups:
            described = []

            def is_described(name=group.name, described=described):
                described[:] = [self.run_command("group", "describe", name)]
                return described[0].returncode == 0
            self.wait_until(is_described, f"{group.name} is not described: {described}")
            rows = json.loads(described[0].stdout)["partitions"]
            self.assertEqual({row["partition"]: row["committed"] for row in rows}, ends,
                             f"{group.name}\n{self.explanation()}")

    # --- what happens ---

    def expect_whole(self):
        """All replicas are in sync: no record is on one broker alone."""
        self.wait_until(lambda: self.run_command("cluster", "health").returncode == 0,
                        "the cluster does not become whole")

    def partitions(self):
        """Of the topic, and those where what groups commit is kept."""
        return [row for topic in ("orders", "__consumer_offsets")
                for row in self.ask("topic", "describe", topic)["partitions"]]

    def expect_led_by(self, brokers):
        self.wait_until(lambda: {row["leader"] for row in self.partitions()} == brokers,
                        f"not led by {brokers}")

    def expect_elected(self):
        """Again if a broker was busy for so long that it was taken for dead."""
        def is_elected():
            self.ask("cluster", "elect")
            return all(row["leader"] == row["replicas"][0] for row in self.partitions())
        self.wait_until(is_elected, "not each is led by its first replica")

    def test_brokers_are_killed_and_come_back(self):
        self.begin()
        self.expect_whole()
        self.second.kill()
        self.expect_led_by({1})
        self.go_on()
        self.second.run()
        self.expect_whole()
        self.expect_elected()
        self.expect_led_by({1, 2})
        self.go_on()
        self.first.kill()
        self.first.run()
        self.go_on()
        self.expect_whole()
        stored = self.end()

        self.second.kill()
        self.expect_committed(stored)
        read = [group.read for group in self.groups]
        self.join()
        self.write()
        self.go_on_from(stored)
        self.assertEqual([group.read - before for group, before in zip(self.groups, read)],
                         [len(self.producer.delivered)] * 2, "read again what was committed")

    def go_on_from(self, stored):
        before = sum(map(len, stored))
        self.wait_until(lambda: len(self.producer.delivered) >= RECORDS_BETWEEN_FAULTS,
                        "no records are delivered")
        sent, _ = self.producer.end()
        self.expect_read(before + sent)
        for group in self.groups:
            self.assertEqual(group.end(), [0, 0], self.explanation())

    def test_leaders_and_coordinators_move(self):
        self.begin()
        self.ask("topic", "create", "unacknowledged", "-r", 2)
        unacknowledged = Producer(self.bootstrap, *WRITING_WITHOUT_ACKS, topic="unacknowledged")
        self.addCleanup(self.stop, unacknowledged)
        self.expect_whole()
        for brokers in ("1", "2", "1,2"):
            for topic in ("unacknowledged", "orders", "__consumer_offsets"):
                moved = self.ask("cluster", "reassign", topic, "--to", brokers, "-r",
                                 len(brokers.split(",")), "--execute", "--wait")
                self.assertTrue(moved["changed"], moved)
                if topic == "unacknowledged":
                    self.expect_more_in(topic)
                else:
                    self.go_on()
            if brokers != "1,2":
                self.expect_led_by({int(brokers)})
        self.expect_whole()
        self.expect_elected()
        self.go_on()
        self.end()
        sent, _ = unacknowledged.end()
        self.assertEqual(sorted(unacknowledged.delivered), list(range(sent)), "not all was sent")
        self.assertEqual(unacknowledged.failed, [])
        self.assertLessEqual(sum(self.ends("unacknowledged")), sent, "records came twice")


if __name__ == "__main__":
    unittest.main()
