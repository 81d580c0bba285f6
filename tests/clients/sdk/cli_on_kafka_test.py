"""The program `millrace` on Apache Kafka: each command, on a cluster of two brokers, so that
partitions can be moved between them."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "java"))

import kafka_node  # noqa: E402  (its folder had to be named first)
from kafka_node import local_cluster, packages  # noqa: E402

PROGRAM = pathlib.Path(os.environ["MILLRACE_PROGRAMS"]) / "millrace"
PATIENCE_S = 300


class FirstNode(kafka_node.EmptyKafkaNode):
    # Records of 2024 are older than what is kept, and go when a broker looks, 30 s after its start.
    more_settings = """log.retention.ms=-1
group.initial.rebalance.delay.ms=0
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1"""


class SecondNode(kafka_node.EmptyKafkaNode):
    """A broker beside the first one, which stays the only controller."""

    def __init__(self, folder, first):
        super().__init__(folder)
        voters = kafka_node.properties(first.folder / "server.properties")[
            "controller.quorum.voters"]
        # Of settings that come twice the last counts.
        self.more_settings = f"""{first.more_settings}
process.roles=broker
node.id=2
controller.quorum.voters={voters}
listeners=PLAINTEXT://{self.bootstrap}"""


class CliOnKafka(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-cli-on-kafka-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        (cls.folder / "1").mkdir()
        (cls.folder / "2").mkdir()
        first = FirstNode(cls.folder / "1")
        cls.addClassCleanup(first.stop)
        first.start()
        second = SecondNode(cls.folder / "2", first)
        cls.addClassCleanup(second.stop)
        second.start()
        cls.nodes = [first, second]
        cls.environment = {**os.environ, "HOME": str(cls.folder),
                           "XDG_CONFIG_HOME": str(cls.folder / "config"),
                           "MILLRACE_BOOTSTRAP": first.bootstrap}
        brokers = []

        def are_both_there():
            done = subprocess.run([PROGRAM, "cluster", "brokers", "-o", "json"], text=True,
                                  capture_output=True, timeout=PATIENCE_S, check=False,
                                  env=cls.environment, stdin=subprocess.DEVNULL)
            brokers[:] = json.loads(done.stdout).get("brokers", [])
            return len(brokers) == 2
        local_cluster.wait_until(are_both_there, f"not two brokers: {brokers}")

    def millrace(self, *arguments, status=0, text=None):
        """What it prints; on the error output where the status is another one."""
        # What asks no cluster knows no time for it.
        timeout = () if arguments[0] == "log" else ("--timeout", PATIENCE_S // 2)
        done = subprocess.run([PROGRAM, *map(str, (*arguments, *timeout))], input=text, text=True,
                              capture_output=True, timeout=PATIENCE_S, check=False,
                              env=self.environment,
                              stdin=None if text is not None else subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout if status == 0 or not done.stderr else done.stderr

    def ask(self, *arguments, status=0, text=None):
        """Its answer as one object of JSON."""
        said = self.millrace(*arguments, "-o", "json", status=status, text=text)
        self.assertEqual(said.count("\n"), 1, said)
        return json.loads(said)

    def fails(self, code, *arguments, status=1):
        """What it says of its one failure."""
        said = self.ask(*arguments, status=status)
        self.assertEqual(said["error"]["code"], code, said)
        return said["error"]

    def create(self, topic, *arguments):
        """What is said of it; brokers learn one by one of a topic that was created."""
        told = self.ask("topic", "create", topic, *arguments)["topics"][0]

        def is_known(node):
            listed = subprocess.run(["kcat", "-L", "-J", "-b", node.bootstrap], text=True,
                                    capture_output=True, timeout=PATIENCE_S, check=True)
            return topic in [row["topic"] for row in json.loads(listed.stdout)["topics"]]

        for node in self.nodes if told["created"] else ():
            local_cluster.wait_until(lambda node=node: is_known(node), f"{topic} is not known")
        return told

    def produce(self, topic, *values, partition=0):
        lines = "".join(json.dumps({"value": value, "partition": partition}) + "\n"
                        for value in values)
        return self.ask("produce", topic, "-i", "json", text=lines)

    def offsets(self, topic):
        described = self.ask("topic", "describe", topic, "--offsets")
        return [(row["start"], row["end"]) for row in described["partitions"]]

    # --- topic ---

    def test_topics_are_created_changed_and_deleted(self):
        self.assertEqual(self.create("orders", "-p", 3, "-r", 2, "-c", "retention.ms=86400000"),
                         {"name": "orders", "partitions": 3, "replication_factor": 2,
                          "created": True})
        self.fails("TOPIC_ALREADY_EXISTS", "topic", "create", "orders")
        dry = self.create("dry", "--dry-run")
        self.assertEqual((dry["name"], dry["created"]), ("dry", False))
        listed = {row["name"]: row for row in self.ask("topic", "list")["topics"]}
        self.assertNotIn("dry", listed)
        self.assertEqual((listed["orders"]["partitions"], listed["orders"]["internal"]), (3, False))
        described = self.ask("topic", "describe", "orders", "--offsets")
        self.assertEqual((described["partition_count"], described["replication_factor"],
                          described["id"], described["configs"]["retention.ms"]),
                         (3, 2, listed["orders"]["id"], "86400000"))
        for row in described["partitions"]:
            self.assertEqual((sorted(row["replicas"]), row["start"], row["end"]), ([1, 2], 0, 0))
        altered = self.ask("topic", "alter", "orders", "-c", "max.message.bytes=2000000",
                           "--unset", "retention.ms")
        self.assertTrue(altered["changed"])
        self.assertEqual(self.ask("topic", "describe", "orders")["configs"],
                         {"max.message.bytes": "2000000"})
        self.fails("INVALID_CONFIG", "topic", "alter", "orders", "-c", "retention.ms=soon")
        self.assertEqual(self.ask("topic", "add-partitions", "orders", "--to", 5)["added"], 2)
        self.fails("INVALID_PARTITIONS", "topic", "add-partitions", "orders", "--to", 2)
        self.assertEqual(self.ask("topic", "describe", "orders")["partition_count"], 5)
        failure = self.fails("UNKNOWN_TOPIC_OR_PARTITION", "topic", "describe", "order")
        self.assertIn("did you mean orders?", failure["hint"])
        self.assertEqual(self.ask("topic", "delete", "orders")["topics"],
                         [{"name": "orders", "deleted": True}])
        self.fails("UNKNOWN_TOPIC_OR_PARTITION", "topic", "delete", "orders")
        self.fails("INVALID_REPLICATION_FACTOR", "topic", "create", "wide", "-r", 3)
        self.fails("INVALID_TOPIC_EXCEPTION", "topic", "create", "a b")

    def test_a_topic_is_trimmed(self):
        self.create("trimmed", "-p", 2)
        self.produce("trimmed", *"abcde")
        dry = self.ask("topic", "trim", "trimmed", "--before", "-2", "--dry-run")
        self.assertEqual((dry["changed"], dry["partitions"][0]["deleted"]), (False, 3))
        self.assertEqual(self.offsets("trimmed")[0], (0, 5))
        done = self.ask("topic", "trim", "trimmed", "--before", 3, "--partitions", 0)
        self.assertEqual(done["partitions"], [{"partition": 0, "start": 3, "deleted": 3}])
        self.assertEqual(self.offsets("trimmed"), [(3, 5), (0, 0)])
        self.assertEqual(self.millrace("consume", "trimmed", "--from", "start", "--to", "end"),
                         "d\ne\n")

    # --- produce, consume ---

    def test_records_keep_every_byte(self):
        for topic in ("from", "to"):
            self.create(topic, "-p", 2)
        wanted = [
            {"partition": 0, "timestamp": "2024-02-29T12:00:00.001Z", "key": "a\tb",
             "value": "zwölf\n", "headers": [{"key": "h", "value": "1"}]},
            {"partition": 1, "timestamp": "2024-02-29T12:00:00.002Z", "key": None, "value": None,
             "headers": []},
            {"partition": 1, "timestamp": "2024-02-29T12:00:00.003Z", "key_base64": "/w==",
             "value_base64": "//4=", "headers": [{"key": "x", "value_base64": "/g=="},
                                                 {"key": "n", "value": None}]}]
        told = self.ask("produce", "from", "-i", "json",
                        text="".join(json.dumps(record) + "\n" for record in wanted))
        self.assertEqual(told, {"topic": "from", "delivered": 3, "failed": 0, "partitions": [
            {"partition": 0, "records": 1, "first_offset": 0, "last_offset": 0},
            {"partition": 1, "records": 2, "first_offset": 0, "last_offset": 1}]})
        copied = self.millrace("consume", "from", "--from", "start", "--to", "end", "-o", "json")
        self.millrace("produce", "to", "-i", "json", "-q", text=copied)
        again = [json.loads(line) for line in self.millrace(
            "consume", "to", "--from", "start", "--to", "end", "-o", "json").splitlines()]
        again.sort(key=lambda record: (record["partition"], record["offset"]))
        self.assertEqual([(record.pop("topic"), record.pop("offset")) for record in again],
                         [("to", 0), ("to", 0), ("to", 1)])
        self.assertEqual(again, wanted)

    def test_places_and_formats(self):
        self.create("places")
        lines = "".join(json.dumps({"value": f"v{i}", "key": "k", "timestamp":
                                    f"2024-02-29T12:00:0{i}.000Z"}) + "\n" for i in range(6))
        self.millrace("produce", "places", "-i", "json", "-q", text=lines)

        def values(*arguments):
            return self.millrace("consume", "places", *arguments).split()
        self.assertEqual(values("--from", 2, "--to", 4), ["v2", "v3"])
        self.assertEqual(values("--tail", 2, "--to", "end"), ["v4", "v5"])
        self.assertEqual(values("--from", "@2024-02-29T12:00:03Z", "--count", 1), ["v3"])
        self.assertEqual(values("--from", "start", "--count", 1, "-f", "%t-%p@%o,%T,%k,%s\\n"),
                         ["places-0@0,2024-02-29T12:00:00.000Z,k,2"])
        self.assertEqual(self.millrace("produce", "places", "-K", ":", text="alice:paid\n"),
                         "places-0@6\n")
        self.fails("UNKNOWN_TOPIC_OR_PARTITION", "consume", "place", "--from", "start")
        said = self.millrace("produce", "nowhere", text="x\n", status=1)
        self.assertIn("no topic nowhere", said)

    def test_a_consumer_follows_until_it_is_interrupted(self):
        self.create("followed")
        self.produce("followed", "first")
        process = subprocess.Popen([PROGRAM, "consume", "followed", "--tail", "1"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "first\n")
        self.produce("followed", "second")
        self.assertEqual(process.stdout.readline(), "second\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE_S), 0)

    # --- group ---

    def check_group(self, topic, *options):
        self.create(topic)
        self.produce(topic, *"12345")
        group = f"readers-of-{topic}"
        consume = ["consume", topic, "--group", group, "--from", "start", *options, "--count"]
        self.assertEqual(self.millrace(*consume, 2), "1\n2\n")
        self.assertEqual(self.millrace(*consume, 1), "3\n")
        self.assertIn({"group": group, "state": "empty", "type": "consumer"},
                      self.ask("group", "list")["groups"])
        described = self.ask("group", "describe", group)
        self.assertEqual((described["state"], described["members"], described["lag"]),
                         ("empty", 0, 2))
        self.assertEqual(described["partitions"], [
            {"group": group, "state": "empty", "topic": topic, "partition": 0, "committed": 3,
             "end": 5, "lag": 2, "member": None}])
        moves = [{"topic": topic, "partition": 0, "from": 3, "to": 1}]
        self.assertEqual(self.ask("group", "reset-offsets", group, "--shift", -2),
                         {"group": group, "changed": False, "partitions": moves})
        self.assertEqual(self.ask("group", "reset-offsets", group, "--to", 1, "--execute"),
                         {"group": group, "changed": True, "partitions": moves})
        process = subprocess.Popen([PROGRAM, *map(str, consume[:-1])], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "2\n")
        described = self.ask("group", "describe", group)
        self.assertEqual((described["state"], described["members"]), ("stable", 1))
        self.assertIn("(127.0.0.1)", described["partitions"][0]["member"])
        for change in (["reset-offsets", group, "--to", "start", "--execute"], ["delete", group]):
            failure = self.fails(
                "UNKNOWN_MEMBER_ID" if change[0] == "reset-offsets" else "NON_EMPTY_GROUP",
                "group", *change)
            self.assertIn("has members", failure["message"])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertEqual(self.ask("group", "delete", group)["groups"],
                         [{"group": group, "deleted": True}])
        self.fails("GROUP_ID_NOT_FOUND", "group", "describe", group)
        self.fails("GROUP_ID_NOT_FOUND", "group", "delete", group)

    def test_groups_of_members_that_assign(self):
        self.check_group("classic")

    def test_groups_whose_broker_assigns(self):
        self.check_group("managed", "-X", "group.protocol=consumer")

    # --- config ---

    def test_settings_of_topics_brokers_and_groups(self):
        self.create("set")
        for kind, name, setting, value, source in (
                ("topic", "set", "max.message.bytes", "2000000", "DYNAMIC_TOPIC_CONFIG"),
                ("broker", "1", "log.cleaner.threads", "2", "DYNAMIC_BROKER_CONFIG"),
                ("broker", "default", "log.cleaner.threads", "2", "DYNAMIC_DEFAULT_BROKER_CONFIG"),
                ("group", "tuned", "consumer.session.timeout.ms", "50000",
                 "DYNAMIC_GROUP_CONFIG")):
            with self.subTest(kind=kind, name=name):
                dry = self.ask("config", "set", kind, name, f"{setting}={value}", "--dry-run")
                self.assertFalse(dry["changed"])
                changed = self.ask("config", "set", kind, name, f"{setting}={value}")
                self.assertEqual(changed, {"kind": kind, "name": name, "changed": True,
                                           "changes": [f"{setting} = {value}"]})

                def rows(kind=kind, name=name, setting=setting):
                    return [(row["value"], row["source"]) for row
                            in self.ask("config", "list", kind, name)["configs"]
                            if row["setting"] == setting]
                # A broker hears of its settings a moment later.
                local_cluster.wait_until(lambda: rows() == [(value, source)],
                                         f"{setting} is not {value}")
                got = self.ask("config", "get", kind, name, setting)["configs"][0]
                self.assertEqual((got["value"], got["source"]), (value, source))
                self.assertTrue(self.ask("config", "unset", kind, name, setting)["changed"])
                local_cluster.wait_until(lambda: (value, source) not in rows(),
                                         f"{setting} is not unset")
        failure = self.fails("UNKNOWN_SETTING", "config", "get", "topic", "set", "retention.mss")
        self.assertEqual(failure["hint"], "did you mean retention.ms?")
        self.fails("INVALID_CONFIG", "config", "set", "topic", "set", "retention.mss=1")
        self.fails("INVALID_REQUEST", "config", "set", "broker", "1", "node.id=7")
        self.fails("UNKNOWN_TOPIC_OR_PARTITION", "config", "list", "topic", "sett")
        self.assertGreater(
            len(self.ask("config", "list", "broker", "2", "--all")["configs"]), 100)

    # --- cluster ---

    def test_the_cluster_is_described(self):
        # A topic of another test may not be on both yet.
        local_cluster.wait_until(
            lambda: subprocess.run([PROGRAM, "cluster", "health"], capture_output=True,
                                   timeout=PATIENCE_S, check=False, env=self.environment,
                                   stdin=subprocess.DEVNULL).returncode == 0, "not healthy")
        health = self.ask("cluster", "health")
        self.assertEqual(
            [health[field] for field in ("healthy", "brokers", "controllers", "controller_leader",
                                         "without_leader", "under_replicated", "troubled")],
            [True, 2, 1, 1, 0, 0, []])
        brokers = self.ask("cluster", "brokers")
        self.assertEqual(brokers["cluster"], "AAAAAAAAAAAAAAAAAAAAAQ")
        self.assertEqual([(row["broker"], f"{row['host']}:{row['port']}")
                          for row in brokers["brokers"]],
                         [(1, self.nodes[0].bootstrap), (2, self.nodes[1].bootstrap)])
        quorum = self.ask("cluster", "quorum")
        self.assertEqual((quorum["leader"],
                          [(row["node"], row["role"]) for row in quorum["replicas"]]),
                         (1, [(1, "leader"), (2, "observer")]))
        self.assertGreater(quorum["high_watermark"], 0)
        self.create("led", "-p", 4)
        leaders = self.ask("cluster", "leaders")
        self.assertEqual([row["broker"] for row in leaders["brokers"]], [1, 2])
        self.assertEqual(sum(row["leaders"] for row in leaders["brokers"]), leaders["partitions"])

    def test_a_controller_is_asked(self):
        voters = kafka_node.properties(self.nodes[0].folder / "server.properties")[
            "controller.quorum.voters"]
        controller = ("-X", f"bootstrap.controllers={voters.partition('@')[2]}")
        self.assertEqual(self.ask("cluster", "quorum", *controller)["leader"], 1)
        changed = self.ask("config", "set", "broker", "default", "background.threads=11",
                           *controller)
        self.assertTrue(changed["changed"])
        self.ask("config", "unset", "broker", "default", "background.threads", *controller)
        failure = self.fails("UNSUPPORTED_VERSION", "topic", "list", *controller)
        self.assertIn("bootstrap.servers names brokers", failure["message"])
        self.fails("USAGE", "cluster", "quorum", *controller, "-b", self.nodes[0].bootstrap,
                   status=2)

    def replicas(self, topic):
        return [row["replicas"] for row in self.ask("topic", "describe", topic)["partitions"]]

    def test_partitions_are_moved_and_led_again(self):
        self.create("moved", "-p", 2)
        self.produce("moved", *"abc")
        move = ["cluster", "reassign", "moved", "--to", "1,2", "-r", 2]
        self.assertFalse(self.ask(*move)["changed"])
        self.assertEqual([len(row) for row in self.replicas("moved")], [1, 1])
        done = self.ask(*move, "--execute", "--wait")
        self.assertTrue(done["changed"])
        self.assertEqual([sorted(row["to"]) for row in done["partitions"]], [[1, 2], [1, 2]])
        self.assertEqual([sorted(row) for row in self.replicas("moved")], [[1, 2], [1, 2]])
        self.assertEqual(self.ask("cluster", "reassign")["partitions"], [])
        self.assertFalse(self.ask(*move, "--execute")["changed"])
        self.assertEqual(self.ask("cluster", "reassign", "moved", "--cancel")["partitions"], [])
        # Each by its preferred broker, whoever led it before.
        self.ask("cluster", "elect", "moved")
        for row in self.ask("topic", "describe", "moved")["partitions"]:
            self.assertEqual(row["leader"], row["replicas"][0])
        self.assertEqual(self.ask("cluster", "elect", "moved")["partitions"], [])
        self.assertIn("all are led as they should be", self.millrace("cluster", "elect", "moved"))
        self.fails("USAGE", "cluster", "elect", "moved:9", status=2)
        self.ask("cluster", "reassign", "moved", "--to", 2, "-r", 1, "--execute", "--wait")
        self.assertEqual(self.replicas("moved"), [[2], [2]])
        self.assertEqual(sorted(self.millrace("consume", "moved", "--from", "start", "--to",
                                              "end").split()), ["a", "b", "c"])

    def test_a_broker_is_drained(self):
        self.create("drained", "-p", 4, "-r", 1)
        self.assertIn([2], self.replicas("drained"))
        dry = self.ask("cluster", "drain", 2)
        self.assertFalse(dry["changed"])
        self.assertIn("drained", [row["topic"] for row in dry["partitions"]])
        self.create("both", "-r", 2)
        failure = self.fails("TOO_FEW_BROKERS", "cluster", "drain", 2)
        self.assertIn("both-0 needs 2 replicas", failure["message"])
        self.fails("USAGE", "cluster", "reassign", "both", "--to", 9, status=2)

    # --- bench, debug, log ---

    def test_measurements_count_every_record(self):
        told = self.ask("bench", "produce", "measured", "--create", "--records", 20_000)
        self.assertEqual((told["records"], told["failed"]), (20_000, 0))
        told = self.ask("bench", "consume", "measured")
        self.assertEqual((told["records"], told["bytes"]), (20_000, 2_000_000))
        told = self.ask("bench", "latency", "measured", "--records", 200)
        self.assertEqual(told["records"], 200)

    def test_a_bundle_has_everything_and_no_secret(self):
        self.create("bundled")
        self.produce("bundled", "a-record")
        self.millrace("consume", "bundled", "--group", "bundlers", "--from", "start", "--count", 1)
        file = self.folder / "trouble.tar"
        told = self.ask("debug", "bundle", file)
        self.assertEqual((told["file"], told["failed"]), (str(file), []))
        with tarfile.open(file) as bundle:
            names = bundle.getnames()
            parts = {name: bundle.extractfile(name).read().decode() for name in names}
        self.assertEqual(names, told["parts"])
        for name in ("health.json", "brokers.json", "quorum.json", "leaders.json", "topics.json",
                     "groups.json", "configs/broker-1.json", "configs/broker-2.json",
                     "topics/bundled.json", "groups/bundlers.json"):
            self.assertNotIn("error", json.loads(parts[name]), name)
        self.assertNotIn("a-record", "".join(parts.values()))

    def test_files_of_its_log_are_dumped(self):
        self.create("dumped")
        self.produce("dumped", "paid 200")
        described = self.ask("topic", "describe", "dumped")
        node = self.nodes[described["partitions"][0]["leader"] - 1]
        said = self.millrace("log", "dump", node.logs / "dumped-0", "-o", "json")
        records = [item for item in map(json.loads, said.splitlines()) if item["type"] == "record"]
        self.assertEqual([record["value"] for record in records], ["paid 200"])

    # --- What only Apache Kafka has. ---

    def test_share_groups_are_described(self):
        self.create("shared")
        self.produce("shared", "one")
        command = packages.java("org.apache.kafka.tools.consumer.ConsoleShareConsumer")
        process = subprocess.Popen(
            [*command, "--bootstrap-server", self.nodes[0].bootstrap, "--topic", "shared",
             "--group", "sharers"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait, PATIENCE_S)
        self.addCleanup(process.kill)
        local_cluster.wait_until(
            lambda: {"group": "sharers", "state": "stable", "type": "share"}
            in self.ask("group", "list")["groups"], "the share group is not listed")
        local_cluster.wait_until(
            lambda: [row["topic"] for row in self.ask("group", "describe", "sharers")["partitions"]
                     ] == ["shared"], "the partition is not shared")
        told = self.ask("group", "describe", "sharers")
        self.assertEqual(told["members"], 1)
        self.assertIn("console-share-consumer", told["partitions"][0]["member"])
        # It begins at the end that it found; what comes now is handed out.
        self.produce("shared", "two")
        # The place where it begins is told later than that the record is done with.
        local_cluster.wait_until(
            lambda: [(row["end"], row["lag"], row["committed"] is None) for row in
                     self.ask("group", "describe", "sharers")["partitions"]] == [(2, 0, False)],
            "the record is not done with")
        told = self.ask("debug", "bundle", self.folder / "with-sharers.tar")
        self.assertEqual(told["failed"], [])
        self.assertIn("groups/sharers.json", told["parts"])
        failure = self.fails("GROUP_ID_NOT_FOUND", "group", "reset-offsets", "sharers", "--to",
                             "start")
        self.assertEqual((failure["message"], failure.get("hint")),
                         ("group sharers is of the type share, and this is for groups of "
                          "consumers", None))


if __name__ == "__main__":
    unittest.main()
