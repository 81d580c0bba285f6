"""Our own client on Apache Kafka, over connections that break, stand still and change bits: no
transaction is lost or seen twice, each record has one outcome and it is true, members of groups of
both protocols come back, and what operators are told is so.
"""

import collections
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path += [str(HERE), str(HERE.parent / "java"), str(ROOT / "tests/cluster"),
             str(ROOT / "sdk/client/producer")]

import kafka_node  # noqa: E402  (its folder had to be named first)
from fault_proxy import BREAKS, FLIPS, FaultProxy  # noqa: E402
from kafka_node import local_cluster, packages  # noqa: E402
from live_test import Producer  # noqa: E402
from managed_groups_test import Member, QuickKafkaNode  # noqa: E402
from transactions_on_kafka_test import EXAMPLES, PATIENCE_S, PROGRAMS, Copier  # noqa: E402

PARTITIONS = 3
RECORDS_AT_ONCE = 2000
# What the copier had copied and did not say before it ended.
UNSAID_MAX = 1000
# An answer that vanishes costs request.timeout.ms, which programs have as it is by default.
LOUD_BREAKS = tuple(kind for kind in BREAKS if kind != "swallow")
FAULTS_OF_A_KIND, FAULTS_MIXED = 3, 8
QUICK = ("request.timeout.ms=1000", "fetch.max.wait.ms=200", "retry.backoff.ms=10",
         "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100")


# What is acknowledged is there once, at least once, and is only said to have been sent.
PRODUCERS = {
    "idempotent": ("acks=all", "enable.idempotence=true"),
    "plain": ("acks=1", "enable.idempotence=false"),
    "unacknowledged": ("acks=0", "enable.idempotence=false"),
}
# Many small requests, and answers that are not waited for long.
PRODUCING = ("pause=10", "batch.size=1000", "buffer.memory=131072", "request.timeout.ms=1000",
             "delivery.timeout.ms=3000")
RECORDS_BETWEEN_FAULTS = 300
# As said by the probe: it was not written, for sure.
NOT_PERSISTED = "0"
# Members of the classic protocol whose number was lost on the way are waited for that long.
PROTOCOLS = {
    "consumer": (),
    "classic": ("session.timeout.ms=6000", "max.poll.interval.ms=4000",
                "heartbeat.interval.ms=300"),
}
ASKING = ("-X", "request.timeout.ms=1000", "-X", "retry.backoff.ms=10", "-X",
          "reconnect.backoff.ms=10", "-X", "reconnect.backoff.max.ms=100")


class ProxiedKafkaNode(QuickKafkaNode):
    """Clients that begin at the proxy stay behind it; those that begin at `bootstrap` never see
    it."""

    def __init__(self, folder, proxy):
        super().__init__(folder)
        self.proxied_port = local_cluster.free_port()
        proxy.target = ("127.0.0.1", self.proxied_port)
        self.more_settings += (f"\nadvertised.listeners=PLAINTEXT://{self.bootstrap},"
                               f"PROXIED://127.0.0.1:{proxy.port}")


class Reader(Member):
    """Counts the numbers of values."""

    def _read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                if what == "record":
                    self.values.append(words[-1])
                elif what == "error":
                    self.errors.append(line)
                else:
                    self.note(what, words)


class TrueProducer(Producer):
    """With the topic of its own name. What it was told is held against what is there."""

    def __init__(self, bootstrap, name):
        self.name = name
        super().__init__(bootstrap, *PRODUCING, *PRODUCERS[name], topic=name)

    def count(self):
        return len(self.delivered)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()

    def wrong_outcomes(self, sent, stored):
        """Sentences; stored: the numbers of each partition by their offsets."""
        told = sorted([*self.delivered, *(int(line.split()[1]) for line in self.failed)])
        if told != list(range(sent)):
            yield f"not each of {sent} records has one outcome"
        there = collections.Counter(number for partition in stored.values()
                                    for number in partition.values())
        yield from (f"never sent: {number}" for number in there if number >= sent)
        if self.name != "plain":
            yield from (f"{number} is there {n} times" for number, n in there.items() if n > 1)
        if self.name != "unacknowledged":
            yield from (f"{number} is missing" for number in self.delivered if number not in there)
        yield from (f"{number} is not at {at}" for number, at in self.delivered.items()
                    if at[1] >= 0 and stored.get(at[0], {}).get(at[1]) != number)
        for line in self.failed:
            _, number, persistence, *_ = line.split()
            if persistence == NOT_PERSISTED and int(number) in there:
                yield f"it is there: {line}"


class FaultsOnKafka(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.proxy = FaultProxy()
        cls.addClassCleanup(cls.proxy.close)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.node = ProxiedKafkaNode(folder.name, cls.proxy)
        cls.addClassCleanup(cls.node.stop)
        cls.node.start()
        cls.behind = f"127.0.0.1:{cls.proxy.port}"

    def setUp(self):
        self.addCleanup(self.proxy.calm)
        self.rounds = 0
        self.written = self.id().rsplit(".", maxsplit=1)[-1].replace("_", "-")

    def run_tool(self, main_class, *arguments):
        done = subprocess.run([*packages.java(main_class), *map(str, arguments)],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def create(self, topic):
        self.node.create_topic(topic, PARTITIONS)

    def write(self):
        """Each value once more, around the proxy."""
        done = subprocess.run([EXAMPLES / "produce_many", self.node.bootstrap, self.written,
                               str(RECORDS_AT_ONCE)], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.rounds += 1

    def wanted(self):
        return {f"value {i}": self.rounds for i in range(RECORDS_AT_ONCE)}

    def wait_until(self, holds, what):
        try:
            local_cluster.wait_until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.proxy.explanation()}") from error

    def strike(self, kinds, count, step):
        """There is something to do until all faults have struck."""
        self.proxy.begin(kinds, count)

        def is_over():
            if not self.proxy.is_spent():
                step()
            return self.proxy.is_spent()
        self.wait_until(is_over, f"{kinds} do not come about")

    def has_read_all(self, group):
        return self.node.has_read_all(group, self.written, PARTITIONS)

    def test_transactions_copy_each_record_once_though_connections_break(self):
        self.create(self.written)
        self.create("copied")
        copiers = []

        def go_on():
            if not copiers or copiers[-1].process.poll() is not None:
                copiers.append(Copier(self.behind, "copier", self.written, "copied",
                                      10 ** 9))
                self.addCleanup(copiers[-1].kill)
            copied = sum(copier.copied + UNSAID_MAX for copier in copiers)
            if copied >= self.rounds * RECORDS_AT_ONCE:
                self.write()
        self.write()
        go_on()
        self.wait_until(lambda: copiers[-1].copied > 0, "nothing is copied")
        for kind in LOUD_BREAKS:
            self.strike([kind], FAULTS_OF_A_KIND, go_on)
        self.strike(LOUD_BREAKS + FLIPS, FAULTS_MIXED, go_on)
        self.strike(["swallow"], 1, go_on)
        self.proxy.calm()
        self.write()

        def is_all_copied():
            self.assertLess(len(copiers), 2 + FAULTS_MIXED, copiers[-1].said())
            if copiers[-1].process.poll() is not None:
                go_on()
            return self.has_read_all("copier")
        self.wait_until(is_all_copied, "not all is copied")
        copiers[-1].kill()
        read = []

        def is_read():
            read[:] = self.run_tool("millrace.clients.Main", "values", self.node.bootstrap,
                                    "copied", "read_committed").splitlines()
            return len(read) >= self.rounds * RECORDS_AT_ONCE
        # Brokers write the end of a transaction after they have answered.
        self.wait_until(is_read, "not all that was copied is committed")
        self.assertEqual(collections.Counter(read), self.wanted(), self.proxy.explanation())

    def stored(self, topic):
        """As librdkafka reads it: the numbers of each partition by their offsets."""
        done = subprocess.run(
            ["kcat", "-C", "-b", self.node.bootstrap, "-t", topic, "-e", "-q", "-o", "beginning",
             "-X", "check.crcs=true", "-f", "%p %o %s\\n"],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {}
        for line in done.stdout.splitlines():
            partition, offset, number = map(int, line.split())
            found.setdefault(partition, {})[offset] = number
        return found

    def go_on(self, producers):
        enough = {producer: producer.count() + RECORDS_BETWEEN_FAULTS for producer in producers}
        self.wait_until(
            lambda: all(producer.count() >= enough[producer] for producer in producers),
            f"no records are delivered: {[(p.name, p.failed[-3:]) for p in producers]}")

    def test_each_record_has_one_outcome_and_it_is_true(self):
        for name in PRODUCERS:
            self.create(name)
        producers = [TrueProducer(self.behind, name) for name in PRODUCERS]
        for producer in producers:
            self.addCleanup(producer.stop)
        self.go_on(producers)
        for kind in BREAKS:
            self.strike([kind], 1, lambda: None)
        self.strike(BREAKS + FLIPS, FAULTS_MIXED, lambda: None)
        self.proxy.stall()
        self.wait_until(lambda: all(p.failed for p in producers if p.name != "unacknowledged"),
                        "nothing fails though nothing is answered")
        self.proxy.calm()
        self.proxy.resume()
        self.go_on(producers)
        for producer in producers:
            sent, _ = producer.end()
            stored = {}

            def is_there(name=producer.name, last=sent - 1, stored=stored):
                stored.update(self.stored(name))
                return any(last in partition.values() for partition in stored.values())
            self.wait_until(is_there, f"the last one of {producer.name} does not come")
            self.assertEqual(list(producer.wrong_outcomes(sent, stored))[:5], [],
                             f"{producer.name}\n{self.proxy.explanation()}")

    def check_group(self, protocol, faults_of_a_kind):
        self.create(self.written)
        members = []
        for _ in range(2):
            members.append(Reader([PROGRAMS / "client_consumer_probe", self.behind, "group",
                                   self.written, f"group.id={protocol}",
                                   f"group.protocol={protocol}", "auto.commit.interval.ms=200",
                                   *QUICK, *PROTOCOLS[protocol]]))
            self.addCleanup(members[-1].end, signal.SIGKILL)

        def is_shared():
            held = [member.held for member in members]
            return sum(map(len, held)) == PARTITIONS and all(held) and not held[0] & held[1]

        def go_on():
            if sum(sum(m.seen.values()) for m in members) >= self.rounds * RECORDS_AT_ONCE:
                self.write()
        self.wait_until(is_shared, "the group does not come about")
        for kind in BREAKS:
            self.strike([kind], faults_of_a_kind, go_on)
        self.strike(BREAKS + FLIPS, FAULTS_MIXED, go_on)
        self.proxy.calm()
        self.write()
        self.wait_until(lambda: is_shared() and self.has_read_all(protocol),
                        f"not all is read: {[member.errors[-5:] for member in members]}")
        self.assertEqual([member.end() for member in members], [0, 0])
        seen = sum((member.seen for member in members), collections.Counter())
        missing = [i for i in range(RECORDS_AT_ONCE) if seen.get(str(i), 0) < self.rounds]
        self.assertEqual(missing[:5], [], self.proxy.explanation())

    def test_managed_members_read_everything_and_share_again_after_connections_broke(self):
        self.check_group("consumer", FAULTS_OF_A_KIND)

    def test_classic_members_read_everything_and_share_again_after_connections_broke(self):
        self.check_group("classic", 1)

    def ask(self, *words):
        return subprocess.run(
            [PROGRAMS / "millrace", *map(str, words), "-b", self.behind, *ASKING, "--timeout",
             str(PATIENCE_S // 2)], capture_output=True, text=True, timeout=PATIENCE_S,
            check=False, stdin=subprocess.DEVNULL)

    def test_what_operators_are_told_is_so_though_connections_break(self):
        made = {}

        def work():
            name = f"made-{len(made)}"
            made[name] = self.ask("topic", "create", name)
            topics = {topic["name"] for topic in self.answer("topic", "list")["topics"]}
            for topic, outcome in made.items():
                if outcome.returncode == 0:
                    self.assertIn(topic, topics, self.proxy.explanation())
                else:
                    # Made by a request whose answer was lost, or said not to be known.
                    self.assertRegex(outcome.stderr, "TOPIC_ALREADY_EXISTS|time|connection",
                                     self.proxy.explanation())
            self.assertEqual(len(self.answer("cluster", "brokers")["brokers"]), 1)
            self.answer("group", "list")
        self.strike(LOUD_BREAKS + FLIPS[:2], FAULTS_MIXED, work)
        self.strike(["swallow"], 1, work)
        self.assertTrue(any(outcome.returncode == 0 for outcome in made.values()))

    def answer(self, *words):
        """Questions are not to fail."""
        done = self.ask(*words, "-o", "json")
        self.assertEqual(done.returncode, 0, f"{done.stderr}{self.proxy.explanation()}")
        return json.loads(done.stdout)


if __name__ == "__main__":
    unittest.main()
