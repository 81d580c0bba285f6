"""Every pair of process and moment comes, and the ten that tell most come in CI's ten rounds."""

import collections
import unittest

from pairs import OTHERS, TELLING, pair_of_round

SEEDS = range(50)
ROUNDS_OF_CI = 10
# What the processes have to survive, and who has a part in it.
PARTS = {
    "produce": {"broker", "controller", "coordinator"},
    "recovery": {"broker", "controller", "coordinator"},
    "topic-creation": {"broker", "controller"},
    "roll": {"broker"},
    "clean": {"broker"},
    "group-join": {"broker", "controller", "coordinator"},
    "commit": {"broker", "controller", "coordinator"},
}


class PairsTest(unittest.TestCase):

    def test_there_are_all_pairs_that_can_hit_and_no_others(self):
        wanted = {(process, moment) for moment, all_of in PARTS.items() for process in all_of}
        self.assertEqual(set(TELLING + OTHERS), wanted)
        self.assertEqual(len(TELLING + OTHERS), len(wanted), "one comes twice")

    def test_the_first_ten_rounds_have_the_ten_that_tell_most(self):
        for seed in SEEDS:
            drawn = [pair_of_round(seed, number) for number in range(ROUNDS_OF_CI)]
            self.assertEqual(sorted(drawn), sorted(TELLING))

    def test_a_hundred_rounds_have_each_pair_six_times(self):
        for seed in SEEDS:
            times = collections.Counter(pair_of_round(seed, number) for number in range(100))
            self.assertEqual(set(times), set(TELLING + OTHERS))
            self.assertGreaterEqual(min(times.values()), 6)

    def test_a_seed_says_the_order(self):
        def order(seed):
            return tuple(pair_of_round(seed, number) for number in range(100))

        self.assertEqual(order(7), order(7))
        self.assertEqual(len({order(seed) for seed in SEEDS}), len(SEEDS))
        self.assertNotEqual(order(7)[:16], order(7)[16:32], "each deck has an order of its own")


if __name__ == "__main__":
    unittest.main()
