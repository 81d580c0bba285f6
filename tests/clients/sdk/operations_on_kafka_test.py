"""What operators do, with our own client on Apache Kafka with an authoriser: access control,
quotas, credentials, features, transactions, groups of all kinds; what its controllers answer; ids
of clients whose metrics it collects."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "java"))

import kafka_node  # noqa: E402  (its folder had to be named first)

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
        self.check(self.start(NodeWithAuthoriser).bootstrap, "operations")

    def test_controllers_are_asked_and_clients_have_ids(self):
        node = self.start(CollectingNode)
        self.check(node.bootstrap, "telemetry")
        voters = kafka_node.properties(node.folder / "server.properties")[
            "controller.quorum.voters"]
        self.check(voters.partition("@")[2], "controllers")


if __name__ == "__main__":
    unittest.main()
