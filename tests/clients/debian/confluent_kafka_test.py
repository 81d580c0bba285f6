"""confluent-kafka (librdkafka): producers, groups of several members, administration."""

import collections
import unittest

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from support import BOOTSTRAP, CODECS, PATIENCE_S, SESSION_MS, fresh, records, wait_until


def admin():
    return AdminClient({"bootstrap.servers": BOOTSTRAP, "socket.timeout.ms": SESSION_MS})


def create(topic, partitions=1, config=None):
    client = admin()  # its answers come as long as it lives
    made = client.create_topics([NewTopic(topic, partitions, 1, config=config or {})])
    made[topic].result(PATIENCE_S)


def produce(topic, wanted, **options):
    """Gives partition and offset of each record, all acknowledged."""
    reports = []

    def delivered(error, message):
        if error is not None:
            raise AssertionError(f"not delivered: {error}")
        reports.append((message.partition(), message.offset()))

    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 5,
                         **{name.replace("_", "."): value for name, value in options.items()}})
    for key, value in wanted:
        producer.produce(topic, key=key, value=value, on_delivery=delivered)
        producer.poll(0)
    left = producer.flush(PATIENCE_S)
    if left:
        raise AssertionError(f"{left} records were never acknowledged")
    return reports


class Member:
    """A consumer of a group, with what it was assigned and what it read."""

    def __init__(self, group, topics, **options):
        self.assigned = set()
        self.revocations = 0
        self.read = []
        self.consumer = Consumer({
            "bootstrap.servers": BOOTSTRAP, "group.id": group, "auto.offset.reset": "earliest",
            "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 500,
            **{name.replace("_", "."): value for name, value in options.items()}})
        self.is_cooperative = options.get("partition_assignment_strategy") == "cooperative-sticky"
        self.consumer.subscribe(topics, on_assign=self._assign, on_revoke=self._revoke)

    def _assign(self, consumer, partitions):
        places = {(p.topic, p.partition) for p in partitions}
        self.assigned = self.assigned | places if self.is_cooperative else places

    def _revoke(self, consumer, partitions):
        self.revocations += 1
        self.assigned -= {(p.topic, p.partition) for p in partitions}

    def poll(self, seconds=0.1):
        message = self.consumer.poll(seconds)
        if message is None:
            return
        if message.error():
            # A topic that was just made may not be known everywhere.
            passes = (KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART)
            if message.error().code() in passes or message.error().retriable():
                return
            raise KafkaException(message.error())
        self.read.append((message.key(), message.value()))

    def close(self):
        self.consumer.close()


def poll_all(members):
    for member in members:
        member.poll()


def is_shared_out(members, topic, partitions):
    """Every partition has one owner, and every member has some."""
    owned = [place for member in members for place in member.assigned]
    return (len(owned) == partitions and set(owned) == {(topic, p) for p in range(partitions)}
            and all(member.assigned for member in members))


class Producing(unittest.TestCase):
    def read_all(self, topic, count):
        member = Member(fresh("reader"), [topic])
        try:
            wait_until(lambda: len(member.read) >= count, f"{count} records", member.poll)
            return member.read
        finally:
            member.close()

    def test_with_each_codec_is_read_back(self):
        for codec in CODECS:
            with self.subTest(codec):
                topic = fresh(f"confluent-{codec}")
                create(topic, 3)
                wanted = records(1000)
                produce(topic, wanted, compression_type=codec)
                self.assertEqual(sorted(self.read_all(topic, 1000)), sorted(wanted))

    def test_idempotently_keeps_offsets_without_gaps(self):
        topic = fresh("confluent-idempotent")
        create(topic)
        reports = produce(topic, records(2000), enable_idempotence=True)
        self.assertEqual(sorted(offset for _, offset in reports), list(range(2000)))

    def test_makes_topics_that_are_not_there(self):
        topic = fresh("confluent-made")
        produce(topic, records(1))
        self.assertIn(topic, admin().list_topics(timeout=PATIENCE_S).topics)

    def test_a_record_that_is_too_large_is_refused(self):
        topic = fresh("confluent-large")
        create(topic, config={"max.message.bytes": "10000"})
        failed = []
        producer = Producer({"bootstrap.servers": BOOTSTRAP})
        producer.produce(topic, value=b"x" * 20000, on_delivery=lambda e, m: failed.append(e))
        producer.flush(PATIENCE_S)
        self.assertEqual(failed[0].code(), KafkaError.MSG_SIZE_TOO_LARGE)


class Groups(unittest.TestCase):
    def test_share_partitions_while_members_join_and_leave(self):
        for strategy in ("range", "roundrobin", "cooperative-sticky"):
            with self.subTest(strategy):
                self.share_while_members_join_and_leave(strategy)

    def share_while_members_join_and_leave(self, strategy):
        topic, group = fresh("confluent-shared"), fresh("group")
        create(topic, 6)
        members = [Member(group, [topic], partition_assignment_strategy=strategy)]
        try:
            for _ in range(2):
                wait_until(lambda: is_shared_out(members, topic, 6), "partitions to be shared",
                           lambda: poll_all(members))
                members.append(Member(group, [topic], partition_assignment_strategy=strategy))
            wait_until(lambda: is_shared_out(members, topic, 6), "partitions to be shared",
                       lambda: poll_all(members))
            members.pop().close()
            wait_until(lambda: is_shared_out(members, topic, 6), "all partitions again",
                       lambda: poll_all(members))
            wanted = records(600)
            produce(topic, wanted)
            wait_until(lambda: sum(len(member.read) for member in members) >= 600, "all records",
                       lambda: poll_all(members))
            read = [record for member in members for record in member.read]
            self.assertEqual(collections.Counter(read), collections.Counter(wanted))
        finally:
            for member in members:
                member.close()

    def test_goes_on_at_the_committed_offset(self):
        topic, group = fresh("confluent-commit"), fresh("group")
        create(topic)
        wanted = records(100)
        produce(topic, wanted)
        first = Member(group, [topic], enable_auto_commit=False)
        wait_until(lambda: len(first.read) >= 100, "all records", first.poll)
        first.consumer.commit(offsets=[TopicPartition(topic, 0, 40)], asynchronous=False)
        first.close()
        second = Member(group, [topic], enable_auto_commit=False)
        try:
            wait_until(lambda: len(second.read) >= 60, "the rest", second.poll)
            self.assertEqual(second.read, wanted[40:])
            committed = second.consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)
            self.assertEqual(committed[0].offset, 40)
        finally:
            second.close()

    def test_a_static_member_that_comes_back_causes_no_rebalance(self):
        topic, group = fresh("confluent-static"), fresh("group")
        create(topic, 4)
        members = [Member(group, [topic], group_instance_id=f"instance-{i}")
                   for i in range(2)]
        try:
            wait_until(lambda: is_shared_out(members, topic, 4), "partitions to be shared",
                       lambda: poll_all(members))
            before, revoked = set(members[1].assigned), members[0].revocations
            # A static member says no goodbye.
            members[1].close()
            members[1] = Member(group, [topic], group_instance_id="instance-1")
            wait_until(lambda: members[1].assigned == before, "the same partitions again",
                       lambda: poll_all(members))
            self.assertEqual(members[0].revocations, revoked)
        finally:
            for member in members:
                member.close()

    def test_are_listed(self):
        topic, group = fresh("confluent-listed"), fresh("group")
        create(topic)
        member = Member(group, [topic])
        try:
            wait_until(lambda: member.assigned, "an assignment", member.poll)
            listed = admin().list_groups(group, timeout=PATIENCE_S)
            self.assertEqual([found.id for found in listed], [group])
            self.assertEqual(len(listed[0].members), 1)
            self.assertEqual(listed[0].state, "Stable")
        finally:
            member.close()


class Offsets(unittest.TestCase):
    def test_are_found_by_place_and_time(self):
        topic = fresh("confluent-offsets")
        create(topic)
        produce(topic, records(30))
        consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": fresh("group")})
        try:
            place = TopicPartition(topic, 0)
            self.assertEqual(consumer.get_watermark_offsets(place, PATIENCE_S), (0, 30))
            early = consumer.offsets_for_times([TopicPartition(topic, 0, 1000)], PATIENCE_S)
            self.assertEqual(early[0].offset, 0)
        finally:
            consumer.close()


class Administration(unittest.TestCase):
    def test_of_topics_and_partitions(self):
        topic = fresh("confluent-admin")
        create(topic, 2)
        client = admin()
        with self.assertRaises(KafkaException) as refused:
            client.create_topics([NewTopic(topic, 2, 1)])[topic].result(PATIENCE_S)
        self.assertEqual(refused.exception.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
        client.create_partitions([NewPartitions(topic, 5)])[topic].result(PATIENCE_S)
        wait_until(lambda: len(client.list_topics(topic, PATIENCE_S).topics[topic].partitions) == 5,
                   "five partitions")
        client.delete_topics([topic])[topic].result(PATIENCE_S)
        wait_until(lambda: topic not in client.list_topics(timeout=PATIENCE_S).topics,
                   "the topic to be gone")

    def test_of_settings(self):
        topic = fresh("confluent-config")
        create(topic, config={"retention.ms": "3600000"})
        client = admin()
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)

        def described():
            return client.describe_configs([resource])[resource].result(PATIENCE_S)

        wait_until(lambda: topic in client.list_topics(timeout=PATIENCE_S).topics, "the topic")
        wait_until(lambda: described()["retention.ms"].value == "3600000", "the setting")
        self.assertFalse(described()["retention.ms"].is_default)
        changed = ConfigResource(ConfigResource.Type.TOPIC, topic,
                                 set_config={"retention.ms": "7200000"})
        client.alter_configs([changed])[changed].result(PATIENCE_S)
        wait_until(lambda: described()["retention.ms"].value == "7200000", "the new setting")
        wrong = ConfigResource(ConfigResource.Type.TOPIC, topic,
                               set_config={"retention.ms": "long"})
        with self.assertRaises(KafkaException):
            client.alter_configs([wrong])[wrong].result(PATIENCE_S)


if __name__ == "__main__":
    unittest.main()
