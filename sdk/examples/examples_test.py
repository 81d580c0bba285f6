"""The examples, run against a cluster of real processes; what they sent is read by other means."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/cluster"))

import kafka  # noqa: E402
from local_cluster import PATIENCE_SECONDS, LocalCluster, wait_until  # noqa: E402

EXAMPLES = pathlib.Path(os.environ["MILLRACE_EXAMPLES"])


class OnACluster(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.bootstrap = ",".join(f"{host}:{port}" for host, port in cls.cluster.bootstrap)

    def create(self, topic, partitions=1):
        with kafka.Connection(*self.cluster.bootstrap[0]) as connection:
            self.assertEqual(connection.create_topic(topic, partitions), 0)

    def run_example(self, name, *arguments, status=0):
        done = subprocess.run([EXAMPLES / name, *map(str, arguments)], capture_output=True,
                              text=True, timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(done.returncode, status,
                         f"{name}: {done.stdout}{done.stderr}" + self.cluster.explanation())
        return done.stdout if status == 0 else done.stderr

    def values(self, topic, count, partition=0):
        """The values of the first records of a partition, when there are so many."""
        found = []

        def are_there():
            with kafka.Connection(*self.cluster.bootstrap[0]) as connection:
                while len(found) < count:
                    error, values = connection.fetch(topic, partition, len(found))
                    if error or not values:
                        return False
                    found.extend(value for offset, value in values if offset >= len(found))
            return True

        wait_until(are_there, f"{topic} has not {count} records but {len(found)}")
        return found


class ExamplesTest(OnACluster):

    def test_produce_says_where_the_record_is(self):
        self.create("orders")
        self.assertEqual(self.run_example("produce", self.bootstrap, "orders"), "0@0\n")
        self.assertEqual(self.run_example("produce", self.bootstrap, "orders"), "0@1\n")
        self.assertEqual(self.values("orders", 2), [b"paid 200"] * 2)

    def test_produce_many_delivers_each_record_once_and_in_order(self):
        self.create("many")
        count = 100_000
        printed = self.run_example("produce_many", self.bootstrap, "many", count)
        self.assertEqual(printed, f"{count} of {count} delivered\n")

    def test_produce_coroutine_goes_on_when_the_record_is_there(self):
        self.create("steps")
        printed = self.run_example("produce_coroutine", self.bootstrap, "steps")
        self.assertEqual(printed, "step 1 at 0\nstep 2 at 1\nstep 3 at 2\n")
        self.assertEqual(self.values("steps", 3), [b"step 1", b"step 2", b"step 3"])

    def test_produce_types_writes_json(self):
        self.create("typed")
        self.assertEqual(self.run_example("produce_types", self.bootstrap, "typed"), "0@0\n")
        self.assertEqual(json.loads(self.values("typed", 1)[0]), {"amount": 200, "item": "book"})

    def test_own_type_goes_and_comes_in_bytes_of_its_own(self):
        self.create("readings")
        self.assertEqual(
            self.run_example("own_type", self.bootstrap, "readings"),
            "kitchen: 21.5 degrees at 1700000000\ngarden: -3.25 degrees at 1700000060\n"
            "cellar: a record's bytes cannot be read as reading: it has not 12 bytes\n")
        self.assertEqual(self.values("readings", 3), [struct.pack(">qf", 1700000000, 21.5),
                                                      struct.pack(">qf", 1700000060, -3.25),
                                                      b"cold"])

    def test_consume_prints_each_record_once_over_two_runs(self):
        self.create("shown")
        for _ in range(5):
            self.run_example("produce", self.bootstrap, "shown")
        printed = self.run_example("consume", self.bootstrap, "readers", "shown", 5)
        self.assertEqual(printed, "".join(f"0@{offset} alice=paid 200\n" for offset in range(5)))
        self.run_example("produce", self.bootstrap, "shown")
        printed = self.run_example("consume", self.bootstrap, "readers", "shown", 1)
        self.assertEqual(printed, "0@5 alice=paid 200\n")

    def test_consume_coroutine_answers_in_another_topic(self):
        self.create("questions", 3)
        self.create("answers")
        for _ in range(3):
            self.run_example("produce", self.bootstrap, "questions")
        self.run_example("consume_coroutine", self.bootstrap, "questions", "answers", 3)
        self.assertEqual(self.values("answers", 3), [b"answer to paid 200"] * 3)

    def test_poll_loop_copies_a_topic(self):
        self.create("poll-from")
        self.create("poll-to")
        for _ in range(3):
            self.run_example("produce", self.bootstrap, "poll-from")
        printed = self.run_example("poll_loop", self.bootstrap, "poll-from", "poll-to", 3)
        self.assertEqual(printed, "3 copied\n")
        self.assertEqual(self.values("poll-to", 3), [b"paid 200"] * 3)

    def test_asio_service_answers_in_another_topic(self):
        self.create("asio-questions", 3)
        self.create("asio-answers")
        for _ in range(3):
            self.run_example("produce", self.bootstrap, "asio-questions")
        self.run_example("asio_service", self.bootstrap, "asio-questions", "asio-answers", 3)
        self.assertEqual(self.values("asio-answers", 3), [b"answer to paid 200"] * 3)

    def test_administer_creates_a_topic_and_refuses_to_do_it_again(self):
        printed = self.run_example("administer", self.bootstrap, "accounts", 6)
        self.assertIn("created accounts: 6 partitions\n", printed)
        self.assertIn("\naccounts 6\n", printed)
        said = self.run_example("administer", self.bootstrap, "accounts", 6, status=1)
        self.assertRegex(said, r"accounts: TOPIC_ALREADY_EXISTS")


class WithoutBrokerTest(unittest.TestCase):

    def test_without_broker_passes_its_tests(self):
        done = subprocess.run([EXAMPLES / "test_without_broker"], capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("passed: "), 5, done.stdout + done.stderr)


class KilledBrokerTest(OnACluster):

    def test_each_record_is_delivered_once_and_in_order_though_the_broker_is_killed(self):
        self.create("killed")
        count = 1_000_000
        producing = subprocess.Popen([EXAMPLES / "produce_many", self.bootstrap, "killed",
                                      str(count)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(producing.kill)
        self.cluster.kill("broker")
        printed, _ = producing.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(printed, f"{count} of {count} delivered\n", self.cluster.explanation())
        consumed = self.run_example("consume", self.bootstrap, "checks", "killed", count)
        for offset, line in enumerate(consumed.splitlines()):
            self.assertEqual(line, f"0@{offset} =value {offset}")
        self.assertEqual(offset + 1, count)


if __name__ == "__main__":
    unittest.main()
