"""What operators do, with our own client on Apache Kafka with an authoriser: access control,
quotas, credentials, features, transactions, groups of all kinds, an application of Kafka Streams
among them; what its controllers answer; ids of clients whose metrics it collects."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "java"))

import kafka_node  # noqa: E402  (its folder had to be named first)
from kafka_node import packages  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
PATIENCE_S = 600


class NodeWithAuthoriser(kafka_node.EmptyKafkaNode):
    more_settings = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS"""


class CollectingNode(kafka_node.EmptyKafkaNode):
    more_settings = "metric.reporters=millrace.clients.TelemetrySink"


class OperationsOnKafka(unittest.TestCase):
    def start(self, kind):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        node = kind(folder.name)
        self.addCleanup(node.stop)
        node.start()
        return node

    def check(self, bootstrap, what):
        done = subprocess.run([PROGRAMS / "client_admin_check", bootstrap, what],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_everything_that_operators_are_offered_works(self):
        node = self.start(NodeWithAuthoriser)
        application = self.start_streams(node)
        self.check(node.bootstrap, "operations")
        self.check(node.bootstrap, "streams")
        self.describe(node.bootstrap, "check-streams")
        application.terminate()
        application.wait(PATIENCE_S)
        self.check(node.bootstrap, "streams-ended")

    def describe(self, bootstrap, group):
        """By the command line: what the tasks of the application read, and how far it is."""
        told = subprocess.run([PROGRAMS / "millrace", "group", "describe", group, "-b", bootstrap,
                               "-o", "json"], capture_output=True, text=True, check=True,
                              timeout=PATIENCE_S)
        described = json.loads(told.stdout)
        self.assertEqual((described["state"], described["assignor"]), ("stable", ""))
        words = [row for row in described["partitions"] if row["topic"] == "check-words"]
        self.assertEqual([(row["partition"], row["end"]) for row in words], [(0, 1), (1, 1)])
        for row in words:
            self.assertIn("check-streams", row["member"])

    def start_streams(self, node):
        """An application that counts the words of two partitions, which have one each."""
        node.create_topic("check-words", 2)
        for partition in range(2):
            subprocess.run(["kcat", "-P", "-b", node.bootstrap, "-t", "check-words", "-K", ":",
                            "-p", str(partition)], input="word:\n", text=True, check=True,
                           timeout=PATIENCE_S)
        application = subprocess.Popen(
            [*packages.java("millrace.clients.Main"), "streaming", node.bootstrap, "check-streams",
             "check-words", node.folder / "streams"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(application.wait, PATIENCE_S)
        self.addCleanup(application.kill)
        return application

    def test_controllers_are_asked_and_clients_have_ids(self):
        node = self.start(CollectingNode)
        self.check(node.bootstrap, "telemetry")
        voters = kafka_node.properties(node.folder / "server.properties")[
            "controller.quorum.voters"]
        self.check(voters.partition("@")[2], "controllers")


if __name__ == "__main__":
    unittest.main()
