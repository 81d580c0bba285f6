"""franz-go: the newest of everything that a broker offers."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

FranzGo = client_tests.cases_of(
    "FranzGo", lambda: [packages.go("franz-go")],
    ("range", "roundrobin", "sticky", "cooperative-sticky"),
    ("topics", "configs", "records", "groups", "cluster", "deletion"))

if __name__ == "__main__":
    unittest.main()
