"""aiokafka: asyncio, written from the protocol."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

AioKafka = client_tests.cases_of(
    "AioKafka", lambda: [packages.python(), HERE / "aiokafka_client.py"],
    ("range", "roundrobin", "sticky"),
    ("topics", "configs", "records", "groups", "cluster", "deletion"))

if __name__ == "__main__":
    unittest.main()
