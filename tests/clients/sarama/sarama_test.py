"""sarama: another client in Go, on older versions of most requests."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

Sarama = client_tests.cases_of(
    "Sarama", lambda: [packages.go("sarama")],
    ("range", "roundrobin", "sticky"),
    ("topics", "configs", "records", "groups", "cluster", "deletion"))

if __name__ == "__main__":
    unittest.main()
