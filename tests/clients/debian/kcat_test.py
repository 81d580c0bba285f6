"""kcat: metadata, produce with each codec, consume, a group that goes on where it stopped."""

import json
import subprocess
import unittest

from support import BOOTSTRAP, CODECS, PATIENCE_S, fresh, wait_until

# By itself it waits for 5 s to hear of the cluster.
KCAT = ("kcat", "-b", BOOTSTRAP, "-m", str(PATIENCE_S))


def kcat(*arguments, given=None):
    """Runs kcat to its end; gives what it printed."""
    done = subprocess.run([*KCAT, *arguments], input=given, timeout=2 * PATIENCE_S,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise AssertionError(f"kcat {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout


def metadata():
    return json.loads(kcat("-L", "-J"))


def lines(count):
    return [f"key-{i % 7}:value-{i}" for i in range(count)]


def produce(topic, wanted, *options):
    kcat("-P", "-t", topic, "-K", ":", *options, given="\n".join(wanted).encode() + b"\n")


def consume(topic, *options):
    out = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-K", ":", *options)
    return out.decode().splitlines()


class Kcat(unittest.TestCase):
    def test_lists_brokers_and_topics(self):
        topic = fresh("kcat-listed")
        produce(topic, lines(1))
        cluster = metadata()
        self.assertGreaterEqual(len(cluster["brokers"]), 1)
        self.assertIn(cluster["controllerid"], [broker["id"] for broker in cluster["brokers"]])
        self.assertIn(topic, [entry["topic"] for entry in cluster["topics"]])

    def test_reads_back_what_it_produced_with_each_codec(self):
        for codec in CODECS:
            with self.subTest(codec):
                topic = fresh(f"kcat-{codec}")
                wanted = lines(500)
                produce(topic, wanted, "-z", codec)
                self.assertEqual(sorted(consume(topic)), sorted(wanted))

    def test_produces_with_every_kind_of_acknowledgement(self):
        for acks in ("0", "1", "all"):
            with self.subTest(acks):
                topic = fresh(f"kcat-acks-{acks}")
                produce(topic, lines(1))  # so that the topic is there
                wanted = lines(50)
                produce(topic, wanted, "-X", f"acks={acks}")
                wait_until(lambda t=topic: len(consume(t)) == 51, "all records to be there")

    def test_produces_idempotently(self):
        topic = fresh("kcat-idempotent")
        wanted = lines(300)
        produce(topic, wanted, "-X", "enable.idempotence=true")
        self.assertEqual(sorted(consume(topic)), sorted(wanted))

    def test_keeps_headers_and_large_records(self):
        topic = fresh("kcat-headers")
        value = "v" * 500_000
        kcat("-P", "-t", topic, "-H", "colour=blue", "-H", "empty=", given=value.encode())
        read = json.loads(kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"))
        self.assertEqual(read["headers"], ["colour", "blue", "empty", ""])
        self.assertEqual(read["payload"], value)

    def test_finds_offsets_by_time(self):
        topic = fresh("kcat-times")
        produce(topic, lines(10))
        before = kcat("-Q", "-t", f"{topic}:0:1000").decode()
        self.assertIn("offset 0", before)
        after = kcat("-Q", "-t", f"{topic}:0:99999999999999").decode()
        self.assertIn("offset", after)

    def test_a_group_goes_on_where_it_stopped(self):
        topic, group = fresh("kcat-group"), fresh("group")
        wanted = lines(40)
        produce(topic, wanted)
        options = ("-q", "-K", ":", "-X", "auto.offset.reset=earliest")
        first = kcat("-G", group, "-c", "25", *options, topic).decode().splitlines()
        self.assertEqual(len(first), 25)
        rest = kcat("-G", group, "-c", "15", *options, topic).decode().splitlines()
        self.assertEqual(sorted(first + rest), sorted(wanted))


if __name__ == "__main__":
    unittest.main()
