"""What each process shows of itself: a scraper can read it, it moves with the work, and whoever
asks badly harms nobody."""

import contextlib
import pathlib
import re
import socket
import unittest

import kafka
import prometheus
from local_cluster import ROOT, LocalCluster, wait_until

TOPIC = "measured"
RECORDS = 20
PROCESSES = ("controller-1", "broker-1", "coordinator-1")
# How many may ask at a time, and the longest request.
SCRAPES_MAX, REQUEST_BYTES_MAX = 8, 8192
GARBAGE = {
    "bytes of no protocol": bytes(range(256)) + b"\r\n\r\n",
    "a Kafka frame": b"\0\0\0\x10\0\x12\0\0\0\0\0\1\0\0\r\n\r\n",
    "no version": b"GET /metrics\r\n\r\n",
    "another method": b"DELETE /metrics HTTP/1.1\r\n\r\n",
    "another path": b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
    "headers without an end": b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (2 * REQUEST_BYTES_MAX),
    "nothing": b"",
}


def documented():
    """The names in the tables of docs/metrics.md."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram) ", text, re.MULTILINE))


class ReaderTest(unittest.TestCase):
    """The reader that the other cases rely on finds what is wrong."""

    GOOD = """# HELP a_total Counts a.
# TYPE a_total counter
a_total{api="Fetch"} 1
a_total{api="with \\"quotes\\" and \\n"} 2
# HELP b_seconds Measures b.
# TYPE b_seconds histogram
b_seconds_bucket{le="0.5"} 1
b_seconds_bucket{le="+Inf"} 3
b_seconds_sum 0.25
b_seconds_count 3
"""

    def test_reads_what_is_good(self):
        families = prometheus.parsed(self.GOOD)
        self.assertEqual(set(families), {"a_total", "b_seconds"})
        self.assertEqual(families["a_total"].samples["a_total", frozenset({("api", "Fetch")})], 1)

    def test_finds_what_is_wrong(self):
        lines = self.GOOD.splitlines(keepends=True)
        changed = {
            "a series twice": ('a_total{api="Fetch"} 1\n', 'a_total{api="Fetch"} 1\n' * 2),
            "a family twice": (self.GOOD, self.GOOD + "".join(lines[:3])),
            "no type": (lines[1], ""),
            "no help": (lines[0], ""),
            "an unknown type": ("a_total counter", "a_total count"),
            "a sample away from its family": (self.GOOD, self.GOOD + 'a_total{api="x"} 1\n'),
            "no number": ('"Fetch"} 1', '"Fetch"} one'),
            "labels without quotes": ('"Fetch"', "Fetch"),
            "buckets that shrink": ('le="0.5"} 1', 'le="0.5"} 4'),
            "no last bucket": (lines[7], ""),
            "another count": ("b_seconds_count 3", "b_seconds_count 4"),
            "no sum": (lines[8], ""),
            "no end": (self.GOOD, self.GOOD[:-1]),
        }
        for name, (before, after) in changed.items():
            with self.subTest(name):
                self.assertIn(before, self.GOOD)
                with self.assertRaises((prometheus.Wrong, ValueError)):
                    prometheus.parsed(self.GOOD.replace(before, after))


class MetricsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=0")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.connection = kafka.Connection(*cls.cluster.bootstrap[0])
        cls.addClassCleanup(cls.connection.socket.close)
        cls.connection.create_topic(TOPIC)
        wait_until(lambda: cls.connection.produce(TOPIC, 0, [b"first"])[0] == 0,
                   "the topic does not come to life\n" + cls.cluster.explanation())
        cls.member = kafka.GroupMember(cls.connection, "measured-group")
        wait_until(cls.member.is_found, "no coordinator\n" + cls.cluster.explanation())
        wait_until(lambda: cls.member.join() == 0, "no group\n" + cls.cluster.explanation())

    def work(self):
        for number in range(RECORDS):
            error, offset = self.connection.produce(TOPIC, 0, [b"%d" % number])
            self.assertEqual(error, 0, self.cluster.explanation())
            self.assertEqual(self.connection.fetch(TOPIC, 0, offset)[1][0][1], b"%d" % number)
            self.assertEqual(self.member.commit(TOPIC, offset), 0, self.cluster.explanation())

    def sample(self, families, name, **labels):
        base = re.sub("_(count|sum|bucket)$", "", name)
        family = families.get(name) or families[base]
        found = family.samples.get((name, frozenset(labels.items())))
        self.assertIsNotNone(found, f"there is no {name} {labels}")
        return found

    def test_all_processes_show_what_is_documented_and_only_at_the_loopback_address(self):
        self.work()
        names = documented()
        for process in PROCESSES:
            with self.subTest(process):
                families = prometheus.scrape(self.cluster, process)
                self.assertLessEqual(set(families), names)
                self.assertIn("process_resident_memory_bytes", families)
                self.assertGreater(self.sample(families, "process_open_fds"), 3)
                self.assertGreater(
                    self.sample(families, "millrace_shard_turn_seconds_count", shard="0"), 0)
                self.sample(families, "millrace_shard_stalls_total", shard="0")
                port = prometheus.port_of(self.cluster, process)
                self.assertEqual(self.listening_addresses(port), {"0100007F"})

    @staticmethod
    def listening_addresses(port):
        found = set()
        for table in ("tcp", "tcp6"):
            for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
                local, _, state = line.split()[1:4]
                address, _, number = local.rpartition(":")
                if state == "0A" and int(number, 16) == port:
                    found.add(address)
        return found

    def test_a_broker_measures_the_phases_of_each_api_its_connections_and_its_budgets(self):
        self.work()  # an API has no series before it is asked
        before = prometheus.scrape(self.cluster, "broker-1")
        self.work()
        after = prometheus.scrape(self.cluster, "broker-1")

        def grew(name, **labels):
            return self.sample(after, name, **labels) - self.sample(before, name, **labels)

        for api in ("Produce", "Fetch", "OffsetCommit"):
            self.assertGreaterEqual(grew("millrace_requests_total", api=api), RECORDS, api)
            for phase in ("queue", "handle", "send"):
                labels = {"api": api, "phase": phase}
                name = "millrace_request_phase_seconds"
                self.assertGreaterEqual(grew(f"{name}_count", **labels), RECORDS, labels)
                self.assertGreaterEqual(grew(f"{name}_sum", **labels), 0, labels)
        self.assertEqual(grew("millrace_produced_records_total"), RECORDS)
        self.assertGreater(grew("millrace_connections_received_bytes_total"), 0)
        self.assertGreater(grew("millrace_connections_sent_bytes_total"), 0)
        self.assertGreaterEqual(self.sample(after, "millrace_connections"), 1)
        budgets = [labels for _, labels in after["millrace_budget_limit_bytes"].samples]
        self.assertGreater(len(budgets), 0)
        for labels in budgets:
            labels = dict(labels)
            self.assertGreater(self.sample(after, "millrace_budget_limit_bytes", **labels), 0)
            self.assertLessEqual(self.sample(after, "millrace_budget_used_bytes", **labels),
                                 self.sample(after, "millrace_budget_limit_bytes", **labels))

    def test_the_controller_and_the_coordinator_count_what_there_is(self):
        def value(process, name, **labels):
            return prometheus.value(self.cluster, process, name, **labels)
        self.assertEqual(value("controller-1", "millrace_controller_leads"), 1)
        self.assertEqual(value("controller-1", "millrace_controller_brokers"), 1)
        self.assertEqual(value("controller-1", "millrace_controller_topics"), 2)
        before = value("coordinator-1", "millrace_coordinator_commits_total")
        self.work()
        self.assertEqual(value("coordinator-1", "millrace_coordinator_commits_total"),
                         before + RECORDS)
        # It looks every few seconds.
        wait_until(lambda: value("coordinator-1", "millrace_coordinator_members") == 1,
                   "the member is not counted\n" + self.cluster.explanation())

    def test_who_asks_with_garbage_is_refused_and_the_next_one_is_answered(self):
        for process in PROCESSES:
            address = ("127.0.0.1", prometheus.port_of(self.cluster, process))
            for name, request in GARBAGE.items():
                with self.subTest(process=process, request=name):
                    with socket.create_connection(address, 30) as stranger:
                        with contextlib.suppress(ConnectionError):
                            stranger.sendall(request)
                        with contextlib.suppress(OSError):
                            stranger.shutdown(socket.SHUT_WR)
                        self.assertNotIn(b" 200 ", self.answer_to(stranger).split(b"\r\n")[0])
            prometheus.scrape(self.cluster, process)
        self.work()

    @staticmethod
    def answer_to(stranger):
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := stranger.recv(65536):
                answer += piece
        return answer

    def test_who_asks_slowly_holds_up_no_client_and_no_later_scrape(self):
        for process in PROCESSES:
            address = ("127.0.0.1", prometheus.port_of(self.cluster, process))
            with contextlib.ExitStack() as strangers:
                slow = [strangers.enter_context(socket.create_connection(address, 30))
                        for _ in range(3 * SCRAPES_MAX)]
                for byte in b"GET /met":
                    for stranger in slow:
                        with contextlib.suppress(ConnectionError):
                            stranger.sendall(bytes([byte]))
                self.work()

            def is_shown(asked=process):
                with contextlib.suppress(OSError):
                    return prometheus.scrape(self.cluster, asked)
                return None
            wait_until(is_shown, f"{process} shows nothing\n" + self.cluster.explanation())


if __name__ == "__main__":
    unittest.main()
