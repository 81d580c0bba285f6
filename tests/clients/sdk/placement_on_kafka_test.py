"""Our own client and the program `millrace` on two brokers of Apache Kafka: what operators change
has its effect. Replicas go where they are told, between brokers and between directories; moves are
throttled, told and cancelled; leaders are elected, also with a loss; a broker dies and comes back;
another leaves for good.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "java")]

import kafka_node  # noqa: E402  (its folder had to be named first)
from cli_on_kafka_test import SecondNode  # noqa: E402
from kafka_node import local_cluster, packages  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
PATIENCE_S = 300
RECORDS = 20_000  # many batches, of which a throttled move takes one at a time


class FirstNode(kafka_node.EmptyKafkaNode):
    """The controller is in it too."""
    # A killed broker is told to be gone, and may come back, when its session is over.
    more_settings = """broker.session.timeout.ms=15000
broker.heartbeat.interval.ms=500
auto.leader.rebalance.enable=false
min.insync.replicas=1
replica.fetch.max.bytes=4096
replica.fetch.wait.max.ms=100
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1"""


class NodeOfTwoDirectories(SecondNode):
    def __init__(self, folder, first):
        super().__init__(folder, first)
        self.more_logs = self.folder / "more-logs"
        self.more_settings += f"\nlog.dirs={self.logs},{self.more_logs}"


class PlacementOnKafka(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        folders = [pathlib.Path(folder.name) / name for name in "12"]
        for place in folders:
            place.mkdir()
        cls.first = FirstNode(folders[0])
        cls.addClassCleanup(cls.first.stop)
        cls.first.start()
        cls.second = NodeOfTwoDirectories(folders[1], cls.first)
        # Before the controller: it says there that it goes.
        cls.addClassCleanup(cls.second.stop)
        cls.second.start()

    def setUp(self):
        self.expect_whole()

    def run_command(self, *arguments):
        return subprocess.run(self.command(*arguments), **self.surroundings(),
                              capture_output=True, timeout=PATIENCE_S, check=False)

    def command(self, *arguments):
        return [PROGRAMS / "millrace", *map(str, arguments), "-b", self.first.bootstrap, "-o",
                "json", "--timeout", str(PATIENCE_S // 2)]

    def surroundings(self):
        return {"text": True, "stdin": subprocess.DEVNULL,
                "env": {**os.environ, "XDG_CONFIG_HOME": str(self.first.folder)}}

    def ask(self, *arguments):
        done = self.run_command(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def expect_failure(self, code, *arguments):
        done = self.run_command(*arguments)
        self.assertEqual(done.returncode, 1, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertEqual(json.loads(done.stdout or done.stderr)["error"]["code"], code, done)

    def check(self, *words):
        """What the library tells, a thing a line."""
        done = subprocess.run([PROGRAMS / "sdk_placement_check", self.first.bootstrap,
                               *map(str, words)], text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout.splitlines()

    def change(self, *words):
        self.assertEqual(self.check(*words), [], words)

    def wait_until(self, holds, what, found=()):
        """What was found last is told with what it is not."""
        def look():
            time.sleep(0.1)  # each look is a process
            return holds()
        try:
            local_cluster.wait_until(look, what)
        except AssertionError as error:
            said = [f"--- {node.bootstrap}\n{node.said()}" for node in (self.first, self.second)]
            raise AssertionError("\n".join([f"{error}: {found}", *said])) from error

    # --- What is there. ---

    def create(self, topic, *replicas):
        self.change("create", topic, *replicas)
        self.addCleanup(self.ask, "topic", "delete", topic)

    def fill(self, topic):
        told = self.ask("bench", "produce", topic, "--records", RECORDS, "-X", "batch.size=10000")
        self.assertEqual(told["failed"], 0)

    def partitions(self, topic):
        return self.ask("topic", "describe", topic)["partitions"]

    def expect(self, topic, replicas, leaders):
        """A broker hears of it a moment after the controller."""
        found = []

        def is_so():
            rows = self.partitions(topic)
            found[:] = [row["replicas"] for row in rows], [row["leader"] for row in rows]
            return found == [replicas, leaders]
        self.wait_until(is_so, f"not replicas {replicas} and leaders {leaders}", found)

    def records(self, topic):
        described = self.ask("topic", "describe", topic, "--offsets")
        return sum(row["end"] - row["start"] for row in described["partitions"])

    def moves(self):
        return self.ask("cluster", "reassign")["partitions"]

    def health(self):
        """And with what it ended."""
        done = self.run_command("cluster", "health")
        return json.loads(done.stdout or done.stderr), done.returncode

    def expect_whole(self, brokers=2):
        found = []

        def is_whole():
            found[:] = self.health()
            return found[1] == 0 and found[0]["brokers"] == brokers
        self.wait_until(is_whole, "the cluster does not become whole", found)

    # --- Where replicas are. ---

    def test_replicas_are_where_they_were_told_to_be(self):
        self.create("told", "2,1", "1,2")
        self.expect("told", [[2, 1], [1, 2]], [2, 1])
        self.change("add", "told", 4, "1,2", "2,1")
        self.expect("told", [[2, 1], [1, 2], [1, 2], [2, 1]], [2, 1, 1, 2])
        invalid = ["refused INVALID_REPLICA_ASSIGNMENT"]
        for replicas in ("3,1", "1,1", "1"):
            self.assertEqual(self.check("add", "told", 5, replicas), invalid)
        self.assertEqual(self.check("create", "nowhere", "3"), invalid)
        self.assertEqual(self.check("create", "nowhere", "1,2", "1"), invalid)
        self.assertEqual(len(self.partitions("told")), 4)
        self.assertNotIn("nowhere", [row["name"] for row in self.ask("topic", "list")["topics"]])

    def test_the_preferred_leader_leads_again(self):
        self.create("led", "1,2")
        self.expect_whole()
        # The same two in another order: nothing is to be copied, and nobody leads who did not.
        self.change("reassign", "led", 0, "2,1")
        self.expect("led", [[2, 1]], [1])
        self.assertEqual(self.ask("cluster", "elect", "led")["partitions"],
                         [{"topic": "led", "partition": 0}])
        self.expect("led", [[2, 1]], [2])
        self.assertEqual(self.ask("cluster", "elect", "led")["partitions"], [])

    # --- Moves. ---

    def throttle(self, topic, rate):
        """What is sent and taken of the topic's first partition; the brokers know it on return."""
        for side, broker in (("leader", 2), ("follower", 1)):
            self.ask("config", "set", "topic", topic,
                     f"{side}.replication.throttled.replicas=0:{broker}")
            self.set_on_broker(broker, f"{side}.replication.throttled.rate", rate)

    def set_on_broker(self, broker, setting, value):
        self.ask("config", "set", "broker", broker, f"{setting}={value}")
        self.wait_until(
            lambda: [row["value"] for row in self.ask("config", "list", "broker", broker)["configs"]
                     if row["setting"] == setting] == [str(value)], f"{setting} is not {value}")

    def unset_on_broker(self, broker, setting):
        self.ask("config", "unset", "broker", broker, setting)

    def release(self):
        for side, broker in (("leader", 2), ("follower", 1)):
            self.unset_on_broker(broker, f"{side}.replication.throttled.rate")

    def test_a_throttled_move_is_told_cancelled_and_completed(self):
        self.create("moved", "2")
        self.fill("moved")
        self.throttle("moved", 1)
        self.addCleanup(self.release)
        move = ["cluster", "reassign", "moved", "--to", 1, "-r", 1, "--execute"]
        wanted = [{"topic": "moved", "partition": 0, "from": [2], "to": [1]}]
        self.assertEqual(self.ask(*move), {"changed": True, "partitions": wanted})
        under_way = [{"topic": "moved", "partition": 0, "replicas": [1, 2], "adding": [1],
                      "removing": [2]}]
        self.assertEqual(self.moves(), under_way)
        self.assertFalse(self.ask(*move)["changed"], "it goes there already")
        self.assertEqual(self.moves(), under_way)

        cancel = ["cluster", "reassign", "moved", "--cancel"]
        self.assertEqual(self.ask(*cancel)["partitions"], [{"topic": "moved", "partition": 0}])
        self.assertEqual(self.moves(), [])
        self.expect("moved", [[2]], [2])
        self.assertEqual(self.ask(*cancel)["partitions"], [])

        # One that is longer and not throttled is there before it.
        self.create("free", "2")
        self.fill("free")
        self.fill("free")
        both = [*move[:2], "free", *move[2:]]
        process = subprocess.Popen(self.command(*both, "--wait"), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, **self.surroundings())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.expect("free", [[1]], [1])
        self.assertEqual(self.moves(), under_way)
        self.assertIsNone(process.poll(), "it does not wait for what is throttled")
        self.release()
        said, _ = process.communicate(timeout=PATIENCE_S)
        self.assertEqual((process.returncode, json.loads(said)["partitions"]),
                         (0, [{**wanted[0], "topic": "free"}, *wanted]), said)
        self.expect("moved", [[1]], [1])
        self.assertEqual(self.ask("bench", "consume", "moved")["records"], RECORDS)

    def test_replicas_move_between_directories(self):
        self.create("stored", "1,2")
        self.fill("stored")
        self.expect_whole()
        place = ("stored", 0, 2)
        directories = [str(self.second.logs), str(self.second.more_logs)]
        now, future = self.check("directories", *place)
        self.assertIn(now, directories)
        self.assertEqual(future, "")
        directories.remove(now)
        target = directories[0]
        self.assertEqual(self.check("move", *place, self.second.folder),
                         ["refused LOG_DIR_NOT_FOUND"])
        throttle = "replica.alter.log.dirs.io.max.bytes.per.second"
        self.set_on_broker(2, throttle, 1)
        self.addCleanup(self.unset_on_broker, 2, throttle)
        self.change("move", *place, target)
        self.assertEqual(self.check("directories", *place), [now, target])
        self.unset_on_broker(2, throttle)
        self.wait_until(lambda: self.check("directories", *place) == [target, ""],
                        f"{place} does not come to {target}")
        self.assertTrue((pathlib.Path(target) / "stored-0").is_dir())
        self.expect_whole()

    # --- Brokers. ---

    def test_a_broker_dies_and_comes_back(self):
        self.create("kept", "2,1")
        self.create("lost", "2")
        self.fill("kept")
        self.fill("lost")
        self.expect_whole()
        self.second.kill()
        found = []

        def is_told():
            found[:] = self.health()
            return found[0].get("brokers") == 1
        self.wait_until(is_told, "a dead broker is counted", found)
        health, status = found
        # Nobody is in sync in what has no leader, since it may only come back with a part of it.
        self.assertEqual(
            (status, health["healthy"], health["without_leader"], health["under_replicated"]),
            (1, False, 1, 2), health)
        self.assertEqual(
            sorted((row["topic"], row["leader"], row["replicas"], row["in_sync"])
                   for row in health["troubled"]),
            [("kept", 1, [2, 1], [1]), ("lost", None, [2], [])])

        self.expect_failure("PREFERRED_LEADER_NOT_AVAILABLE", "cluster", "elect", "kept")
        unclean = ["cluster", "elect", "lost", "--unclean"]
        self.expect_failure("ELIGIBLE_LEADERS_NOT_AVAILABLE", *unclean)
        # Its only whole replica is gone: another one begins anew, and records are lost.
        self.assertTrue(self.ask("cluster", "reassign", "lost", "--to", 1, "-r", 1,
                                 "--execute")["changed"])
        self.assertEqual([row["topic"] for row in self.moves()], ["lost"])
        self.assertEqual(self.ask(*unclean)["partitions"], [{"topic": "lost", "partition": 0}])
        self.expect("lost", [[1, 2]], [1])
        self.assertEqual(self.records("lost"), 0)
        self.fill("lost")

        self.second.run()
        # The controller ends the move when it next hears of the partition.
        self.expect("lost", [[1]], [1])
        self.expect_whole()
        self.assertEqual(self.moves(), [])
        self.expect("kept", [[2, 1]], [1])
        self.assertEqual(self.ask("cluster", "leaders")["not_preferred"], 1)
        self.assertEqual(self.ask("cluster", "elect")["partitions"],
                         [{"topic": "kept", "partition": 0}])
        self.expect("kept", [[2, 1]], [2])
        self.assertEqual([self.records(topic) for topic in ("kept", "lost")], [RECORDS, RECORDS])

    def test_a_broker_leaves_for_good(self):
        self.create("leaving", "2", "1", "2")
        self.fill("leaving")
        drain = ["cluster", "drain", 2, "--execute", "--wait"]
        drained = self.ask(*drain)
        self.assertTrue(drained["changed"])
        self.assertEqual([row for row in drained["partitions"] if row["topic"] == "leaving"],
                         [{"topic": "leaving", "partition": number, "from": [2], "to": [1]}
                          for number in (0, 2)])
        self.expect("leaving", [[1]] * 3, [1] * 3)
        self.wait_until(lambda: [(row["broker"], row["replicas"] > 0)
                                 for row in self.ask("cluster", "brokers")["brokers"]] ==
                        [(1, True), (2, False)], "it still has replicas")
        self.assertEqual(self.ask(*drain), {"changed": False, "partitions": []})
        self.second.stop()
        self.wait_until(lambda: self.check("brokers") == ["1", "2 fenced"], "it is still there")
        self.expect_whole(brokers=1)
        self.change("unregister", 2)
        self.wait_until(lambda: self.check("brokers") == ["1"], "it is still known")
        self.assertEqual(self.check("unregister", 2), ["refused BROKER_ID_NOT_REGISTERED"])
        self.assertEqual(self.records("leaving"), RECORDS)
        # Under its old number it is a new one.
        self.second.run()
        self.wait_until(lambda: self.check("brokers") == ["1", "2"], "it does not come back")
        self.create("again", "2")
        self.expect("again", [[2]], [2])

    # --- Features. ---

    def level(self, feature):
        return dict(line.split() for line in self.check("features"))[feature]

    def test_features_are_turned_down_and_up(self):
        name = "eligible.leader.replicas.version"
        self.assertEqual(self.level(name), "1")
        invalid = ["refused INVALID_UPDATE_VERSION"]
        self.assertEqual(self.check("feature", name, 0, "upgrade"), invalid)
        self.assertEqual(self.check("feature", name, 99, "upgrade"), invalid)
        self.change("feature", name, 0, "try-downgrade")
        self.assertEqual(self.level(name), "1")
        self.change("feature", name, 0, "downgrade")
        self.wait_until(lambda: self.level(name) == "0", "it was not turned down")
        self.change("feature", name, 1, "upgrade")
        self.wait_until(lambda: self.level(name) == "1", "it was not turned up")

    # --- Share groups. ---

    def test_share_groups_are_told_and_begin_elsewhere(self):
        self.create("shared", "1")
        self.fill("shared")
        command = packages.java("org.apache.kafka.tools.consumer.ConsoleShareConsumer")
        process = subprocess.Popen(
            [*command, "--bootstrap-server", self.first.bootstrap, "--topic", "shared",
             "--group", "sharers"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait, PATIENCE_S)
        self.addCleanup(process.kill)
        told = []

        def is_told(*wanted):
            told[:] = self.check("share-group", "sharers")
            return set(wanted) <= set(told)
        self.wait_until(lambda: is_told("Share Stable", "member shared 0"), "not told", told)
        self.assertEqual(self.check("share-start", "sharers", "shared", 7),
                         ["refused NON_EMPTY_GROUP"])
        process.terminate()
        self.assertIsNotNone(process.wait(PATIENCE_S))
        self.wait_until(lambda: is_told("Share Empty"), "it is not empty", told)
        self.change("share-start", "sharers", "shared", 7)
        self.wait_until(lambda: is_told("starts shared 0 7"), "it begins elsewhere", told)
        self.change("forget-share", "sharers", "shared")
        self.wait_until(lambda: is_told() and not any(line.startswith("starts") for line in told),
                        "it still begins", told)


if __name__ == "__main__":
    unittest.main()
