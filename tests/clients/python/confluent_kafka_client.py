"""What tests/clients/common asks of a client, with the newest confluent-kafka."""

import signal
import sys
import time

from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException,
                             Producer, TopicCollection, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewPartitions, NewTopic, OffsetSpec)

PATIENCE_S = 180
# What a commit meets when the partitions have gone to somebody else, who reads the records again.
GONE = (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID, KafkaError._NO_OFFSET)


def produce(bootstrap, topic, codec, count):
    failed = []

    def delivered(error, _):
        if error is not None:
            failed.append(error)

    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 5,
                         "enable.idempotence": codec == "gzip"})
    for i in range(int(count)):
        producer.produce(topic, key=f"key-{i % 17}", value=f"{codec}-{i}", on_delivery=delivered)
    assert producer.flush(PATIENCE_S) == 0 and not failed, failed


class Owned:
    def __init__(self):
        self.partitions = set()

    def show(self):
        print("assigned " + ",".join(map(str, sorted(self.partitions))), flush=True)

    def assigned(self, _, places):
        self.partitions |= {place.partition for place in places}
        self.show()

    def revoked(self, _, places):
        self.partitions -= {place.partition for place in places}
        self.show()


def member(bootstrap, group, topic, strategy, instance, session_ms):
    stopping = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    settings = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                "auto.offset.reset": "earliest", "heartbeat.interval.ms": 500,
                "session.timeout.ms": int(session_ms),
                "partition.assignment.strategy": strategy}
    if instance:
        settings["group.instance.id"] = instance
    consumer = Consumer(settings)
    owned = Owned()
    consumer.subscribe([topic], on_assign=owned.assigned, on_revoke=owned.revoked,
                       on_lost=owned.revoked)
    while not stopping:
        messages = consumer.consume(100, 0.2)
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
            print("record", message.partition(), message.offset(), message.value().decode(),
                  flush=True)
        if messages:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:
                if error.args[0].code() not in GONE:
                    raise
    consumer.close()
    print("stopped", flush=True)


def until(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def done(futures):
    """What each of the futures gives, by its key."""
    return {key: future.result(PATIENCE_S) for key, future in futures.items()}


def administer_topics(client, topic):
    done(client.create_topics([NewTopic(topic, 2, 1)]))
    try:
        done(client.create_topics([NewTopic(topic, 2, 1)]))
        raise AssertionError("the topic was made twice")
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, error

    def has(count):
        described = done(client.describe_topics(TopicCollection([topic])))
        return len(described[topic].partitions) == count

    until(lambda: has(2))
    done(client.create_partitions([NewPartitions(topic, 3)]))
    until(lambda: has(3))
    print("ok topics")


def administer_configs(client, topic):
    kind = ConfigResource.Type.TOPIC
    change = ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)
    done(client.incremental_alter_configs(
        [ConfigResource(kind, topic, incremental_configs=[change])]))
    resource = ConfigResource(kind, topic)
    until(lambda: done(client.describe_configs([resource]))[resource]["retention.ms"].value
          == "7200000")
    print("ok configs")


def administer_records(client, bootstrap, topic):
    producer = Producer({"bootstrap.servers": bootstrap})
    for _ in range(50):
        producer.produce(topic, b"value", partition=0)
    assert producer.flush(PATIENCE_S) == 0
    place = TopicPartition(topic, 0)
    deleted = done(client.delete_records([TopicPartition(topic, 0, 20)]))
    assert deleted[place].low_watermark == 20, deleted
    for spec, wanted in ((OffsetSpec.earliest(), 20), (OffsetSpec.latest(), 50),
                         (OffsetSpec.for_timestamp(1000), 20)):
        found = done(client.list_offsets({place: spec}))
        assert found[place].offset == wanted, found
    print("ok records")


def administer_groups(client, topic, group):
    place = TopicPartition(topic, 0, 30)
    done(client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [place])]))
    found = done(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    assert [each.offset for each in found[group].topic_partitions] == [30], found

    def listed():
        answer = client.list_consumer_groups().result(PATIENCE_S)
        assert not answer.errors, answer.errors
        return [each.group_id for each in answer.valid]

    assert group in listed()
    described = done(client.describe_consumer_groups([group]))
    assert described[group].state.name == "EMPTY", described
    done(client.delete_consumer_groups([group]))
    assert group not in listed()
    print("ok groups")


def administer(bootstrap, topic, group):
    client = AdminClient({"bootstrap.servers": bootstrap,
                          "socket.timeout.ms": 1000 * PATIENCE_S})
    administer_topics(client, topic)
    administer_configs(client, topic)
    administer_records(client, bootstrap, topic)
    administer_groups(client, topic, group)
    cluster = client.describe_cluster().result(PATIENCE_S)
    assert cluster.controller.id in [node.id for node in cluster.nodes]
    print("ok cluster")
    done(client.delete_topics([topic]))
    until(lambda: topic not in client.list_topics(timeout=PATIENCE_S).topics)
    print("ok deletion")


if __name__ == "__main__":
    COMMANDS = {"produce": produce, "member": member, "admin": administer}
    COMMANDS[sys.argv[1]](*sys.argv[2:])
