#!/usr/bin/env python3
"""Kills processes of a running cluster at drawn moments, and checks that nothing was lost.

In each round a process and a moment are drawn from a seed, which is printed. A producer with
acks=all writes before, during and after the kill; a round counts only if at least 500 records were
acknowledged before the kill and 500 after it within 10 s, and if the kill hit a living process.
Then every acknowledged record must be at its offset with its bytes, once, and every confirmed
commit must be read back at least as high.
"""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import confluent_kafka
from confluent_kafka import admin

import cluster as clusters
import history as histories

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

from ports import free_port  # noqa: E402  (its folder had to be named first)

RECORDS_MIN = 500
AFTER_WAIT_S = 10
PARTITIONS = 4
TOPIC = "faults"
COMPACTED = "faults-compacted"
GROUP = "faults-group"

PROCESSES = ("broker", "controller", "coordinator")
# Where a kill may come; each names the work that goes on meanwhile.
MOMENTS = ("produce", "recovery", "topic-creation", "roll", "clean", "group-join", "commit")


class Producing(threading.Thread):
    """Writes records with values of their own until it is stopped."""

    def __init__(self, bootstrap, history, first_number):
        super().__init__(daemon=True)
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 2,
                "message.timeout.ms": 120000,
                "reconnect.backoff.max.ms": 200,
                "retry.backoff.ms": 50,
            }
        )
        self._history = history
        self._number = first_number
        self._end = threading.Event()
        self.failures = []

    def run(self):
        while not self._end.is_set():
            topic = COMPACTED if self._number % 8 == 0 else TOPIC
            value = f"{self._number}:" + "x" * (self._number % 200)
            try:
                self._producer.produce(
                    topic,
                    key=str(self._number),
                    value=value,
                    partition=(self._number + self._number // 8) % PARTITIONS,
                    on_delivery=self._delivered,
                )
                self._number += 1
            except BufferError:
                pass
            # Fast enough for many batches, slow enough that all of it can be read again each round.
            self._producer.poll(0 if self._number % 50 else 0.005)
        self._producer.flush(130)

    def _delivered(self, error, message):
        if error is not None:
            self.failures.append(str(error))
            return
        self._history.acknowledged(
            message.topic(), message.partition(), message.offset(), message.value().decode()
        )

    def finish(self):
        self._end.set()
        self.join(150)
        return self._number


class Committing(threading.Thread):
    """A member of a group that reads and commits, and says what was confirmed."""

    def __init__(self, bootstrap, history):
        super().__init__(daemon=True)
        self._address = bootstrap
        self._history = history
        self._end = threading.Event()

    def run(self):
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self._address,
                "group.id": GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 10000,
                "reconnect.backoff.max.ms": 200,
            }
        )
        consumer.subscribe([TOPIC])
        while not self._end.is_set():
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            if message.offset() % 20 != 0:
                continue
            try:
                for confirmed in consumer.commit(message=message, asynchronous=False):
                    if confirmed.error is None:
                        self._history.committed(
                            GROUP, confirmed.topic, confirmed.partition, confirmed.offset
                        )
            except confluent_kafka.KafkaException:
                pass  # not confirmed
        consumer.close()

    def finish(self):
        self._end.set()
        self.join(60)


def make_topics(bootstrap):
    client = admin.AdminClient({"bootstrap.servers": bootstrap})
    topics = [
        admin.NewTopic(TOPIC, PARTITIONS, 1, config={"segment.bytes": str(1 << 20)}),
        admin.NewTopic(
            COMPACTED,
            PARTITIONS,
            1,
            config={
                "cleanup.policy": "compact",
                "segment.bytes": str(1 << 20),
                "min.cleanable.dirty.ratio": "0.01",
            },
        ),
    ]
    for name, future in client.create_topics(topics).items():
        try:
            future.result(30)
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise RuntimeError(f"topic {name} cannot be made: {error}") from error


def read_all(bootstrap):
    """All records of both topics: {(topic, partition): {offset: value}}."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "faults-check",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    wanted = [
        confluent_kafka.TopicPartition(topic, partition, confluent_kafka.OFFSET_BEGINNING)
        for topic in (TOPIC, COMPACTED)
        for partition in range(PARTITIONS)
    ]
    consumer.assign(wanted)
    found = {(each.topic, each.partition): {} for each in wanted}
    at_end = set()
    deadline = time.monotonic() + 120
    while len(at_end) < len(wanted) and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is not None:
            if message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                at_end.add((message.topic(), message.partition()))
            continue
        log = found[(message.topic(), message.partition())]
        if message.offset() in log:
            raise RuntimeError(f"offset {message.offset()} was read twice")
        log[message.offset()] = message.value().decode()
    consumer.close()
    if len(at_end) < len(wanted):
        raise RuntimeError("the log could not be read to its end within 120 s")
    return found


def read_commits(bootstrap, keys):
    if not keys:
        return {}
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP})
    wanted = [confluent_kafka.TopicPartition(topic, partition) for _, topic, partition in keys]
    deadline = time.monotonic() + 60
    while True:
        try:
            read = consumer.committed(wanted, timeout=10)
            break
        except confluent_kafka.KafkaException:
            if time.monotonic() > deadline:
                raise
    consumer.close()
    return {(GROUP, each.topic, each.partition): each.offset for each in read}


def wait_for_records(history, count, seconds):
    deadline = time.monotonic() + seconds
    while history.count() < count:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Round:
    """One kill, with what goes on around it."""

    def __init__(self, cluster, history, producing, draw, number):
        self._cluster = cluster
        self._history = history
        self._producing = producing
        self._draw = draw
        self._number = number
        self.process = draw.choice(PROCESSES)
        self.moment = draw.choice(MOMENTS)

    def run(self):
        before = self._history.count()
        if not wait_for_records(self._history, before + RECORDS_MIN, 60):
            raise RuntimeError("no 500 records were acknowledged before the kill within 60 s")
        getattr(self, "_" + self.moment.replace("-", "_"))()
        killed = self._history.count()
        if not wait_for_records(self._history, killed + RECORDS_MIN, AFTER_WAIT_S):
            got = self._history.count() - killed
            raise RuntimeError(f"only {got} records were acknowledged within 10 s after the kill")

    def _pause(self, seconds_max):
        time.sleep(self._draw.random() * seconds_max)

    def _kill(self):
        return self._cluster.kill(self.process)

    def _produce(self):
        self._pause(0.2)
        self._kill()

    def _recovery(self):
        # Killed again while it still recovers from the first time.
        first = self._kill()
        self._cluster.wait_for_pid(self.process, other_than=first)
        self._pause(0.1)
        self._kill()

    def _topic_creation(self):
        client = admin.AdminClient({"bootstrap.servers": self._cluster.bootstrap})
        name = f"made-{self._number}-{self._draw.randrange(1 << 30)}"
        futures = client.create_topics([admin.NewTopic(name, 20, 1)])
        self._pause(0.05)
        self._kill()
        try:
            futures[name].result(60)
        except confluent_kafka.KafkaException:
            return  # it was refused, or nobody knows
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if name in client.list_topics(name, timeout=5).topics:
                    return
            except confluent_kafka.KafkaException:
                pass
        raise RuntimeError(f"topic {name} was made and is not there")

    # Segments are small enough that one is rolled, or cleaned, every few thousand records.
    def _roll(self):
        wait_for_records(self._history, self._history.count() + self._draw.randrange(4000), 20)
        self._kill()

    _clean = _roll

    def _group_join(self):
        member = Committing(self._cluster.bootstrap, self._history)
        member.start()
        self._pause(0.5)
        self._kill()
        member.finish()

    def _commit(self):
        member = Committing(self._cluster.bootstrap, self._history)
        member.start()
        time.sleep(4)
        self._pause(1)
        self._kill()
        time.sleep(1)
        member.finish()


def run(arguments, directory):
    history = histories.History()
    settings = ["log.cleaner.backoff.ms=200", "group.initial.rebalance.delay.ms=100"]
    cluster = clusters.Cluster(
        arguments.program, directory / "data", arguments.port or free_port(), settings
    )
    problems = []
    number = 0
    try:
        make_topics(cluster.bootstrap)
        for round_number in range(arguments.rounds):
            draw = random.Random(arguments.seed * 1_000_003 + round_number)
            producing = Producing(cluster.bootstrap, history, number)
            producing.start()
            one = Round(cluster, history, producing, draw, round_number)
            begin = time.monotonic()
            try:
                one.run()
            finally:
                number = producing.finish()
            if producing.failures:
                problems.append(f"round {round_number}: a record failed: {producing.failures[0]}")
            problems += history.check_records(read_all(cluster.bootstrap))
            commits = history.commits()
            problems += history.check_commits(read_commits(cluster.bootstrap, list(commits)))
            print(
                f"round {round_number}: kill -9 of the {one.process} during {one.moment}, "
                f"{history.count()} records, {time.monotonic() - begin:.1f} s",
                flush=True,
            )
            if problems:
                raise RuntimeError("; ".join(problems[:10]))
        cluster.stop()
    except BaseException:
        cluster.abandon()
        raise
    print(f"{arguments.rounds} rounds, {history.count()} records and {len(history.commits())} "
          "commits kept")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", required=True, help="the millrace program")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--port", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data after a failure")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {arguments.seed}, {arguments.rounds} rounds", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-faults-"))
    try:
        run(arguments, directory)
    except (RuntimeError, confluent_kafka.KafkaException) as error:
        print(f"failed: {error}\nseed {arguments.seed}; logs in {directory}", file=sys.stderr)
        if not arguments.keep:
            print("the data is kept for a look", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
