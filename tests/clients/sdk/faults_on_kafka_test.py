"""Our own client on Apache Kafka, over connections that break, stand still and change bits: no
transaction is lost or seen twice, and members of groups whose broker assigns come back.
"""

import collections
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path += [str(HERE), str(HERE.parent / "java"), str(ROOT / "tests/cluster")]

import kafka_node  # noqa: E402  (its folder had to be named first)
from fault_proxy import BREAKS, FLIPS, FaultProxy  # noqa: E402
from kafka_node import local_cluster, packages  # noqa: E402
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


class FaultsOnKafka(unittest.TestCase):

    def setUp(self):
        self.proxy = FaultProxy()
        self.addCleanup(self.proxy.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.node = ProxiedKafkaNode(folder.name, self.proxy)
        self.addCleanup(self.node.stop)
        self.node.start()
        self.behind = f"127.0.0.1:{self.proxy.port}"
        self.create("written")
        self.rounds = 0

    def run_tool(self, main_class, *arguments):
        done = subprocess.run([*packages.java(main_class), *map(str, arguments)],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def create(self, topic):
        self.node.create_topic(topic, PARTITIONS)

    def write(self):
        """Each value once more, around the proxy."""
        done = subprocess.run([EXAMPLES / "produce_many", self.node.bootstrap, "written",
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
        return self.node.has_read_all(group, "written", PARTITIONS)

    def test_transactions_copy_each_record_once_though_connections_break(self):
        self.create("copied")
        copiers = []

        def go_on():
            if not copiers or copiers[-1].process.poll() is not None:
                copiers.append(Copier(self.behind, "copier", "written", "copied", 10 ** 9))
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

    def test_managed_members_read_everything_and_share_again_after_connections_broke(self):
        members = []
        for _ in range(2):
            members.append(Reader([PROGRAMS / "client_consumer_probe", self.behind, "group",
                                   "written", "group.id=managed", "group.protocol=consumer",
                                   "auto.commit.interval.ms=200", *QUICK]))
            self.addCleanup(members[-1].end, signal.SIGKILL)

        def is_shared():
            held = [member.held for member in members]
            return sum(map(len, held)) == PARTITIONS and all(held) and not held[0] & held[1]

        def go_on():
            if sum(sum(m.seen.values()) for m in members) >= self.rounds * RECORDS_AT_ONCE:
                self.write()
        self.wait_until(is_shared, "the group does not come about")
        for kind in BREAKS:
            self.strike([kind], FAULTS_OF_A_KIND, go_on)
        self.strike(BREAKS + FLIPS, FAULTS_MIXED, go_on)
        self.proxy.calm()
        self.write()
        self.wait_until(lambda: is_shared() and self.has_read_all("managed"),
                        f"not all is read: {[member.errors[-5:] for member in members]}")
        self.assertEqual([member.end() for member in members], [0, 0])
        seen = sum((member.seen for member in members), collections.Counter())
        missing = [i for i in range(RECORDS_AT_ONCE) if seen.get(str(i), 0) < self.rounds]
        self.assertEqual(missing[:5], [], self.proxy.explanation())


if __name__ == "__main__":
    unittest.main()
