#!/usr/bin/env python3
"""Kills processes of a running cluster at drawn moments, and checks that nothing was lost.

In each round a process and a moment are drawn from a seed, which is printed; as from a deck of
cards, so that a few rounds have them all. A producer with
acks=all writes before, during and after the kill; a round counts only if at least 500 records were
acknowledged before the kill and 500 after it within 10 s, and if the kill hit a living process.
Then every acknowledged record must be at its offset with its bytes, once, and every confirmed
commit must be read back at least as high.
"""

import argparse
import os
import pathlib
import random
import sys
import time
import traceback

import confluent_kafka
from confluent_kafka import admin

import history as histories
from clients import (
    COMPACTED, PARTITIONS, PATIENCE_S, TOPIC, Committing, Producing, make_topics, read_all,
    read_commits,
)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

from local_cluster import LocalCluster, wait_until  # noqa: E402  (its folder comes first)

RECORDS_MIN = 500
AFTER_WAIT_S = 10

PROCESSES = ("broker", "controller", "coordinator")
# Where a kill may come; each names the work that goes on meanwhile.
MOMENTS = ("produce", "recovery", "topic-creation", "roll", "clean", "group-join", "commit")


def wait_for_records(history, count, seconds):
    deadline = time.monotonic() + seconds
    while history.count() < count:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Round:
    """One kill, with what goes on around it."""

    def __init__(self, cluster, history, draw, number, process, moment):
        self._cluster = cluster
        self._bootstrap = address_of(cluster)
        self._history = history
        self._draw = draw
        self._number = number
        self._killed = None  # the time, and what was acknowledged by then
        self.process = process
        self.moment = moment

    def run(self):
        before = self._history.count()
        if not wait_for_records(self._history, before + RECORDS_MIN, PATIENCE_S):
            raise RuntimeError("no 500 records were acknowledged before the kill within 60 s")
        finish = getattr(self, "_" + self.moment.replace("-", "_"))()
        when, count = self._killed
        seconds_left = when + AFTER_WAIT_S - time.monotonic()
        if not wait_for_records(self._history, count + RECORDS_MIN, seconds_left):
            got = self._history.count() - count
            raise RuntimeError(
                f"only {got} records were acknowledged within 10 s after kill -9 of the "
                f"{self.process} during {self.moment}"
            )
        if finish is not None:
            finish()

    def _pause(self, seconds_max):
        time.sleep(self._draw.random() * seconds_max)

    def _kill(self):
        """Gives the number of the process that died."""
        victim = self._cluster.end(self.process)
        self._killed = (time.monotonic(), self._history.count())
        return victim

    # Each of these kills at its moment, and gives what has to come to its end after it.

    def _produce(self):
        self._pause(0.2)
        self._kill()

    def _recovery(self):
        # Killed again while it still recovers from the first time.
        first = self._kill()
        self._cluster.wait_for(self.process, other_than=first)
        self._pause(0.1)
        self._kill()

    def _topic_creation(self):
        client = admin.AdminClient({"bootstrap.servers": self._bootstrap})
        name = f"made-{self._number}-{self._draw.randrange(1 << 30)}"
        futures = client.create_topics([admin.NewTopic(name, 20, 1)])
        self._pause(0.05)
        self._kill()
        return lambda: check_topic(client, name, futures[name])

    def _roll(self):
        self._wait_for_file(TOPIC, ".log")
        self._pause(0.01)
        self._kill()

    def _clean(self):
        self._wait_for_file(COMPACTED, ".cleaned")
        self._pause(0.01)
        self._kill()

    def _wait_for_file(self, topic, suffix):
        """Returns as soon as a partition of the topic has a file that it had not."""
        known = self._files(topic, suffix)
        deadline = time.monotonic() + PATIENCE_S
        while self._files(topic, suffix) <= known:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no partition of {topic} has got a new file {suffix}")
            time.sleep(0.001)

    def _files(self, topic, suffix):
        logs = self._cluster.directory / "data/broker-1/log"
        return {
            f"{partition}/{name}"
            for partition in range(PARTITIONS)
            for name in os.listdir(logs / f"{topic}-{partition}")
            if name.endswith(suffix)
        }

    def _group_join(self):
        member = Committing(self._bootstrap, self._history)
        member.start()
        self._pause(0.5)
        self._kill()
        return member.finish

    def _commit(self):
        member = Committing(self._bootstrap, self._history)
        member.start()
        member.wait_for_commit()
        self._pause(1)
        self._kill()
        return member.finish


def check_topic(client, name, future):
    """A topic that was said to be made is there."""
    try:
        future.result(PATIENCE_S)
    except confluent_kafka.KafkaException:
        return  # it was refused, or nobody knows

    def is_there():
        try:
            return name in client.list_topics(name, timeout=5).topics
        except confluent_kafka.KafkaException:
            return False

    wait_until(is_there, f"topic {name} was made and is not there")


def address_of(cluster):
    return ",".join(f"{host}:{port}" for host, port in cluster.bootstrap)


def drawn(choices, seed, round_number):
    """What a round gets of the choices: each comes once before any of them comes again."""
    deck, place = divmod(round_number, len(choices))
    cards = list(choices)
    random.Random(f"{seed} {deck} {choices}").shuffle(cards)
    return cards[place]


def run_round(cluster, history, seed, round_number, first_value):
    """Gives the number of the first value that the next round may use."""
    bootstrap = address_of(cluster)
    producing = Producing(bootstrap, history, first_value)
    producing.start()
    one = Round(cluster, history, random.Random(seed * 1_000_003 + round_number), round_number,
                drawn(PROCESSES, seed, round_number), drawn(MOMENTS, seed, round_number))
    begin = time.monotonic()
    try:
        one.run()
    finally:
        next_value = producing.finish()
    problems = [f"a record failed: {failure}" for failure in producing.failures]
    problems += history.check_records(read_all(bootstrap))
    problems += history.check_commits(read_commits(bootstrap, list(history.commits())))
    print(
        f"round {round_number}: kill -9 of the {one.process} during {one.moment}, "
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
        "--set", "log.cleaner.backoff.ms=200", "--set", "group.initial.rebalance.delay.ms=100"
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
