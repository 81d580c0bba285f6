"""What tests/clients/common asks of a client, with the newest kafka-python."""

import signal
import sys
import time

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import CommitFailedError, RebalanceInProgressError, TopicAlreadyExistsError

PATIENCE_S = 180
PATIENT = {"request_timeout_ms": 1000 * PATIENCE_S, "bootstrap_timeout_ms": 1000 * PATIENCE_S}
STRATEGIES = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
              "sticky": StickyPartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}


def produce(bootstrap, topic, codec, count):
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5,
                             compression_type=None if codec == "none" else codec,
                             delivery_timeout_ms=2000 * PATIENCE_S, **PATIENT)
    sent = [producer.send(topic, key=b"key-%d" % (i % 17), value=f"{codec}-{i}".encode())
            for i in range(int(count))]
    for future in sent:
        future.get(2 * PATIENCE_S)
    producer.close()


class Listener(ConsumerRebalanceListener):
    def __init__(self):
        self.owned = set()

    def show(self):
        print("assigned " + ",".join(map(str, sorted(self.owned))), flush=True)

    def on_partitions_revoked(self, revoked):
        self.owned -= {place.partition for place in revoked}
        self.show()

    def on_partitions_assigned(self, assigned):
        self.owned |= {place.partition for place in assigned}
        self.show()


def member(bootstrap, group, topic, strategy, instance, session_ms):
    stopping = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, group_instance_id=instance or None,
        auto_offset_reset="earliest", enable_auto_commit=False, heartbeat_interval_ms=500,
        metadata_max_age_ms=1000, session_timeout_ms=int(session_ms),
        partition_assignment_strategy=[STRATEGIES[strategy]], **PATIENT)
    consumer.subscribe([topic], listener=Listener())
    while not stopping:
        batches = consumer.poll(200)
        for place, records in batches.items():
            for record in records:
                print(f"record {place.partition} {record.offset} {record.value.decode()}")
        sys.stdout.flush()
        if batches:
            try:
                consumer.commit()
            except (CommitFailedError, RebalanceInProgressError):
                pass  # the partitions have gone to somebody, who reads the records again
    consumer.close()
    print("stopped", flush=True)


def until(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.1)


def administer_topics(admin, topic):
    admin.create_topics([NewTopic(topic, 2, 1)])
    try:
        admin.create_topics([NewTopic(topic, 2, 1)])
        raise AssertionError("the topic was made twice")
    except TopicAlreadyExistsError:
        pass

    def partitions():
        return len(admin.describe_topics([topic])[0]["partitions"])

    until(lambda: partitions() == 2)
    admin.create_partitions({topic: 3})
    until(lambda: partitions() == 3)
    print("ok topics")


def administer_configs(admin, topic):
    wanted = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "7200000"})
    admin.alter_configs([wanted])
    described = ConfigResource(ConfigResourceType.TOPIC, topic)
    until(lambda: "7200000" in str(admin.describe_configs([described])))
    print("ok configs")


def administer_records(admin, bootstrap, topic):
    producer = KafkaProducer(bootstrap_servers=bootstrap, delivery_timeout_ms=2000 * PATIENCE_S,
                             **PATIENT)
    for _ in range(50):
        producer.send(topic, b"value", partition=0).get(2 * PATIENCE_S)
    producer.close()
    place = TopicPartition(topic, 0)
    deleted = admin.delete_records({place: 20})
    assert deleted[place]["low_watermark"] == 20, deleted
    print("ok records")


def administer_groups(admin, topic, group):
    place = TopicPartition(topic, 0)
    admin.alter_group_offsets(group, {place: OffsetAndMetadata(30, "a note", -1)})
    offsets = admin.list_group_offsets([group])
    assert offsets[group][place].offset == 30, offsets
    assert group in str(admin.list_groups())
    assert admin.describe_groups([group])[group]["group_state"] == "Empty"
    admin.delete_groups([group])
    assert group not in str(admin.list_groups())
    print("ok groups")


def administer(bootstrap, topic, group):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, **PATIENT)
    administer_topics(admin, topic)
    administer_configs(admin, topic)
    administer_records(admin, bootstrap, topic)
    administer_groups(admin, topic, group)
    assert admin.describe_cluster()["brokers"]
    assert topic in str(admin.describe_log_dirs())
    assert admin.describe_metadata_quorum()
    print("ok cluster")
    admin.delete_topics([topic])
    until(lambda: topic not in admin.list_topics())
    print("ok deletion")
    admin.close()


if __name__ == "__main__":
    COMMANDS = {"produce": produce, "member": member, "admin": administer}
    COMMANDS[sys.argv[1]](*sys.argv[2:])
