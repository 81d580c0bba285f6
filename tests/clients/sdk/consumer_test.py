"""What our consumer offers, on a cluster of ours; sdk_on_kafka_test.py asks Apache Kafka for it."""

import os
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "cluster"))

import local_cluster  # noqa: E402  (its folder had to be named first)

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
PATIENCE_S = 360


class ConsumerOnMillrace(unittest.TestCase):

    def test_consumer_offers_places_commits_patterns_and_static_membership(self):
        cluster = local_cluster.LocalCluster()
        self.addCleanup(cluster.close)
        cluster.start()
        bootstrap = ",".join(f"{host}:{port}" for host, port in cluster.bootstrap)
        done = subprocess.run([PROGRAMS / "sdk_consumer_check", bootstrap, "offered"],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + cluster.explanation())


if __name__ == "__main__":
    unittest.main()
