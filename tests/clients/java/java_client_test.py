"""Apache Kafka's own Java clients: producer, consumer, administration."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

Java = client_tests.cases_of(
    "Java", lambda: packages.java("millrace.clients.Main"),
    ("range", "roundrobin", "sticky", "cooperative-sticky"),
    ("topics", "configs", "records", "groups", "offsets", "cluster", "deletion"))

if __name__ == "__main__":
    unittest.main()
