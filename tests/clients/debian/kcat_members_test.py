"""kcat as a client of groups. It has no administration, and librdkafka no eager sticky assignor."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)

KcatMembers = client_tests.cases_of(
    "KcatMembers", lambda: [sys.executable, HERE / "kcat_client.py"],
    ("range", "roundrobin", "cooperative-sticky"), admin_calls=())

if __name__ == "__main__":
    unittest.main()
