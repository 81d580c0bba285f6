#!/usr/bin/env python3
"""Kills processes of a running cluster at drawn moments, and checks that nothing was lost.

In each round a pair of process and moment is drawn from a seed, which is printed; as from a deck of
cards, so that all pairs come. A producer with acks=all writes before, during and after the kill; a
round counts only if at least 500 records were acknowledged before the kill and 500 after it within
10 s, and if the kill hit a living process at its moment.
Then every acknowledged record must be at its offset with its bytes, once, and every confirmed
commit must be read back at least as high.
"""

import argparse
import pathlib
import random
import sys
import time
import traceback

import confluent_kafka

import history as histories
from clients import GROUP, TOPIC, Producing, make_topics, read_all, read_commits
from moments import JOIN_DELAY_MS, Round, address_of
from pairs import pair_of_round

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

from local_cluster import LocalCluster  # noqa: E402  (its folder comes first)


def run_round(cluster, history, seed, round_number, first_value):
    """Gives the number of the first value that the next round may use."""
    bootstrap = address_of(cluster)
    producing = Producing(bootstrap, history, first_value)
    producing.start()
    one = Round(cluster, history, random.Random(seed * 1_000_003 + round_number), round_number,
                *pair_of_round(seed, round_number))
    begin = time.monotonic()
    try:
        one.run()
    finally:
        next_value = producing.finish()
    problems = [f"a record failed: {failure}" for failure in producing.failures]
    problems += history.check_records(read_all(bootstrap))
    problems += history.check_commits(read_commits(bootstrap, list(history.commits())))
    missed = f", after {one.misses} at other moments" if one.misses else ""
    print(
        f"round {round_number}: kill -9 of the {one.process} during {one.moment}{missed}, "
        f"{history.count()} records, {time.monotonic() - begin:.1f} s",
        flush=True,
    )
    if problems:
        raise RuntimeError(f"round {round_number}: " + "; ".join(problems[:10]))
    return next_value


def run(cluster, seed, rounds):
    history = histories.History()
    cluster.start()
    make_topics(address_of(cluster))
    # Who asks for commits makes the topic of the groups' state: a coordinator has it to recover.
    read_commits(address_of(cluster), [(GROUP, TOPIC, 0)])
    value = 0
    for round_number in range(rounds):
        value = run_round(cluster, history, seed, round_number, value)
    status = cluster.stop()
    if status != 0:
        raise RuntimeError(f"the cluster ended with {status}")
    print(f"{rounds} rounds, {history.count()} records and {history.confirmed()} commits kept")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {arguments.seed}, {arguments.rounds} rounds", flush=True)
    cluster = LocalCluster(
        "--set", "log.cleaner.backoff.ms=200",
        "--set", f"group.initial.rebalance.delay.ms={JOIN_DELAY_MS}"
    )
    status = 1
    try:
        run(cluster, arguments.seed, arguments.rounds)
        status = 0
    except (AssertionError, RuntimeError, confluent_kafka.KafkaException) as error:
        traceback.print_exc()  # with the error before it, if there was one
        print(
            f"failed: {error}\n{cluster.explanation()}"
            f"seed {arguments.seed}; data and logs are kept in {cluster.directory}",
            file=sys.stderr,
        )
    finally:
        cluster.close(keep=status != 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
