"""Apache Kafka's command-line tools, against a cluster that runs."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "common"), str(HERE.parent / "debian")]

import packages  # noqa: E402  (their folders had to be named first)
from support import BOOTSTRAP, PATIENCE_S, fresh  # noqa: E402

# Some tools give up after 5 s by themselves.
PATIENCE_MS = str(1000 * PATIENCE_S)


class Tools(unittest.TestCase):
    def tool(self, name, *words, given="", to=("--bootstrap-server", BOOTSTRAP)):
        """What the tool printed. It ends well."""
        main_class = name if name.startswith("kafka.") else f"org.apache.kafka.tools.{name}"
        done = subprocess.run([*packages.java(main_class), *to, *words], input=given, text=True,
                              capture_output=True, check=False, timeout=2 * PATIENCE_S)
        self.assertEqual(done.returncode, 0, f"{name} {words}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def create(self, partitions=1):
        topic = fresh("tools")
        self.tool("TopicCommand", "--create", "--topic", topic, "--partitions", str(partitions))
        return topic

    def produce(self, topic, lines, *words):
        self.tool("ConsoleProducer", "--topic", topic, "--request-timeout-ms", "60000", *words,
                  given="\n".join(lines) + "\n")

    def test_administer_topics(self):
        topic = self.create(3)
        self.assertIn(topic, self.tool("TopicCommand", "--list").splitlines())
        self.tool("TopicCommand", "--alter", "--topic", topic, "--partitions", "4")
        described = self.tool("TopicCommand", "--describe", "--topic", topic)
        self.assertIn("PartitionCount: 4", described)
        entity = ("--entity-type", "topics", "--entity-name", topic)
        self.tool("kafka.admin.ConfigCommand", "--alter", *entity,
                  "--add-config", "retention.ms=7200000")
        self.assertIn("retention.ms=7200000",
                      self.tool("kafka.admin.ConfigCommand", "--describe", *entity))
        self.tool("TopicCommand", "--delete", "--topic", topic)
        self.assertNotIn(topic, self.tool("TopicCommand", "--list").splitlines())

    def test_produce_consume_and_administer_groups(self):
        topic, group = self.create(), fresh("tools-group")
        wanted = [f"line {i}" for i in range(100)]
        for i, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
            self.produce(topic, wanted[20 * i:20 * i + 20], "--compression-codec", codec)
        consume = ("--topic", topic, "--group", group, "--from-beginning", "--timeout-ms",
                   PATIENCE_MS)
        read = self.tool("consumer.ConsoleConsumer", *consume, "--max-messages", "40").splitlines()
        read += self.tool("consumer.ConsoleConsumer", *consume, "--max-messages", "60").splitlines()
        self.assertEqual(read, wanted)
        groups = ("consumer.group.ConsumerGroupCommand", "--timeout", PATIENCE_MS)
        self.assertIn(group, self.tool(*groups, "--list").splitlines())
        described = self.tool(*groups, "--describe", "--group", group)
        self.assertRegex(described, rf"{group}\s+{topic}\s+0\s+100\s+100\s+0\s")
        self.tool(*groups, "--reset-offsets", "--group", group, "--topic", topic, "--to-offset",
                  "70", "--execute")
        described = self.tool(*groups, "--describe", "--group", group)
        self.assertRegex(described, rf"{group}\s+{topic}\s+0\s+70\s+100\s+30\s")
        self.tool(*groups, "--delete", "--group", group)
        self.assertNotIn(group, self.tool("GroupsCommand", "--list"))

    def test_look_at_offsets_and_delete_records(self):
        topic = self.create()
        self.produce(topic, [f"line {i}" for i in range(30)])
        shell = ("--topic", topic, "--time")
        self.assertEqual(self.tool("GetOffsetShell", *shell, "latest").strip(), f"{topic}:0:30")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            places = [{"topic": topic, "partition": 0, "offset": 10}]
            json.dump({"version": 1, "partitions": places}, file)
            file.flush()
            deleted = self.tool("DeleteRecordsCommand", "--offset-json-file", file.name)
        self.assertIn("low_watermark: 10", deleted)
        self.assertEqual(self.tool("GetOffsetShell", *shell, "earliest").strip(), f"{topic}:0:10")
        printed = self.tool("LogDirsCommand", "--describe", "--topic-list", topic)
        folders = json.loads(printed.splitlines()[-1])["brokers"][0]["logDirs"]
        sizes = [place["size"] for folder in folders for place in folder["partitions"]
                 if place["partition"] == f"{topic}-0"]
        self.assertEqual([size > 0 for size in sizes], [True])

    def test_look_at_the_cluster(self):
        status = self.tool("MetadataQuorumCommand", "describe", "--status")
        self.assertRegex(status, r"LeaderId: +\d+")
        self.assertRegex(status, r"HighWatermark: +\d+")
        identity = self.tool("ClusterTool", "--bootstrap-server", BOOTSTRAP, to=("cluster-id",))
        self.assertRegex(identity, r"Cluster ID: \S{22}")
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
            file.write(f"request.timeout.ms={PATIENCE_MS}\n")
            file.flush()
            versions = self.tool("BrokerApiVersionsCommand", "--command-config", file.name)
        self.assertIn("Produce(0)", versions)
        features = self.tool("FeatureCommand", "describe")
        self.assertRegex(features, r"metadata\.version\s.*FinalizedVersionLevel: 4\.3-IV0\s")

    def test_measure(self):
        topic = self.create(2)
        produced = self.tool("ProducerPerformance", "--topic", topic, "--num-records", "20000",
                             "--record-size", "100", "--throughput", "-1")
        self.assertIn("20000 records sent", produced)
        consumed = self.tool("ConsumerPerformance", "--topic", topic, "--num-records", "20000",
                             "--timeout", PATIENCE_MS)
        self.assertIn("20000", consumed.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
