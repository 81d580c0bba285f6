"""What tests/clients/common asks of a client, with aiokafka."""

import asyncio
import signal
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, TopicAlreadyExistsError

PATIENCE_S = 180
REBALANCE_MS = 60_000
STRATEGIES = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
              "sticky": StickyPartitionAssignor}


async def produce(bootstrap, topic, codec, count):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True,
                                compression_type=None if codec == "none" else codec, linger_ms=5,
                                request_timeout_ms=1000 * PATIENCE_S)
    await producer.start()
    try:
        sent = [await producer.send(topic, key=b"key-%d" % (i % 17), value=f"{codec}-{i}".encode())
                for i in range(int(count))]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        print("assigned ", flush=True)

    def on_partitions_assigned(self, assigned):
        places = sorted(place.partition for place in assigned)
        print("assigned " + ",".join(map(str, places)), flush=True)


async def member(bootstrap, group, topic, strategy, instance, session_ms):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, group_instance_id=instance or None,
        auto_offset_reset="earliest", enable_auto_commit=False, heartbeat_interval_ms=500,
        metadata_max_age_ms=1000, session_timeout_ms=int(session_ms),
        rebalance_timeout_ms=REBALANCE_MS, request_timeout_ms=1000 * PATIENCE_S,
        partition_assignment_strategy=[STRATEGIES[strategy]])
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    try:
        while not stop.is_set():
            batches = await consumer.getmany(timeout_ms=200)
            for place, records in batches.items():
                for record in records:
                    print(f"record {place.partition} {record.offset} {record.value.decode()}")
            sys.stdout.flush()
            if batches:
                try:
                    await consumer.commit()
                except (CommitFailedError, IllegalStateError):
                    pass  # the partitions have gone to somebody, who reads the records again
    finally:
        await consumer.stop()
    print("stopped", flush=True)


async def until(holds):
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while not await holds():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError("waited in vain")
        await asyncio.sleep(0.1)


async def administer_topics(admin, topic):
    made = await admin.create_topics([NewTopic(topic, 2, 1)])
    assert made.topic_errors[0][1] == 0, made
    again = await admin.create_topics([NewTopic(topic, 2, 1)])
    assert again.topic_errors[0][1] == TopicAlreadyExistsError.errno, again

    async def partitions():
        described = await admin.describe_topics([topic])
        return len(described[0]["partitions"])

    async def has(count):
        return await partitions() == count

    await until(lambda: has(2))
    await admin.create_partitions({topic: NewPartitions(3)})
    await until(lambda: has(3))
    print("ok topics")


async def administer_configs(admin, topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)

    async def is_set():
        found = await admin.describe_configs([resource])
        values = {entry[0]: entry[1] for entry in found[0].resources[0][4]}
        return values["retention.ms"] == "7200000"

    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic,
                                              configs={"retention.ms": "7200000"})])
    await until(is_set)
    print("ok configs")


async def administer_records(admin, bootstrap, topic):
    place = TopicPartition(topic, 0)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap,
                                request_timeout_ms=1000 * PATIENCE_S)
    await producer.start()
    for i in range(50):
        await producer.send_and_wait(topic, b"value", partition=0)
    await producer.stop()
    deleted = await admin.delete_records({place: RecordsToDelete(20)})
    assert deleted[place] == 20, deleted
    print("ok records")


async def administer_groups(admin, bootstrap, topic, group):
    place = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group,
                                enable_auto_commit=False, request_timeout_ms=1000 * PATIENCE_S)
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: 30})
    await consumer.stop()
    listed = await admin.list_consumer_groups()
    assert group in [found[0] for found in listed], listed
    offsets = await admin.list_consumer_group_offsets(group)
    assert offsets[place].offset == 30, offsets
    described = await admin.describe_consumer_groups([group])
    assert described[0].groups[0][1] == group, described
    print("ok groups")


async def administer(bootstrap, topic, group):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=1000 * PATIENCE_S)
    await admin.start()
    try:
        await administer_topics(admin, topic)
        await administer_configs(admin, topic)
        await administer_records(admin, bootstrap, topic)
        await administer_groups(admin, bootstrap, topic, group)
        described = await admin.describe_cluster()
        assert described["brokers"], described
        print("ok cluster")
        await admin.delete_topics([topic])

        async def is_gone():
            return topic not in await admin.list_topics()

        await until(is_gone)
        print("ok deletion")
    finally:
        await admin.close()


if __name__ == "__main__":
    COMMANDS = {"produce": produce, "member": member, "admin": administer}
    asyncio.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
