"""What must not be is found: a lost record, another one in its place, one twice, a lost commit."""

import unittest

from history import History

PLACE = ("topic", 0)


class HistoryTest(unittest.TestCase):

    def setUp(self):
        self.history = History()
        for offset, value in enumerate(("a", "b", "c")):
            self.history.acknowledged(*PLACE, offset, value)
        for offset in (7, 9, 8):
            self.history.committed("group", *PLACE, offset)

    def problems(self, log):
        return [problem.split(":")[0] for problem in self.history.check_records({PLACE: log})]

    def test_all_that_was_acknowledged_is_there(self):
        self.assertEqual(self.problems({0: "a", 1: "b", 2: "c", 3: "not acknowledged"}), [])

    def test_finds_a_lost_record(self):
        self.assertEqual(self.problems({0: "a", 2: "c"}), ["lost-write"])
        self.assertEqual(len(self.history.check_records({})), 3)

    def test_finds_another_record_in_its_place(self):
        self.assertEqual(self.problems({0: "a", 1: "x", 2: "c"}), ["inconsistent-offsets"])

    def test_finds_a_record_that_is_there_twice(self):
        self.assertEqual(self.problems({0: "a", 1: "b", 2: "c", 3: "b"}), ["duplicate"])

    def test_finds_a_commit_that_is_lost_or_older(self):
        key = ("group", *PLACE)
        self.assertEqual(self.history.check_commits({key: 9}), [])
        self.assertEqual(self.history.check_commits({key: 10}), [])
        self.assertEqual(len(self.history.check_commits({key: 8})), 1)
        self.assertEqual(len(self.history.check_commits({})), 1)


if __name__ == "__main__":
    unittest.main()
