"""A thousand partitions, few descriptors: each keeps its record, before and after a kill.

By hand with more of both, which prints what it took; from 20,000 partitions on they also have to be
created within a minute, and the memory of the broker at rest is shown:
  tests/cluster/many_partitions_test.py --partitions 20000 --descriptors 4096
"""

import argparse
import pathlib
import resource
import sys
import time
import unittest

import confluent_kafka
import kafka
from local_cluster import LocalCluster, wait_until

TOPIC = "many"
PATIENCE_SECONDS = 300
# So many are asked for by hand, on a machine that does nothing else.
PARTITIONS_AT_SIZE, CREATED_SECONDS_MAX, QUIET_SECONDS = 20_000, 60, 15

# What the tests of each build do. A log has several files: this is far below one for each. The
# records are too long to be copied when they are fetched: all that one answer holds are in files.
partitions, descriptors, record_bytes = 1_000, 300, 2_000


def value_of(partition):
    return f"record of {partition}".encode().ljust(record_bytes, b".")


def produce(bootstrap):
    """One record to each partition."""
    failed = []
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 2 * partitions})
    for partition in range(partitions):
        producer.produce(TOPIC, value_of(partition), partition=partition,
                         on_delivery=lambda error, _: error and failed.append(error))
        producer.poll(0)
    left = producer.flush(PATIENCE_SECONDS)
    if left or failed:
        raise AssertionError(f"{left} records were not delivered; errors: {failed[:3]}")


def consume(bootstrap):
    """Everything in all partitions, from the beginning: {partition: [value]}."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([confluent_kafka.TopicPartition(TOPIC, partition, 0)
                     for partition in range(partitions)])
    found = {}
    end = time.monotonic() + PATIENCE_SECONDS
    while sum(map(len, found.values())) < partitions:
        if time.monotonic() > end:
            raise AssertionError(f"records of {len(found)} partitions came, no more")
        for message in consumer.consume(1_000, 1):
            if message.error() is None:
                found.setdefault(message.partition(), []).append(message.value())
    consumer.close()
    return found


def figures_of(process):
    """What the process holds."""
    status = dict(line.split(":", 1) for line in
                  pathlib.Path(f"/proc/{process}/status").read_text().splitlines())
    mappings = len(pathlib.Path(f"/proc/{process}/maps").read_text().splitlines())
    files = len(list(pathlib.Path(f"/proc/{process}/fd").iterdir()))
    return (f"now {int(status['VmRSS'].split()[0]) // 1024} MB, "
            f"at the most {int(status['VmHWM'].split()[0]) // 1024} MB, "
            f"{files} descriptors, {mappings} mappings")


class Steps:
    """Says how long each step took, to whoever runs this by hand; and gives it."""

    def __init__(self):
        self.began = time.monotonic()

    def done(self, what):
        seconds = time.monotonic() - self.began
        print(f"{what}: {seconds:.1f} s", flush=True)
        self.began += seconds
        return seconds


class ManyPartitionsTest(unittest.TestCase):

    def test_each_takes_a_record_and_gives_it_before_and_after_a_kill(self):
        # Both limits, as the services raise the one up to the other; they inherit it.
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        cluster = LocalCluster()
        self.addCleanup(cluster.close)
        cluster.start()
        bootstrap = "{}:{}".format(*cluster.bootstrap[0])
        wanted = {partition: [value_of(partition)] for partition in range(partitions)}
        steps = Steps()

        with kafka.Connection(*cluster.bootstrap[0], PATIENCE_SECONDS) as connection:
            self.assertEqual(connection.create_topic(TOPIC, partitions), 0)
        took = steps.done(f"{partitions} partitions created, with {descriptors} descriptors")
        if partitions >= PARTITIONS_AT_SIZE:
            self.assertLessEqual(took, CREATED_SECONDS_MAX, cluster.explanation())
        produce(bootstrap)
        steps.done("a record produced to each")
        self.assertEqual(consume(bootstrap), wanted, cluster.explanation())
        steps.done("each fetched")
        self.show(cluster)

        steps = Steps()
        cluster.kill("broker")
        wait_until(lambda: self.serves(cluster), "the broker does not come back\n" +
                   cluster.explanation())
        steps.done("serves again after kill -9")
        self.assertEqual(consume(bootstrap), wanted, cluster.explanation())
        steps.done("each fetched again")
        self.show(cluster)
        self.assertNotIn("too many open files", cluster.log_of("broker"))
        self.assertEqual(cluster.stop(), 0)
        steps.done("stopped")

    def show(self, cluster):
        """What the broker holds after its work, and where that is looked at, at rest."""
        print("broker, after its work:", figures_of(cluster.process_of("broker")))
        if partitions >= PARTITIONS_AT_SIZE:
            time.sleep(QUIET_SECONDS)
            print(f"broker, idle for {QUIET_SECONDS} s:",
                  figures_of(cluster.process_of("broker")), flush=True)

    def serves(self, cluster):
        try:
            with kafka.Connection(*cluster.bootstrap[0]) as connection:
                return connection.fetch(TOPIC, partitions - 1, 0)[0] == 0
        except OSError:
            return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--partitions", type=int, default=partitions)
    parser.add_argument("--descriptors", type=int, default=descriptors)
    parser.add_argument("--record-bytes", type=int, default=record_bytes)
    options, rest = parser.parse_known_args()
    partitions, descriptors = options.partitions, options.descriptors
    record_bytes = options.record_bytes
    unittest.main(argv=[sys.argv[0], *rest])
