"""The newest confluent-kafka, whose administration has what Debian's has not."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

ConfluentKafka = client_tests.cases_of(
    "ConfluentKafka", lambda: [packages.python(), HERE / "confluent_kafka_client.py"],
    ("range", "roundrobin", "cooperative-sticky"),
    ("topics", "configs", "records", "groups", "cluster", "deletion"))

if __name__ == "__main__":
    unittest.main()
