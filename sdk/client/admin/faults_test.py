"""What operators ask for over connections that break, stand still and change bits: questions are
answered, and what is said to be done is.
"""

import json
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/cluster"))
from fault_proxy import BREAKS, FLIPS, FaultProxy, behind  # noqa: E402  (its folder comes first)
from local_cluster import PROGRAMS, wait_until  # noqa: E402

PATIENCE_SECONDS = 400
FAULTS_OF_A_KIND, FAULTS_MIXED, TOPICS = 2, 15, 30
# These hold answers up, and break nothing; as many as come about.
DELAYS, DELAYS_MAX = ("slow", "hold"), 10_000
# Answers that are not waited for long, and are asked for again for long.
QUICK = ("-X", "request.timeout.ms=1000", "-X", "retry.backoff.ms=10",
         "-X", "reconnect.backoff.ms=10", "-X", "reconnect.backoff.max.ms=100",
         "--timeout", "180")


class AdminFaultsTest(unittest.TestCase):

    def setUp(self):
        self.proxy = FaultProxy()
        self.addCleanup(self.proxy.close)
        self.cluster = behind(self.proxy)
        self.addCleanup(self.cluster.close)

    def explanation(self):
        return self.proxy.explanation() + self.cluster.explanation()

    def run_program(self, *words):
        return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS, check=False)

    def ask(self, *words):
        return self.run_program(PROGRAMS / "millrace", *words, "-b",
                                f"127.0.0.1:{self.proxy.port}", *QUICK)

    def topics(self):
        """All that there are; it is not to fail."""
        listed = self.ask("topic", "list", "-o", "json")
        self.assertEqual(listed.returncode, 0, listed.stderr + self.explanation())
        return {topic["name"] for topic in json.loads(listed.stdout)["topics"]}

    def test_questions_are_answered_though_connections_break(self):
        self.assertEqual(self.ask("topic", "create", "orders").returncode, 0)

        def is_over():
            self.assertEqual(self.topics(), {"orders"})
            return self.proxy.is_spent()
        for kind in BREAKS + FLIPS[:2]:
            self.proxy.begin([kind], FAULTS_OF_A_KIND)
            wait_until(is_over, f"{kind} does not come about")

    def test_what_is_said_to_be_done_is(self):
        self.proxy.begin(BREAKS + FLIPS[:2], FAULTS_MIXED)
        made = {}
        for i in range(TOPICS):
            made[f"topic-{i}"] = self.ask("topic", "create", f"topic-{i}")
        struck = len(self.proxy.struck)
        self.proxy.calm()
        there = self.topics()
        for name, outcome in made.items():
            if outcome.returncode == 0:
                self.assertIn(name, there, self.explanation())
            else:
                # Made by a request whose answer was lost, or said not to be known.
                self.assertRegex(outcome.stderr, "TOPIC_ALREADY_EXISTS|time|connection",
                                 self.explanation())
        self.assertGreater(struck, 0)
        self.assertGreater(sum(outcome.returncode == 0 for outcome in made.values()), TOPICS // 2,
                           [outcome.stderr for outcome in made.values()])

    def test_everything_works_over_a_network_that_dawdles(self):
        self.proxy.begin(DELAYS, DELAYS_MAX)
        done = self.run_program(PROGRAMS / "client_admin_check", f"127.0.0.1:{self.proxy.port}")
        self.assertEqual(done.returncode, 0, done.stderr + self.explanation())
        self.assertGreater(len(self.proxy.struck), 0)


if __name__ == "__main__":
    unittest.main()
