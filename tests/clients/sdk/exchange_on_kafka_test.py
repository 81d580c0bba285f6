"""Records between our client and others, on Apache Kafka."""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "java")]

import exchange  # noqa: E402  (their folders had to be named first)
import kafka_node  # noqa: E402


class ExchangeOnKafka(exchange.Exchange):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        node = kafka_node.EmptyKafkaNode(folder.name)
        cls.addClassCleanup(node.stop)
        node.start()
        cls.bootstrap = node.bootstrap
        cls.logs = node.logs
        cls.prepare()


if __name__ == "__main__":
    unittest.main()
