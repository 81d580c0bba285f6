"""Whoever has read the ready line can produce and work in groups: no request has to be repeated."""

import struct
import unittest

import kafka
from local_cluster import LocalCluster

TOPIC, PARTITIONS = "ready", 100
# Of whose coordinator's 50 partitions each has some.
GROUPS = [f"group-{number}" for number in range(250)]
# Its state takes longer to load than that of others.
LARGE_GROUP, LARGE_COMMITS, IN_FLIGHT = "large", 3000, 50
NOT_COORDINATOR = 16


def produce_error(answer):
    answer.take("i")
    answer.text()
    return answer.take("iih")[2]


def join_body(group):
    return (kafka.text(group) + struct.pack(">ii", 30_000, 30_000) + kafka.text("") +
            kafka.text("consumer") + struct.pack(">i", 1) + kafka.text("range") +
            struct.pack(">i", 4) + b"meta")


def commit_body(group):
    """Of nobody, as from those who assign partitions by hand."""
    return (kafka.text(group) + struct.pack(">i", -1) + kafka.text("") +
            struct.pack(">qi", -1, 1) + kafka.text(TOPIC) + struct.pack(">iiq", 1, 0, 7) +
            kafka.text(""))


def large_commit_body(offset):
    """Of all partitions at once."""
    rows = b"".join(struct.pack(">iq", key, offset) + b"\0\0" for key in range(PARTITIONS))
    return (kafka.text(LARGE_GROUP) + struct.pack(">i", -1) + kafka.text("") +
            struct.pack(">qi", -1, 1) + kafka.text(TOPIC) + struct.pack(">i", PARTITIONS) + rows)


def commit_error(answer):
    answer.take("i")
    answer.text()
    return answer.take("iih")[2]


class ReadyTest(unittest.TestCase):

    def setUp(self):
        self.cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=0")
        self.addCleanup(self.cluster.close)

    def connect(self):
        connection = kafka.Connection(*self.cluster.bootstrap[0])
        self.addCleanup(connection.socket.close)
        return connection

    def assert_all_succeed(self, answers, error_of, when):
        errors = [error_of(answer) for answer in answers]
        wrong = {f"{error} at {number}" for number, error in enumerate(errors) if error}
        self.assertEqual(wrong, set(), f"{when}\n" + self.cluster.explanation())

    def commit_in_all(self, when):
        answers = self.connect().ask_all(kafka.OFFSET_COMMIT, 2,
                                         [commit_body(group) for group in GROUPS])
        self.assert_all_succeed(answers, commit_error, f"commits {when}")

    def produce_to_all(self, when):
        batch = kafka.record_batch([b"now"])
        bodies = [kafka.produce_body(TOPIC, number, batch) for number in range(PARTITIONS)]
        answers = self.connect().ask_all(kafka.PRODUCE, 7, bodies)
        self.assert_all_succeed(answers, produce_error, f"records {when}")

    def test_members_join_at_once_and_others_commit(self):
        self.cluster.start()
        connection = self.connect()
        answers = connection.ask_all(kafka.JOIN_GROUP, 2, [join_body(group) for group in GROUPS])
        self.assert_all_succeed(answers, lambda answer: answer.take("ih")[1], "joins")
        self.assertEqual(connection.create_topic(TOPIC, PARTITIONS), 0)
        member = kafka.GroupMember(connection, "works")
        self.assertEqual(member.join(), 0)
        self.assertEqual(member.commit(TOPIC, 3), 0)
        self.assertEqual(member.committed(TOPIC), (0, 3))
        self.produce_to_all("of a new topic")

    def test_groups_and_topics_of_before_serve_at_once(self):
        self.cluster.start()
        self.assertEqual(self.connect().create_topic(TOPIC, PARTITIONS), 0)
        self.commit_in_all("of a new cluster")
        self.produce_to_all("of a new topic")
        self.assertEqual(self.cluster.stop(), 0, self.cluster.explanation())
        self.cluster.start()
        self.commit_in_all("after a stop")
        self.produce_to_all("after a stop")
        self.cluster.kill_all()
        self.cluster.start()
        self.produce_to_all("after a kill")
        self.commit_in_all("after a kill")

    def test_a_group_whose_state_is_large_serves_at_once(self):
        self.cluster.start()
        connection = self.connect()
        self.assertEqual(connection.create_topic(TOPIC, PARTITIONS), 0)
        for first in range(1, LARGE_COMMITS + 1, IN_FLIGHT):
            bodies = [large_commit_body(number) for number in range(first, first + IN_FLIGHT)]
            answers = connection.ask_all(kafka.OFFSET_COMMIT, 2, bodies)
            self.assert_all_succeed(answers, commit_error, "large commits")
        for again in (self.cluster.stop, self.cluster.kill_all):
            again()
            self.cluster.start()
            self.assertEqual(kafka.GroupMember(self.connect(), LARGE_GROUP).committed(TOPIC),
                             (0, LARGE_COMMITS), f"after {again.__name__}")

    def test_damage_to_the_state_of_some_groups_keeps_no_other_from_being_served(self):
        self.cluster.start()
        self.assertEqual(self.connect().create_topic(TOPIC, PARTITIONS), 0)
        self.commit_in_all("of a new cluster")
        self.assertEqual(self.cluster.stop(), 0, self.cluster.explanation())
        damaged = max((self.cluster.directory / "data").glob("**/__consumer_offsets-*/*.log"),
                      key=lambda log: log.stat().st_size)
        bytes_there = bytearray(damaged.read_bytes())
        bytes_there[-1] ^= 0xff
        damaged.write_bytes(bytes_there)
        self.cluster.start()
        answers = self.connect().ask_all(kafka.OFFSET_COMMIT, 2,
                                         [commit_body(group) for group in GROUPS])
        errors = [commit_error(answer) for answer in answers]
        self.assertEqual(set(errors), {0, NOT_COORDINATOR}, self.cluster.explanation())
        self.assertLess(errors.count(NOT_COORDINATOR), len(GROUPS) // 10)
        partition = damaged.parent.name.rsplit("-", 1)[1]
        self.assertIn(f"the groups of partition {partition} are not served",
                      self.cluster.log_of("coordinator"))


if __name__ == "__main__":
    unittest.main()
