"""What a broker makes of its file at its start."""

import pathlib
import subprocess
import tempfile
import unittest

from local_cluster import PATIENCE_SECONDS, PROGRAMS
from ports import free_port

FAILURE = 1


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


if __name__ == "__main__":
    unittest.main()
