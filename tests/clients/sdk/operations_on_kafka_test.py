"""What operators do, with our own client on Apache Kafka with an authoriser: access control,
quotas, credentials, features, transactions, groups of all kinds."""

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
PATIENCE_S = 300


class NodeWithAuthoriser(kafka_node.EmptyKafkaNode):
    more_settings = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS"""


class OperationsOnKafka(unittest.TestCase):
    def test_everything_that_operators_are_offered_works(self):
        with tempfile.TemporaryDirectory() as folder:
            node = NodeWithAuthoriser(folder)
            self.addCleanup(node.stop)
            node.start()
            done = subprocess.run(
                [PROGRAMS / "client_admin_check", node.bootstrap, "operations"],
                capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            node.stop()


if __name__ == "__main__":
    unittest.main()
