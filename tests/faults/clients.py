"""The clients of a cluster whose processes are killed: they write, read, commit, and look again."""

import pathlib
import sys
import threading
import time

import confluent_kafka
from confluent_kafka import admin

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

from local_cluster import wait_until  # noqa: E402  (its folder had to be named first)

PATIENCE_S = 180
PARTITIONS = 4
TOPIC = "faults"
COMPACTED = "faults-compacted"
GROUP = "faults-group"


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
                "message.timeout.ms": 1000 * PATIENCE_S,
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
            self._producer.poll(0)
            if self._number % 50 == 0:
                time.sleep(0.01)
        self._producer.flush(PATIENCE_S + 10)

    def _delivered(self, error, message):
        if error is not None:
            self.failures.append(str(error))
            return
        self._history.acknowledged(
            message.topic(), message.partition(), message.offset(), message.value().decode()
        )

    def finish(self):
        self._end.set()
        self.join(PATIENCE_S + 30)
        if self.is_alive():
            raise RuntimeError("the producer does not end")
        return self._number


class Committing(threading.Thread):
    """The one member of a group: it reads and commits, and says what was confirmed."""

    def __init__(self, bootstrap, history):
        super().__init__(daemon=True)
        self._address = bootstrap
        self._history = history
        self._end = threading.Event()
        self._confirmed = 0
        self.is_assigned = False  # since it began

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
        consumer.subscribe([TOPIC], on_assign=self._assigned)
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
                        self._confirmed += 1
            except confluent_kafka.KafkaException:
                pass  # not confirmed
        consumer.close()

    def _assigned(self, _consumer, _partitions):
        self.is_assigned = True

    def wait_for_commit(self):
        """Waits for one that is not confirmed yet."""
        before = self._confirmed
        wait_until(lambda: self._confirmed > before, "no commit is confirmed")

    def finish(self):
        """It still works, and ends."""
        self.wait_for_commit()
        self._end.set()
        self.join(PATIENCE_S)
        if self.is_alive():
            raise RuntimeError("a member of the group does not end")


def make_topics(bootstrap):
    client = admin.AdminClient({"bootstrap.servers": bootstrap})
    topics = [
        admin.NewTopic(
            TOPIC, PARTITIONS, 1, config={"segment.bytes": str(1 << 20), "segment.ms": "3000"}
        ),
        admin.NewTopic(
            COMPACTED,
            PARTITIONS,
            1,
            config={
                "cleanup.policy": "compact",
                "segment.bytes": str(1 << 20),
                "segment.ms": "2000",
                "min.cleanable.dirty.ratio": "0.01",
            },
        ),
    ]
    for name, future in client.create_topics(topics).items():
        try:
            future.result(PATIENCE_S)
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
    deadline = time.monotonic() + PATIENCE_S
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
        raise RuntimeError(f"the log could not be read to its end within {PATIENCE_S} s")
    return found


def read_commits(bootstrap, keys):
    if not keys:
        return {}
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP})
    wanted = [confluent_kafka.TopicPartition(topic, partition) for _, topic, partition in keys]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            read = consumer.committed(wanted, timeout=10)
            break
        except confluent_kafka.KafkaException:
            if time.monotonic() > deadline:
                raise
    consumer.close()
    return {(GROUP, each.topic, each.partition): each.offset for each in read}
