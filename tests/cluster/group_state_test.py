"""The state of groups stays small however often its members commit, and comes back after a kill.

By hand with more commits, which prints what it took; from 10,000 requests on it also has to serve
again within a second:
  tests/cluster/group_state_test.py --requests 10000
"""

import argparse
import pathlib
import struct
import sys
import time
import unittest

import kafka
from local_cluster import LocalCluster, wait_until

GROUP, TOPIC, KEYS = "counting", "counted", 1_000
IN_FLIGHT = 16
ENOUGH_BYTES = 10_000_000  # two segments and a little; the commits take three times as many
# So much is asked for by hand, on a machine that does nothing else.
REQUESTS_AT_SIZE, SERVES_SECONDS_MAX = 10_000, 1.0

requests = 700  # of one commit for each key


def commit_body(offset):
    """An OffsetCommit of version 2 by no member, of all keys."""
    rows = b"".join(struct.pack(">iq", key, offset) + b"\0\0" for key in range(KEYS))
    return (kafka.text(GROUP) + struct.pack(">i", -1) + kafka.text("") +
            struct.pack(">qi", -1, 1) + kafka.text(TOPIC) + struct.pack(">i", KEYS) + rows)


def commit_errors(answer):
    answer.take("i")
    answer.text()
    return {answer.take("ih")[1] for _ in range(answer.take("i"))}


def bytes_in(directory):
    total = 0
    for file in directory.iterdir():
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue  # it has just been cleaned away
    return total


class GroupStateTest(unittest.TestCase):

    def test_old_commits_are_cleaned_away_and_a_coordinator_that_is_killed_has_the_newest(self):
        cluster = LocalCluster()
        self.addCleanup(cluster.close)
        cluster.start()
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            self.assertEqual(connection.create_topic(TOPIC, KEYS), 0)
            self.commit_much(cluster, connection)
        wait_until(lambda: self.bytes_of_state(cluster) < ENOUGH_BYTES,
                   "old commits stay\n" + cluster.explanation())
        print(f"{requests * KEYS} commits are kept in {self.bytes_of_state(cluster)} bytes")
        killed = time.monotonic()
        cluster.kill("coordinator")
        found = []

        def is_loaded():
            try:
                with kafka.Connection(*cluster.bootstrap[0]) as connection:
                    found[:] = kafka.GroupMember(connection, GROUP).committed(TOPIC)
            except OSError:
                return False
            return found[0] == 0

        wait_until(is_loaded, f"the group is not loaded: {found}\n" + cluster.explanation())
        seconds = time.monotonic() - killed
        print(f"serves again {seconds:.2f} s after kill -9")
        self.assertEqual(found, [0, requests])
        if requests >= REQUESTS_AT_SIZE:
            self.assertLessEqual(seconds, SERVES_SECONDS_MAX, cluster.explanation())

    def commit_much(self, cluster, connection):
        wait_until(lambda: kafka.GroupMember(connection, GROUP).is_found(), cluster.explanation())
        wait_until(lambda: commit_errors(connection.ask(kafka.OFFSET_COMMIT, 2, commit_body(0))) ==
                   {0}, cluster.explanation())
        for first in range(1, requests + 1, IN_FLIGHT):
            bodies = [commit_body(n) for n in range(first, min(first + IN_FLIGHT, requests + 1))]
            for answer in connection.ask_all(kafka.OFFSET_COMMIT, 2, bodies):
                self.assertEqual(commit_errors(answer), {0}, cluster.explanation())

    def bytes_of_state(self, cluster):
        """Of the partition of __consumer_offsets which has the group."""
        partitions = pathlib.Path(cluster.directory, "data").rglob("__consumer_offsets-*")
        return max(map(bytes_in, partitions))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=requests)
    options, rest = parser.parse_known_args()
    requests = options.requests
    unittest.main(argv=[sys.argv[0], *rest])
