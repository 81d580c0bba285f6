"""What a broker makes of its file at its start."""

import pathlib
import struct
import subprocess
import tempfile
import unittest

import kafka
from local_cluster import PATIENCE_SECONDS, PROGRAMS, LocalCluster, wait_until
from ports import free_port

FAILURE = 1
DELETE_TOPICS = 20
INVALID_REQUEST, TOPIC_DELETION_DISABLED = 42, 73


class SettingsAtStartTest(unittest.TestCase):

    def broker_without_controller(self, *settings):
        """What a broker writes that no controller answers; it gives up soon, and ends by itself."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "server.properties"
            file.write_text("\n".join((
                "node.id=1", f"log.dirs={folder}/log",
                f"listeners=PLAINTEXT://127.0.0.1:{free_port()}",
                f"controller.quorum.voters=3000@127.0.0.1:{free_port()}",
                "initial.broker.registration.timeout.ms=300", *settings)), encoding="utf-8")
            done = subprocess.run([PROGRAMS / "millrace-broker", "--config", file],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False, timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, FAILURE, done.stderr)
        return done.stderr

    def test_a_broker_that_no_controller_registers_gives_up(self):
        self.assertIn("not registered within initial.broker.registration.timeout.ms=300",
                      self.broker_without_controller())

    def test_what_has_no_effect_is_said(self):
        said = self.broker_without_controller("transaction.max.timeout.ms=1000",
                                              "replica.fetch.wait.max.ms=20",
                                              "replica.fetch.min.bytes=1", "num.io.threads=16")
        self.assertIn("replica.fetch.wait.max.ms has no effect: replication", said)
        self.assertIn("num.io.threads has no effect", said)
        self.assertNotIn("replica.fetch.min.bytes has", said, "it is so anyway")
        self.assertNotIn("transaction.max.timeout.ms has", said, "the coordinator says it")

    def cluster(self, *settings):
        cluster = LocalCluster(*(word for setting in settings for word in ("--set", setting)))
        self.addCleanup(cluster.close)
        cluster.start()
        connection = kafka.Connection(*cluster.bootstrap[0])
        self.addCleanup(connection.socket.close)
        self.assertEqual(connection.create_topic("kept"), 0, cluster.explanation())
        return cluster, connection

    def test_topics_are_not_deleted_where_that_is_not_enabled(self):
        cluster, connection = self.cluster("delete.topic.enable=false")
        body = struct.pack(">i", 1) + kafka.text("kept") + struct.pack(">i", 30_000)
        # Clients of earlier versions do not know the code that says why.
        for version, code in ((2, INVALID_REQUEST), (3, TOPIC_DELETION_DISABLED)):
            answer = connection.ask(DELETE_TOPICS, version, body)
            self.assertEqual(answer.take("ii")[1], 1, cluster.explanation())
            self.assertEqual((answer.text(), answer.take("h")), ("kept", code), f"v{version}")
        wait_until(lambda: connection.produce("kept", 0, [b"still there"])[0] == 0,
                   "the topic is gone\n" + cluster.explanation())

    @staticmethod
    def fetch_session(connection):
        """The session that a first fetch begins; 0 if there is none."""
        body = struct.pack(">iiiibii", -1, 0, 0, 1 << 20, 0, 0, 0)
        partition = struct.pack(">iqqi", 0, 0, 0, 1 << 20)
        body += struct.pack(">i", 1) + kafka.text("kept") + struct.pack(">i", 1) + partition
        return connection.ask(kafka.FETCH, 7, body + struct.pack(">i", 0)).take("ihi")

    def test_no_more_fetch_sessions_are_remembered_than_there_are_slots(self):
        for slots in (0, 2):
            with self.subTest(slots=slots):
                cluster, connection = self.cluster(
                    f"max.incremental.fetch.session.cache.slots={slots}", "millrace.shards=1")
                answers = [self.fetch_session(connection) for _ in range(4)]
                self.assertEqual({error for _, error, _ in answers}, {0}, cluster.explanation())
                sessions = [session for _, _, session in answers]
                self.assertEqual([session != 0 for session in sessions],
                                 [number < slots for number in range(4)], sessions)


if __name__ == "__main__":
    unittest.main()
