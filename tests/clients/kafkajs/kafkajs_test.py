"""kafkajs: Node. It knows one assignor and no static members."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import client_tests  # noqa: E402  (its folder had to be named first)
import packages  # noqa: E402

KafkaJs = client_tests.cases_of(
    "KafkaJs", lambda: ["node", packages.node("kafkajs") / "client.js"], ("roundrobin",),
    ("topics", "configs", "records", "groups", "cluster", "deletion"), has_static_members=False)

if __name__ == "__main__":
    unittest.main()
