"""Records between our client and others, on a cluster of ours."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "cluster")]

import exchange  # noqa: E402  (their folders had to be named first)
import local_cluster  # noqa: E402


class ExchangeOnMillrace(exchange.Exchange):

    @classmethod
    def setUpClass(cls):
        cluster = local_cluster.LocalCluster()
        cls.addClassCleanup(cluster.close)
        cluster.start()
        cls.bootstrap = ",".join(f"{host}:{port}" for host, port in cluster.bootstrap)
        cls.logs = cluster.directory
        cls.prepare()


if __name__ == "__main__":
    unittest.main()
