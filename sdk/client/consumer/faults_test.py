"""A consumer of this library, alone in its group, over connections that break, stand still and
change bits: every record comes once, in order, with its bytes, and damage is told.
"""

import pathlib
import random
import sys
import unittest

from live_test import Member

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/cluster"))
import kafka  # noqa: E402  (its folder comes first)
from fault_proxy import (BREAKS, DOWN, FLIPS, Fault, FaultProxy, DELTA_AT, CRC_AT,  # noqa: E402
                         behind)
from local_cluster import wait_until  # noqa: E402

PARTITIONS = 3
FAULTS_OF_A_KIND, FAULTS_MIXED, FAULTS_OF_JOINING, FLIPS_TOLD = 3, 12, 5, 6
BATCHES_WRITTEN, RECORDS_OF_A_BATCH, VALUE_BYTES_MAX = 10, 20, 200
# Answers that are not waited for long, and a session that no fault of these outlasts.
QUICK = ("request.timeout.ms=1000", "fetch.max.wait.ms=200", "heartbeat.interval.ms=300",
         "auto.commit.interval.ms=200", "retry.backoff.ms=10", "reconnect.backoff.ms=10",
         "reconnect.backoff.max.ms=100")
PATIENT = ("session.timeout.ms=30000", "max.partition.fetch.bytes=4096")
# Who joins waits for the answer as long as others may take to come; a member whose number was lost
# on the way is waited for until its session ends.
JOINING = ("session.timeout.ms=10000", "max.poll.interval.ms=4000")


class Reader(Member):
    """What it was given, by partition and in the order in which it came."""

    def __init__(self, bootstrap, *properties):
        self.given = {}
        super().__init__(bootstrap, *properties, quick=QUICK)

    def read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                what, *words = line.split()
                if what == "record":
                    self.given.setdefault(int(words[0]), []).append((int(words[1]), words[2]))
                elif what == "assigned":
                    self.held |= set(words)
                elif what in ("revoked", "lost"):
                    self.revoked += len(words)
                elif what == "error":
                    self.errors.append(line)


class FaultsTest(unittest.TestCase):

    def setUp(self):
        self.proxy = FaultProxy()
        self.addCleanup(self.proxy.close)
        self.cluster = behind(self.proxy, "--set", f"num.partitions={PARTITIONS}",
                              "--set", "group.initial.rebalance.delay.ms=100")
        self.addCleanup(self.cluster.close)
        self.bootstrap = f"127.0.0.1:{self.proxy.port}"
        self.chance = random.Random(str(self.proxy.seed))
        # Around the proxy.
        self.connection = kafka.Connection(*self.proxy.target)
        self.addCleanup(self.connection.socket.close)
        self.assertEqual(self.connection.create_topic("orders", PARTITIONS), 0)
        self.written = {partition: [] for partition in range(PARTITIONS)}
        self.reader = None

    def explanation(self):
        given = {partition: len(records) for partition, records in self.reader.given.items()}
        written = {partition: len(values) for partition, values in self.written.items()}
        return (f"given {given} of {written}, status {self.reader.process.poll()}, "
                f"{self.reader.revoked} taken away; {self.reader.errors[-5:]}\n"
                f"{self.proxy.explanation()}{self.cluster.explanation()}")

    def write(self):
        for partition, written in self.written.items():
            for _ in range(BATCHES_WRITTEN):
                values = [self.chance.randbytes(self.chance.randrange(VALUE_BYTES_MAX // 2)).hex()
                          for _ in range(RECORDS_OF_A_BATCH)]
                self.append(partition,
                            [f"{len(written) + i}:{value}" for i, value in enumerate(values)])

    def append(self, partition, values):
        answers = []

        def is_taken():
            answers.append(self.connection.produce("orders", partition,
                                                   [value.encode() for value in values]))
            return answers[-1][0] not in kafka.NOT_READY
        wait_until(is_taken, "the topic does not come to life")
        self.assertEqual(answers[-1], (0, len(self.written[partition])))
        self.written[partition] += values

    def start(self, *properties):
        self.reader = Reader(self.bootstrap, *properties)
        self.addCleanup(self.stop)

    def stop(self):
        self.reader.process.kill()
        self.reader.process.wait()
        self.reader.reader.join()

    def wait_until(self, holds, what):
        """Or until the consumer has ended, which is then found out."""
        try:
            wait_until(lambda: holds() or self.has_ended(), what)
        except AssertionError as error:
            raise AssertionError(f"{what}\n{self.explanation()}") from error

    def has_ended(self):
        return self.reader.process.poll() is not None

    def is_all_given(self):
        return all(len(self.reader.given.get(partition, ())) >= len(values)
                   for partition, values in self.written.items())

    def expect_all_given(self):
        self.wait_until(self.is_all_given, "records do not come")
        self.assertEqual(self.reader.revoked, 0, self.explanation())
        for partition, values in self.written.items():
            self.assertEqual(self.reader.given.get(partition, []), list(enumerate(values)),
                             f"partition {partition}\n{self.explanation()}")

    def strike(self, kinds, count):
        self.proxy.begin(kinds, count)
        self.feed_until_spent()

    def feed_until_spent(self):
        """There are records to be read until all faults have struck."""
        def goes_on():
            if not self.proxy.is_spent() and self.is_all_given():
                self.write()
            return self.proxy.is_spent()
        self.wait_until(goes_on, "the faults do not come about")

    def end(self):
        self.proxy.calm()
        self.expect_all_given()
        self.assertEqual(self.reader.end(), 0, self.explanation())

    def test_every_record_comes_once_and_in_order_after_connections_broke(self):
        self.write()
        self.start(*PATIENT)
        self.expect_all_given()
        for kind in BREAKS:
            self.strike([kind], FAULTS_OF_A_KIND)
            self.expect_all_given()
        self.strike(BREAKS + FLIPS, FAULTS_MIXED)
        self.end()

    def test_a_group_comes_about_over_connections_that_break(self):
        self.write()
        self.proxy.begin(BREAKS + FLIPS, FAULTS_OF_JOINING)
        self.start(*JOINING)
        self.feed_until_spent()
        self.end()

    def test_flipped_bits_of_records_are_told_and_never_given(self):
        self.write()
        self.start(*PATIENT)
        self.expect_all_given()
        for _ in range(FLIPS_TOLD):
            told = len(self.reader.errors)
            self.strike(["flipped records"], 1)
            self.wait_until(lambda before=told: len(self.reader.errors) > before,
                            "a flipped bit is not told")
            # Or the next one may be in an answer that is not looked at any more.
            self.expect_all_given()
        self.end()

    def test_flipped_lengths_and_numbers_of_answers_cost_a_connection_only(self):
        self.write()
        self.start(*PATIENT)
        self.expect_all_given()
        for kind in ("flipped length", "flipped correlation id"):
            self.strike([kind], FAULTS_OF_A_KIND)
            self.expect_all_given()
        self.end()

    def test_a_batch_that_says_to_end_too_early_is_not_passed_over(self):
        for batch in range(2):
            self.append(0, [f"{100 * batch + i}:" for i in range(100)])
        member = kafka.GroupMember(self.connection, "live")
        wait_until(lambda: member.is_found() and member.commit("orders", 70) == 0,
                   "no commit for the group")
        bit_of_64 = 8 * (DELTA_AT - CRC_AT + 3) + 6  # of 99: the batch seems to end at offset 35
        self.proxy.begin(["flipped records"], 1,
                         Fault("flipped records", (DOWN,), 0, bit=bit_of_64))
        self.start()
        self.wait_until(lambda: self.reader.given.get(0, [(0,)])[-1][0] == 199,
                        "records do not come")
        self.assertTrue(self.proxy.is_spent(), self.explanation())
        self.assertEqual(self.reader.given.get(0, []), list(enumerate(self.written[0]))[70:],
                         self.explanation())
        self.assertIn("checksum", "".join(self.reader.errors), self.explanation())

    def test_damage_is_told_when_other_partitions_have_records_for_the_same_poll(self):
        values = ["first", "second"]
        for partition in self.written:
            self.append(partition, values)
        bits_of_one = 8 * (len(kafka.record_batch([value.encode() for value in values])) - CRC_AT)
        self.proxy.begin(["flipped records"], 1,
                         Fault("flipped records", (DOWN,), 0, bit=bits_of_one + 1))
        self.start()
        self.expect_all_given()
        self.assertTrue(self.proxy.is_spent(), self.explanation())
        self.assertIn("checksum", "".join(self.reader.errors), self.explanation())

    def test_a_consumer_ends_although_nothing_is_answered(self):
        self.write()
        self.start()
        self.expect_all_given()
        self.proxy.stall()
        self.write()
        self.assertEqual(self.reader.end(), 0, self.explanation())


if __name__ == "__main__":
    unittest.main()
