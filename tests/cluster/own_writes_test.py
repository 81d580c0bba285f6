"""What a client has changed is there for it when it has its answer: nothing is tried again here."""

import struct
import unittest

import kafka
from local_cluster import LocalCluster

CREATE_PARTITIONS, DELETE_TOPICS, DESCRIBE_CONFIGS, ALTER_CONFIGS = 37, 20, 32, 33
UNKNOWN_TOPIC = 3
ROUNDS = 20


def resource(topic):
    return b"\2" + kafka.text(topic)


def retention_of(connection, topic):
    """(error code, value of retention.ms)."""
    names = struct.pack(">i", 1) + kafka.text("retention.ms")
    answer = connection.ask(DESCRIBE_CONFIGS, 1,
                            struct.pack(">i", 1) + resource(topic) + names + b"\0")
    answer.take("ii")
    error = answer.take("h")
    answer.take_bytes(answer.take("h"))
    answer.take("b")
    answer.text()
    if answer.take("i") == 0:
        return error, None
    answer.text()
    return error, answer.text()


def alter_retention(connection, topic, value):
    """The error code of AlterConfigs."""
    setting = struct.pack(">i", 1) + kafka.text("retention.ms") + kafka.text(value)
    answer = connection.ask(ALTER_CONFIGS, 0,
                            struct.pack(">i", 1) + resource(topic) + setting + b"\0")
    answer.take("ii")
    return answer.take("h")


def create_partitions(connection, topic, count):
    """The error code of CreatePartitions."""
    body = struct.pack(">i", 1) + kafka.text(topic) + struct.pack(">iii?", count, -1, 30_000, False)
    answer = connection.ask(CREATE_PARTITIONS, 0, body)
    answer.take("ii")
    answer.text()
    return answer.take("h")


def delete_topic(connection, topic):
    """The error code of DeleteTopics."""
    answer = connection.ask(DELETE_TOPICS, 1,
                            struct.pack(">i", 1) + kafka.text(topic) + struct.pack(">i", 30_000))
    answer.take("ii")
    answer.text()
    return answer.take("h")


class OwnWritesTest(unittest.TestCase):

    def test_every_change_is_there_when_it_is_answered(self):
        cluster = LocalCluster()
        self.addCleanup(cluster.close)
        cluster.start()
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            for number in range(ROUNDS):
                topic = f"topic-{number}"
                self.assertEqual(connection.create_topic(topic, 3), 0, cluster.explanation())
                for partition in range(3):
                    self.assertEqual(connection.produce(topic, partition, [b"at once"]), (0, 0))
                self.assertEqual(alter_retention(connection, topic, "12345"), 0)
                self.assertEqual(retention_of(connection, topic), (0, "12345"))
                self.assertEqual(create_partitions(connection, topic, 5), 0)
                self.assertEqual(connection.produce(topic, 4, [b"at once"]), (0, 0))
                self.assertEqual(delete_topic(connection, topic), 0)
                self.assertEqual(connection.produce(topic, 0, [b"too late"])[0], UNKNOWN_TOPIC)


if __name__ == "__main__":
    unittest.main()
