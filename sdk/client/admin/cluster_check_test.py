"""An administrative client does everything against a cluster of real processes."""

import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests/cluster"))

from local_cluster import PROGRAMS, LocalCluster  # noqa: E402

PATIENCE_SECONDS = 300


class ClusterCheckTest(unittest.TestCase):
    def setUp(self):
        self.cluster = LocalCluster().start()
        self.addCleanup(self.cluster.close)

    def check(self):
        host, port = self.cluster.bootstrap[0]
        return subprocess.run([PROGRAMS / "client_admin_check", f"{host}:{port}"],
                              capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              check=False)

    def test_every_call_works_and_refuses_what_is_wrong(self):
        # Twice: the second finds what the first has left.
        for _ in range(2):
            done = self.check()
            self.assertEqual(done.returncode, 0, done.stderr + self.cluster.explanation())

    def test_a_cluster_that_is_not_there_is_named(self):
        done = subprocess.run([PROGRAMS / "client_admin_check", "not-an-address"],
                              capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("bootstrap.servers", done.stderr)


if __name__ == "__main__":
    unittest.main()
