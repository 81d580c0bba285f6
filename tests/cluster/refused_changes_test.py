"""Changes that nobody can have: who asks for them is named in the log of the broker."""

import unittest

import kafka
from local_cluster import LocalCluster, wait_until

TOPIC = "orders"


class RefusedChangesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        with kafka.Connection(*cls.cluster.bootstrap[0]) as connection:
            assert connection.create_topic(TOPIC) == 0, cls.cluster.explanation()

    def lines_of(self, connection):
        """What the broker's log says about the client."""
        host, port = connection.socket.getsockname()
        path = self.cluster.directory / "data/logs/broker-1.log"
        log = path.read_text(encoding="utf-8", errors="replace")
        return [line for line in log.splitlines() if f"{host}:{port} " in line]

    def assert_named(self, ask, *words):
        """The request is refused, and one line names principal, client and peer."""
        with kafka.Connection(*self.cluster.bootstrap[0]) as connection:
            self.assertNotEqual(ask(connection), 0)
            wait_until(lambda: self.lines_of(connection), self.cluster.explanation())
            lines = self.lines_of(connection)
            self.assertEqual(len(lines), 1, lines)
        for word in ("warning", "User:ANONYMOUS", "client id ", *words):
            self.assertIn(word, lines[0])

    def test_who_asks_for_an_illegal_name_is_named(self):
        self.assert_named(lambda connection: connection.create_topic("a/b"),
                          "CreateTopics", '"a/b"', "INVALID_TOPIC_EXCEPTION")

    def test_who_looks_for_an_illegal_name_is_named(self):
        self.assert_named(lambda connection: connection.look_for_topic("a/b"),
                          "Metadata", '"a/b"', "illegal")

    def test_who_asks_for_too_few_partitions_is_named(self):
        self.assert_named(lambda connection: connection.create_topic("none", partitions=0),
                          '"none"', "INVALID_PARTITIONS")

    def test_who_sets_what_there_is_not_is_named(self):
        for name, value in (("no.such.setting", "1"), ("retention.ms", "soon")):
            with self.subTest(name=name):
                self.assert_named(
                    lambda connection, name=name, value=value:
                    connection.create_topic("unmade", configs=[(name, value)]),
                    '"unmade"', "INVALID_CONFIG", name)
                self.assert_named(
                    lambda connection, name=name, value=value:
                    connection.set_config(TOPIC, name, value),
                    "IncrementalAlterConfigs", f'"{TOPIC}"', "INVALID_CONFIG", name)
        self.assert_named(
            lambda connection:
            connection.alter_config(kafka.BROKER, "1", "log.retention.ms", "soon"),
            "IncrementalAlterConfigs", '"1"', "INVALID_CONFIG")

    def test_who_asks_for_what_is_there_already_is_not(self):
        with kafka.Connection(*self.cluster.bootstrap[0]) as connection:
            self.assertEqual(connection.create_topic(TOPIC), 36)
            # Whatever is said of this one comes later than what would be said of that one.
            self.assertNotEqual(connection.create_topic(".."), 0)
            wait_until(lambda: self.lines_of(connection), self.cluster.explanation())
            self.assertEqual(len(self.lines_of(connection)), 1)


if __name__ == "__main__":
    unittest.main()
