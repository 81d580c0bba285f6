"""The newest kafka-python, whose administration has other names than Debian's."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

KafkaPython = client_tests.cases_of(
    "KafkaPython", lambda: [packages.python(), HERE / "kafka_python_client.py"],
    ("range", "roundrobin", "sticky", "cooperative-sticky"),
    ("topics", "configs", "records", "groups", "cluster", "deletion"))

if __name__ == "__main__":
    unittest.main()
