"""Apache Kafka takes over what a running broker wrote: its tool reads the log, and a node of it
serves every record."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "storage"), str(HERE.parent / "debian")]

import kafka_node  # noqa: E402  (their folders had to be named first)
from kafka_node import local_cluster, packages  # noqa: E402
import dump_log_segments  # noqa: E402
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PATIENCE_S = 180
COMMITTED = 140
MEMBERS_GROUP, STATIC_MEMBER, SHARED_TOPIC = "a-group-with-members", "a-static-member", "shared"


def program(*words):
    done = subprocess.run([*packages.java("millrace.clients.Main"), *words], text=True,
                          capture_output=True, check=False, timeout=3 * PATIENCE_S)
    if done.returncode != 0:
        raise AssertionError(f"{words} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout.splitlines()


def create(bootstrap, *topics):
    client = AdminClient({"bootstrap.servers": bootstrap})  # its answers come as long as it lives
    for future in client.create_topics(list(topics)).values():
        future.result(PATIENCE_S)


def produce_all_kinds(bootstrap):
    """Each codec, keys and values that are empty or null, headers, more than one segment."""
    for codec in CODECS:
        producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec,
                             "enable.idempotence": codec in ("gzip", "zstd")})
        for i in range(400):
            producer.produce("codecs", key=None if i % 7 == 0 else f"key-{i % 17}",
                             value=(None, b"", f"{codec}-{i}".encode())[min(i % 5, 2)],
                             headers=[("trace", b"%d" % i), ("nothing", None)][:i % 3])
        if producer.flush(PATIENCE_S):
            raise AssertionError(f"records with {codec} were never acknowledged")
    producer = Producer({"bootstrap.servers": bootstrap})
    for _ in range(4000):
        producer.produce("large", value=os.urandom(1000))
        producer.poll(0)
    if producer.flush(PATIENCE_S):
        raise AssertionError("large records were never acknowledged")


def commit(bootstrap, group, offset):
    consumer = consumer_of(bootstrap, group)
    consumer.commit(offsets=[TopicPartition("codecs", 0, offset)], asynchronous=False)
    consumer.close()


def consumer_of(bootstrap, group, **settings):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                     "auto.offset.reset": "earliest", **settings})


def fill_group(bootstrap):
    """A group of which two members share a topic, one of them static, for a while."""
    members = [consumer_of(bootstrap, MEMBERS_GROUP, **{
        "client.id": f"member-{number}", "enable.auto.commit": False,
        "partition.assignment.strategy": "range", **more})
        for number, more in enumerate(({}, {"group.instance.id": STATIC_MEMBER}))]
    for member in members:
        member.subscribe([SHARED_TOPIC])
    end = time.monotonic() + PATIENCE_S
    while not all(len(member.assignment()) == 1 for member in members):
        if time.monotonic() > end:
            raise AssertionError("two members do not share a topic of two partitions")
        for member in members:
            member.poll(0.1)
    for member in members:
        member.close()


class Takeover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.cluster = local_cluster.LocalCluster("--set", "group.initial.rebalance.delay.ms=0")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        bootstrap = f"127.0.0.1:{cls.cluster.port}"
        create(bootstrap, NewTopic("codecs", 3, 1),
               NewTopic("large", 1, 1, config={"segment.bytes": str(1 << 20)}),
               NewTopic(SHARED_TOPIC, 2, 1))
        produce_all_kinds(bootstrap)
        commit(bootstrap, "a-group", 3)
        commit(bootstrap, "a-group", COMMITTED)
        fill_group(bootstrap)
        # Another life of the broker: another leader epoch, a producer that comes back.
        if cls.cluster.stop() != 0:
            raise AssertionError(cls.cluster.explanation())
        cls.cluster.start()
        program("produce", bootstrap, "codecs", "lz4", "500")
        cls.ours = program("dump", bootstrap)
        cls.logs = next(cls.cluster.directory.rglob("codecs-0/partition.metadata")).parents[1]
        # A copy, as the tool cuts what it takes for a part of an entry off a file.
        cls.while_running = pathlib.Path(cls.folder.name) / "while-running"
        shutil.copytree(cls.logs, cls.while_running)
        if cls.cluster.stop() != 0:
            raise AssertionError(cls.cluster.explanation())
        cls.tool = packages.java(dump_log_segments.TOOL)

    def test_kafkas_tool_has_no_complaint_about_the_log(self):
        files = dump_log_segments.files_of(self.logs)
        for kind in (".log", ".index", ".timeindex", ".snapshot"):
            self.assertTrue(any(path.suffix == kind and path.stat().st_size > 0
                                for path in files), f"no {kind} was written")
        self.assertGreater(len(list((self.logs / "large-0").glob("*.log"))), 2)
        self.assertEqual(dump_log_segments.check_directory(self.tool, self.logs), [])

    def test_kafkas_tool_has_no_complaint_about_the_log_of_a_broker_that_runs(self):
        self.assertEqual(dump_log_segments.check_directory(self.tool, self.while_running), [])

    def test_kafkas_tool_prints_committed_offsets(self):
        self.check_committed_offsets(self.logs)

    def test_kafkas_tool_prints_committed_offsets_of_a_broker_that_runs(self):
        self.check_committed_offsets(self.while_running)

    def check_committed_offsets(self, logs):
        offsets = []
        for key, value in self.records_of_groups(logs):
            if key["data"].get("topic") == "codecs":
                self.assertEqual(key["data"],
                                 {"group": "a-group", "topic": "codecs", "partition": 0})
                offsets.append(value["data"]["offset"])
        self.assertEqual(offsets, [3, COMMITTED])

    def test_kafkas_tool_prints_groups_with_their_members(self):
        groups = [value["data"] for key, value in self.records_of_groups(self.logs)
                  if key["data"] == {"group": MEMBERS_GROUP}]
        shared = [group for group in groups if len(group["members"]) == 2]
        self.assertTrue(shared, groups)
        group = shared[-1]
        self.assertEqual((group["protocolType"], group["protocol"]), ("consumer", "range"))
        self.assertGreater(group["generation"], 0)
        members = {member["clientId"]: member for member in group["members"]}
        self.assertEqual(set(members), {"member-0", "member-1"})
        self.assertIn(group["leader"], [member["memberId"] for member in members.values()])
        self.assertIsNone(members["member-0"]["groupInstanceId"])
        self.assertEqual(members["member-1"]["groupInstanceId"], STATIC_MEMBER)
        assigned = []
        for member in members.values():
            self.assertEqual(member["clientHost"], "/127.0.0.1")
            self.assertEqual(member["subscription"]["topics"], [SHARED_TOPIC])
            assigned += member["assignment"]["assignedPartitions"]
        self.assertEqual(sorted((place["topic"], number) for place in assigned
                                for number in place["partitions"]),
                         [(SHARED_TOPIC, 0), (SHARED_TOPIC, 1)])

    def records_of_groups(self, logs):
        """Key and value of each record of __consumer_offsets, as Kafka's tool prints them."""
        files = [path for path in logs.glob("__consumer_offsets-*/*.log")
                 if path.stat().st_size > 0]
        self.assertTrue(files)
        printed, _, complaints = dump_log_segments.run_tool(self.tool, files,
                                                            "--offsets-decoder")
        self.assertEqual(complaints, [])
        for line in (line for lines in printed.values() for line in lines):
            _, found, payload = line.partition(" key: ")
            key, _, value = payload.partition(" payload: ")
            if found:
                yield json.loads(key), value and value != "<DELETE>" and json.loads(value)

    def test_a_node_of_kafka_serves_every_record_and_goes_on(self):
        self.assertGreater(sum(line.startswith("record ") for line in self.ours), 6500)
        node = kafka_node.KafkaNode(self.logs, self.folder.name)
        self.addCleanup(node.stop)
        node.start()
        try:
            theirs = program("dump", node.bootstrap)
            differing = [pair for pair in zip(self.ours, theirs) if pair[0] != pair[1]]
            self.assertEqual(differing[:3], [])
            self.assertEqual(len(theirs), len(self.ours))
            consumer = consumer_of(node.bootstrap, "a-group")
            place = TopicPartition("codecs", 0)
            self.assertEqual(consumer.committed([place], PATIENCE_S)[0].offset, COMMITTED)
            consumer.close()
            program("produce", node.bootstrap, "codecs", "zstd", "100")
            ends = [line for line in self.ours if line.startswith("partition codecs-")]
            after = [line for line in program("dump", node.bootstrap)
                     if line.startswith("partition codecs-")]
            self.assertEqual(sum(int(line.split()[3]) for line in after),
                             sum(int(line.split()[3]) for line in ends) + 100)
        except Exception as failure:
            raise AssertionError(f"{failure}\nApache Kafka said:\n{node.said()}") from failure


if __name__ == "__main__":
    unittest.main()
