"""kafka-python: another client, written from the protocol and not on librdkafka."""

import threading
import unittest

import kafka.codec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError

from support import BOOTSTRAP, PATIENCE_S, SESSION_MS, fresh, records, wait_until

# Requests of consumers must be allowed more time than their sessions.
PATIENT = {"bootstrap_servers": BOOTSTRAP, "api_version_auto_timeout_ms": SESSION_MS,
           "request_timeout_ms": 2 * SESSION_MS}
CODECS = {"none": None, "gzip": "gzip", "snappy": "snappy", "lz4": "lz4", "zstd": "zstd"}


def can_compress(codec):
    return codec is None or getattr(kafka.codec, f"has_{codec}")()


def produce(topic, wanted, **options):
    producer = KafkaProducer(**PATIENT, **options)
    try:
        sent = [producer.send(topic, key=key, value=value) for key, value in wanted]
        return [future.get(PATIENCE_S).offset for future in sent]
    finally:
        producer.close()


def consumer_of(topic, group=None, **options):
    return KafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", **PATIENT, **options)


def read(consumer, count):
    found = []

    def poll():
        for batch in consumer.poll(200).values():
            found.extend((record.key, record.value) for record in batch)

    wait_until(lambda: len(found) >= count, f"{count} records", poll)
    return found


class Member:
    """A consumer of a group on a thread of its own: while it joins, poll() waits for the others."""

    def __init__(self, topic, group):
        self.assigned = set()
        self.read = []
        self.failure = None
        self._stop = threading.Event()
        self._consumer = consumer_of(topic, group, session_timeout_ms=SESSION_MS,
                                     heartbeat_interval_ms=500)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                for batch in self._consumer.poll(100).values():
                    self.read.extend((record.key, record.value) for record in batch)
                self.assigned = set(self._consumer.assignment())
            self._consumer.close()  # commits
        except Exception as error:  # told to the test, which runs on another thread
            self.failure = error

    def close(self):
        self._stop.set()
        self._thread.join(PATIENCE_S)
        if self.failure is not None:
            raise self.failure


class Administering(unittest.TestCase):
    def setUp(self):
        self.admin = KafkaAdminClient(**PATIENT)
        self.addCleanup(self.admin.close)

    def create(self, topic, partitions=1, **options):
        self.admin.create_topics([NewTopic(topic, partitions, 1, **options)])
        wait_until(lambda: topic in self.admin.list_topics(), "the topic")


class Producing(Administering):
    def test_with_each_codec_is_read_back(self):
        for name, codec in CODECS.items():
            with self.subTest(name):
                if not can_compress(codec):
                    self.skipTest(f"kafka-python cannot compress with {name} here")
                topic = fresh(f"python-{name}")
                self.create(topic)
                wanted = records(300)
                self.assertEqual(produce(topic, wanted, compression_type=codec), list(range(300)))
                consumer = consumer_of(topic)
                self.assertEqual(read(consumer, 300), wanted)
                consumer.close()

    def test_with_every_kind_of_acknowledgement(self):
        for acks in (0, 1, "all"):
            with self.subTest(str(acks)):
                topic = fresh("python-acks")
                self.create(topic)
                produce(topic, records(20), acks=acks)
                consumer = consumer_of(topic)
                self.assertEqual(read(consumer, 20), records(20))
                consumer.close()


class Groups(Administering):
    def test_share_partitions_and_go_on_where_they_stopped(self):
        topic, group = fresh("python-group"), fresh("group")
        self.create(topic, 4)
        first, second = Member(topic, group), Member(topic, group)
        wait_until(lambda: len(first.assigned) == len(second.assigned) == 2
                   and not first.assigned & second.assigned, "partitions to be shared")
        first.close()
        wait_until(lambda: len(second.assigned) == 4, "all partitions")
        produce(topic, records(40))
        wait_until(lambda: len(second.read) >= 40, "all records")
        self.assertEqual(sorted(second.read), sorted(records(40)))
        second.close()
        offsets = self.admin.list_consumer_group_offsets(group)
        self.assertEqual(sum(found.offset for found in offsets.values()), 40)
        self.assertIn(group, [name for name, _ in self.admin.list_consumer_groups()])

    def test_are_described_and_deleted(self):
        topic, group = fresh("python-described"), fresh("group")
        self.create(topic)
        produce(topic, records(5))
        member = consumer_of(topic, group)
        read(member, 5)
        member.commit()
        described = self.admin.describe_consumer_groups([group])[0]
        self.assertEqual(described.state, "Stable")
        self.assertEqual(len(described.members), 1)
        member.close()
        wait_until(lambda: self.admin.describe_consumer_groups([group])[0].state == "Empty",
                   "the group to be empty")
        self.admin.delete_consumer_groups([group])
        wait_until(lambda: group not in [name for name, _ in self.admin.list_consumer_groups()],
                   "the group to be gone")


class Administration(Administering):
    def test_of_topics(self):
        topic = fresh("python-admin")
        self.create(topic, 2)
        with self.assertRaises(TopicAlreadyExistsError):
            self.admin.create_topics([NewTopic(topic, 2, 1)])
        self.admin.create_partitions({topic: NewPartitions(3)})
        wait_until(lambda: len(self.admin.describe_topics([topic])[0]["partitions"]) == 3,
                   "three partitions")
        self.admin.delete_topics([topic])
        wait_until(lambda: topic not in self.admin.list_topics(), "the topic to be gone")

    def test_of_settings(self):
        topic = fresh("python-config")
        self.create(topic, topic_configs={"segment.bytes": "2000000"})
        answer = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        rows = {row[0]: row[1] for row in answer[0].resources[0][4]}
        self.assertEqual(rows["segment.bytes"], "2000000")

    def test_of_the_cluster(self):
        cluster = self.admin.describe_cluster()
        self.assertGreaterEqual(len(cluster["brokers"]), 1)
        self.assertIn(cluster["controller_id"],
                      [broker["node_id"] for broker in cluster["brokers"]])


class Offsets(Administering):
    def test_are_found_by_place_and_time(self):
        topic = fresh("python-offsets")
        self.create(topic)
        produce(topic, records(12))
        consumer = consumer_of(topic)
        place = TopicPartition(topic, 0)
        self.assertEqual(consumer.beginning_offsets([place]), {place: 0})
        self.assertEqual(consumer.end_offsets([place]), {place: 12})
        self.assertEqual(consumer.offsets_for_times({place: 1000})[place].offset, 0)
        consumer.close()


if __name__ == "__main__":
    unittest.main()
