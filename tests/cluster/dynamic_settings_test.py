"""What is set for brokers counts at once, for topics that set nothing of their own."""

import unittest

import kafka
from local_cluster import LocalCluster, wait_until

ALL_BROKERS, THIS_BROKER = "", "1"
INVALID_CONFIG = 40
MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, INVALID_RECORD = 10, 32, 87
NO_KEY_VALUE = b"x"
LARGE_VALUE = b"x" * 5_000


class DynamicSettingsTest(unittest.TestCase):

    def start(self, *arguments):
        self.cluster = LocalCluster(*arguments)
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        connection = self.connect()
        for topic, own in (("plain", ()), ("own", [("max.message.bytes", "100000")])):
            self.assertEqual(connection.create_topic(topic, 2, own), 0, self.cluster.explanation())
        return connection

    def connect(self):
        connection = kafka.Connection(*self.cluster.bootstrap[0])
        self.addCleanup(connection.socket.close)
        return connection

    def set(self, connection, name, value, broker=ALL_BROKERS):
        self.assertEqual(connection.alter_config(kafka.BROKER, broker, name, value), 0,
                         self.cluster.explanation())

    def error_of(self, connection, topic, value):
        """Of both partitions, which may live on different shards."""
        errors = {connection.produce(topic, partition, [value])[0] for partition in (0, 1)}
        self.assertEqual(len(errors), 1, f"{errors}")
        return errors.pop()

    def test_the_size_of_messages_changes_at_once_and_back(self):
        connection = self.start()
        self.assertEqual(self.error_of(connection, "plain", LARGE_VALUE), 0)
        self.set(connection, "message.max.bytes", "1000")
        self.assertEqual(self.error_of(connection, "plain", LARGE_VALUE), MESSAGE_TOO_LARGE)
        self.assertEqual(self.error_of(connection, "own", LARGE_VALUE), 0)
        self.assertEqual(connection.create_topic("later", 2), 0)
        self.assertEqual(self.error_of(connection, "later", LARGE_VALUE), MESSAGE_TOO_LARGE)
        # What is set for one broker counts before what is set for all.
        self.set(connection, "message.max.bytes", "50000", THIS_BROKER)
        self.assertEqual(self.error_of(connection, "plain", LARGE_VALUE), 0)
        self.set(connection, "message.max.bytes", None, THIS_BROKER)
        self.assertEqual(self.error_of(connection, "plain", LARGE_VALUE), MESSAGE_TOO_LARGE)
        self.set(connection, "message.max.bytes", None)
        self.assertEqual(self.error_of(connection, "plain", LARGE_VALUE), 0)

    def test_how_records_are_kept_changes_at_once(self):
        connection = self.start()
        self.assertEqual(self.error_of(connection, "plain", NO_KEY_VALUE), 0)
        self.set(connection, "log.cleanup.policy", "compact")
        self.assertEqual(self.error_of(connection, "plain", NO_KEY_VALUE), INVALID_RECORD)
        self.set(connection, "log.cleanup.policy", None)
        self.set(connection, "log.message.timestamp.before.max.ms", "1000")
        self.assertEqual(self.error_of(connection, "plain", NO_KEY_VALUE), INVALID_TIMESTAMP)
        self.set(connection, "log.message.timestamp.before.max.ms", None)
        self.assertEqual(self.error_of(connection, "plain", NO_KEY_VALUE), 0)

    def test_segments_and_retention_change_at_once_and_outlive_a_kill(self):
        # The records are older than any retention by time.
        connection = self.start("--set", "log.retention.check.interval.ms=50",
                                "--set", "log.retention.ms=-1")
        self.set(connection, "log.segment.bytes", str(1 << 20))
        self.set(connection, "log.retention.bytes", "1")
        large = [b"x" * 300_000] * 3
        for _ in range(4):
            self.assertEqual(connection.produce("plain", 0, large)[0], 0)
        wait_until(lambda: connection.earliest("plain", 0) == (0, 9),
                   "old segments stay\n" + self.cluster.explanation())
        self.cluster.kill("broker")
        outcome = []

        def is_written():
            try:
                with kafka.Connection(*self.cluster.bootstrap[0]) as again:
                    outcome[:] = again.produce("plain", 0, large)
            except OSError:
                return False
            return outcome[0] not in kafka.NOT_READY

        wait_until(is_written, f"not written: {outcome}\n" + self.cluster.explanation())
        self.assertEqual(outcome, [0, 12])
        connection = self.connect()
        wait_until(lambda: connection.earliest("plain", 0) == (0, 12),
                   "old segments stay after the kill\n" + self.cluster.explanation())

    def test_a_setting_that_would_change_nothing_is_refused(self):
        connection = self.start()
        for kind, resource, name, value in (
                (kafka.BROKER, THIS_BROKER, "listeners", "PLAINTEXT://127.0.0.1:1"),
                (kafka.BROKER, THIS_BROKER, "listener.security.protocol.map",
                 "PLAINTEXT:PLAINTEXT"),
                (kafka.BROKER, THIS_BROKER, "ssl.client.auth", "required"),
                (kafka.BROKER, ALL_BROKERS, "num.recovery.threads.per.data.dir", "4"),
                (kafka.BROKER, ALL_BROKERS, "num.io.threads", "16"),
                (kafka.BROKER, ALL_BROKERS, "transaction.partition.verification.enable", "false"),
                (kafka.TOPIC, "plain", "preallocate", "true")):
            self.assertEqual(connection.alter_config(kind, resource, name, value), INVALID_CONFIG,
                             f"{name}\n{self.cluster.explanation()}")

    def test_settings_that_contradict_each_other_are_refused_and_end_no_broker(self):
        connection = self.start("--set", "log.cleaner.min.compaction.lag.ms=60000")
        least, most = "log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"
        alter = connection.alter_config
        self.assertEqual(alter(kafka.BROKER, ALL_BROKERS, most, "59999"), INVALID_CONFIG)
        self.assertEqual(alter(kafka.BROKER, THIS_BROKER, most, "59999"), INVALID_CONFIG)
        self.assertEqual(alter(kafka.TOPIC, "plain", "max.compaction.lag.ms", "1"), INVALID_CONFIG)
        self.set(connection, least, "1000")
        self.set(connection, most, "59999")
        self.assertEqual(alter(kafka.BROKER, ALL_BROKERS, least, None), INVALID_CONFIG)
        self.assertEqual(self.error_of(connection, "plain", LARGE_VALUE), 0)

    def test_limits_of_connections_change_for_those_who_come_then(self):
        connection = self.start()

        def is_served():
            try:
                with kafka.Connection(*self.cluster.bootstrap[0]) as another:
                    return bool(another.api_versions())
            except OSError:
                return False

        self.assertTrue(is_served())
        # A limit that the connection of the test has reached.
        for name, low in (("max.connections.per.ip", "1"), ("max.connections", "1"),
                          ("max.connections.per.ip.overrides", "127.0.0.1:1")):
            self.set(connection, name, low)
            self.assertFalse(is_served(), name)
            self.assertTrue(connection.api_versions(), "who is here stays")
            self.set(connection, name, None)
            # Connections that have ended are counted a moment longer; the limit is far away again.
            self.assertTrue(is_served(), name)


if __name__ == "__main__":
    unittest.main()
