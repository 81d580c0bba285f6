"""Records that our client writes, read by others, and the reverse; and the partitions of keys.

`cases_of` gives the test cases for a cluster. Each client is a program with two modes (README.md),
so that what one wrote can be compared with what another read as lines of text.
"""

import collections
import os
import pathlib
import random
import struct
import subprocess
import sys
import unittest
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "common"))

import packages  # noqa: E402  (its folder had to be named first)

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
PATIENCE_S = 400
PARTITIONS = 5
KEYS = 10_000
KEY_PARTITIONS = 13
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FIRST_MS = 1_700_000_000_000
# Of a record batch: where its length stands, what comes before it is counted, where its codec and
# its number of records are.
LENGTH_AT, BEFORE_LENGTH, ATTRIBUTES_AT, CODEC_BITS, COUNT_AT, HEADER = 8, 12, 21, 7, 57, 61
LANGUAGES = ("naïve", "Ωμέγα", "поток", "流れ", "🌊🌊", "e\u0301", "a\0b", "\ufeff", "👩\u200d🔬")


def programs():
    return {
        "ours": [PROGRAMS / "sdk_exchange"],
        "java": [*packages.java("millrace.clients.Main", 512), "exchange"],
        "librdkafka": ["/usr/bin/python3", HERE.parent / "debian" / "exchange.py"],
        "franz-go": [packages.go("franz-go")],
    }


def word(content):
    return "-" if content is None else "x" + content.hex()


class Failed(AssertionError):
    """`lines` is what the program wrote all the same."""

    def __init__(self, why, lines):
        super().__init__(why)
        self.lines = lines


def run(program, *words, lines=()):
    """Gives the lines that it wrote."""
    done = subprocess.run([*map(str, program), *map(str, words)], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False, input="".join(f"{x}\n" for x in lines))
    if done.returncode != 0:
        raise Failed(f"{words[0]} by {program[0]}: {done.stdout[-1000:]}{done.stderr}",
                     done.stdout.splitlines())
    return done.stdout.splitlines()


def records():
    """Lines of input: the partition or -1, then what others must read of it. With a key, the
    partition is left to the client now and then."""
    chance = random.Random(6)

    def some(size):
        return chance.randbytes(size)
    texts = [text.encode() for text in LANGUAGES]
    keys = [None, b"", b"\0", b"\xff" * 4, *texts, *(some(size) for size in (1, 2, 3, 4, 5, 300))]
    values = [None, b"", b"\0", some(1), b"repeated " * 3000, some(70_000), *texts]
    headers = ["."] + [",".join(f"{word(name)}={word(value)}" for name, value in one) for one in (
        [(b"one", b"1")],
        [(b"null", None), (b"empty", b""), (b"", b"nameless")],
        [(b"twice", b"a"), (b"twice", b"b"), (b"twice", b"a")],
        # Names in librdkafka end at a zero.
        [(text.replace(b"\0", b""), text) for text in texts],
        [(b"large", some(20_000))],
        [(f"h{i}".encode(), some(i)) for i in range(70)])]
    lines = []
    for number in range(len(keys) * len(values)):
        key, value = keys[number % len(keys)], values[number // len(keys)]
        chosen = -1 if key is not None and number % 3 else number % PARTITIONS
        # Also times that go back, and one before 2000.
        time = FIRST_MS - 1000 * (number % 7) if number % 50 else 946_598_400_123
        lines.append(f"{chosen} {time} {word(key)} {word(value)} {headers[number % len(headers)]}")
    return lines


def many_keys():
    """Of many lengths: text of several languages, numbers, and bytes that are no text."""
    chance = random.Random(10_000)
    keys = {b""}
    while len(keys) < KEYS:
        kind = len(keys) % 4
        if kind == 0:
            keys.add(chance.randbytes(chance.choice((1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 1000))))
        elif kind == 1:
            keys.add(f"customer-{len(keys)}".encode())
        elif kind == 2:
            keys.add("".join(chance.choices("aé流🌊 \0ß€", k=chance.randrange(1, 40))).encode())
        else:
            keys.add(struct.pack(">q", chance.randrange(-2**63, 2**63)))
    return sorted(keys)


def batches_in(log):
    """The codec and the number of records of each batch in the bytes of a log."""
    position = 0
    while position + HEADER <= len(log):
        length, = struct.unpack_from(">i", log, position + LENGTH_AT)
        if length <= 0:
            break
        attributes, = struct.unpack_from(">h", log, position + ATTRIBUTES_AT)
        count, = struct.unpack_from(">i", log, position + COUNT_AT)
        yield CODECS[attributes & CODEC_BITS], count
        position += BEFORE_LENGTH + length


class Exchange(unittest.TestCase):
    """`bootstrap` and `logs`, the folder of the logs of all topics, come from the class of the
    cluster."""

    bootstrap = ""
    logs = pathlib.Path()
    maxDiff = 2000

    @classmethod
    def prepare(cls):
        cls.programs = programs()
        cls.records = records()

    def create(self, topic, partitions, *settings):
        """Until all leaders serve it. A broker of Kafka that does not yet refuses the first batch
        of a producer, may take the second, and librdkafka counts the first as written."""
        # Without retention: the records say that they are years old.
        configs = [word for each in ("retention.ms=-1", *settings) for word in ("-c", each)]
        to_cluster = ("-b", self.bootstrap, "--timeout", PATIENCE_S)
        run([PROGRAMS / "millrace"], "topic", "create", topic, "-p", partitions, *configs,
            *to_cluster)
        run([PROGRAMS / "millrace"], "topic", "describe", topic, "--offsets", *to_cluster)

    def write_all(self, writer):
        """With each codec, to a topic of its own: the topics."""
        mark = uuid.uuid4().hex[:8]
        topics = [f"{writer}-{codec}-{mark}" for codec in CODECS]
        for topic, codec in zip(topics, CODECS):
            self.create(topic, PARTITIONS)
            run(self.programs[writer], "write", self.bootstrap, topic, codec, lines=self.records)
            self.check_codec(topic, codec)
        return topics

    def batches_of(self, topic, partition):
        return [batch for file in self.logs.rglob(f"{topic}-{partition}/*.log")
                for batch in batches_in(file.read_bytes())]

    def check_codec(self, topic, codec):
        found = {used for partition in range(PARTITIONS)
                 for used, _ in self.batches_of(topic, partition)}
        # A client may leave a batch as it is that would grow.
        self.assertIn(codec, found, topic)
        self.assertLessEqual(found, {codec, "none"})

    def records_missing(self, topics, lines):
        """Where a reader gave other than what the logs have: (given, in the log)."""
        given = collections.Counter(tuple(line.split(" ", 2)[:2]) for line in lines)
        kept = {(topic, str(number)): sum(count for _, count in self.batches_of(topic, number))
                for topic in topics for number in range(PARTITIONS)}
        return {place: (given[place], count) for place, count in kept.items()
                if given[place] != count}

    def java_partitions(self, keys, count):
        lines = run(self.programs["java"], "partitions", count, lines=map(word, keys))
        return [int(line) for line in lines]

    def wanted_of(self, topics):
        """What must be read of each topic and partition, in order, as lines without place."""
        with_key = [line for line in self.records if line.startswith("-1 ")]
        keys = [bytes.fromhex(line.split()[2][1:]) for line in with_key]
        chosen = dict(zip(with_key, self.java_partitions(keys, PARTITIONS)))
        in_partitions = collections.defaultdict(list)
        for line in self.records:
            partition, rest = line.split(" ", 1)
            in_partitions[chosen.get(line, int(partition))].append(rest)
        return {(topic, partition): lines for topic in topics
                for partition, lines in in_partitions.items()}

    def read(self, reader, topics):
        """What comes, by topic and partition; offsets count from 0 without a gap."""
        try:
            lines = run(self.programs[reader], "read", self.bootstrap, len(self.records),
                        PARTITIONS, *topics)
        except Failed as failed:
            self.fail(f"{failed}\nmissing: {self.records_missing(topics, failed.lines)}")
        found = collections.defaultdict(list)
        for line in lines:
            topic, partition, offset, rest = line.split(" ", 3)
            place = (topic, int(partition))
            self.assertEqual(int(offset), len(found[place]), f"{reader}: {place}")
            found[place].append(rest)
        return found

    def check(self, reader, topics, wanted):
        found = self.read(reader, topics)
        self.assertEqual(found.keys(), wanted.keys())
        for place, lines in wanted.items():
            for number, (one, other) in enumerate(zip(found[place], lines)):
                self.assertEqual(one[:300], other[:300], f"{reader}: {place} offset {number}")
                self.assertEqual(one, other, f"{reader}: {place} offset {number}")
            self.assertEqual(len(found[place]), len(lines), f"{reader}: {place}")

    def test_what_we_write_is_read_by_all(self):
        topics = self.write_all("ours")
        wanted = self.wanted_of(topics)
        for reader in self.programs:
            with self.subTest(reader=reader):
                self.check(reader, topics, wanted)

    def test_what_others_write_is_read_by_us(self):
        for writer in self.programs:
            if writer == "ours":
                continue
            with self.subTest(writer=writer):
                topics = self.write_all(writer)
                self.check("ours", topics, self.wanted_of(topics))

    def test_times_that_the_broker_sets_are_read_alike(self):
        topic = f"times-{uuid.uuid4().hex[:8]}"
        self.create(topic, PARTITIONS, "message.timestamp.type=LogAppendTime")
        run(self.programs["ours"], "write", self.bootstrap, topic, "lz4", lines=self.records)
        read = self.read("ours", [topic])
        times = {int(line.split()[0]) for lines in read.values() for line in lines}
        self.assertGreater(min(times), FIRST_MS)
        for reader in ("java", "librdkafka", "franz-go"):
            self.assertEqual(self.read(reader, [topic]), read, reader)

    def test_10000_keys_go_where_java_sends_them(self):
        keys = many_keys()
        wanted = self.java_partitions(keys, KEY_PARTITIONS)
        self.assertEqual(set(wanted), set(range(KEY_PARTITIONS)))
        for writer in ("ours", "java"):
            topic = f"keys-{writer}-{uuid.uuid4().hex[:8]}"
            self.create(topic, KEY_PARTITIONS)
            run(self.programs[writer], "write", self.bootstrap, topic, "none",
                lines=(f"-1 {FIRST_MS} {word(key)} x ." for key in keys))
            lines = run(self.programs["ours"], "read", self.bootstrap, KEYS, KEY_PARTITIONS, topic)
            found = {line.split()[4]: int(line.split()[1]) for line in lines}
            self.assertEqual([found.get(word(key)) for key in keys], wanted, writer)
