"""Bad input of clients: its answer, the line in the log that names them, nobody else harmed."""

import functools
import gzip
import socket
import struct
import unittest

import kafka
from local_cluster import LocalCluster, wait_until

MIB = 1 << 20
FRAME_MAX = 100 * MIB  # socket.request.max.bytes
BATCH_MAX = 1_048_588  # message.max.bytes
STRANGERS = 100
# What the broker may take more than before; what is claimed by STRANGERS together is 10 GiB.
CLAIMS_COST_MAX = 64 * MIB
HALF_FRAMES_COST_MAX = 512 * MIB
TOPIC = "attacked"

CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_TOPIC, INVALID_REQUIRED_ACKS = 2, 10, 17, 21
INVALID_CONFIG, INVALID_RECORD = 40, 87
GZIP = 1

# A header without tags, and lengths that are out of reach.
GARBAGE = b"\0\x7f" + b"\xff" * 40


def header(api, version, client="stranger"):
    return struct.pack(">hhi", api, version, 7) + kafka.text(client)


def damaged_batch():
    batch = bytearray(kafka.record_batch([b"sound"]))
    batch[-2] ^= 1
    return bytes(batch)


@functools.cache
def bomb():
    """A batch of a quarter of a mebibyte: well-formed records of zeros, 256 MiB of them."""
    records = kafka.records_of([b"\0" * MIB] * 256)
    return kafka.batch_around(gzip.compress(records, 9), 256, GZIP)


def framed(body):
    return struct.pack(">i", len(body)) + body


class AttackedCluster(unittest.TestCase):
    """One cluster for all cases, and a healthy member of a group that must not feel them."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=0")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.healthy = kafka.Connection(*cls.cluster.bootstrap[0])
        cls.addClassCleanup(cls.healthy.socket.close)
        cls.healthy.create_topic(TOPIC)
        wait_until(lambda: cls.healthy.produce(TOPIC, 0, [b"first"])[0] not in kafka.NOT_READY,
                   "the topic does not come to life\n" + cls.cluster.explanation())
        cls.member = kafka.GroupMember(cls.healthy, "healthy")
        wait_until(cls.member.is_found, "no coordinator\n" + cls.cluster.explanation())
        wait_until(lambda: cls.member.join() == 0, "no group\n" + cls.cluster.explanation())
        cls.processes = {service: cls.cluster.process_of(service)
                         for service in ("broker", "controller", "coordinator")}

    def tearDown(self):
        self.look_at_the_healthy()
        for service, process in self.processes.items():
            self.assertEqual(self.cluster.process_of(service), process,
                             f"millrace-{service} died\n" + self.cluster.explanation())

    def look_at_the_healthy(self):
        """The same connection and the same generation of the group as ever."""
        error, offset = self.healthy.produce(TOPIC, 0, [b"healthy"])
        self.assertEqual(error, 0, self.cluster.explanation())
        self.assertEqual(self.healthy.fetch(TOPIC, 0, offset), (0, [(offset, b"healthy")]))
        self.assertEqual(self.member.heartbeat(), 0, self.cluster.explanation())
        self.assertEqual(self.member.commit(TOPIC, offset), 0, self.cluster.explanation())
        self.assertEqual(self.member.committed(TOPIC), (0, offset))

    def connect(self):
        connection = kafka.Connection(*self.cluster.bootstrap[0])
        self.addCleanup(connection.socket.close)
        return connection

    def log_of(self, service):
        path = self.cluster.directory / f"data/logs/{service}-1.log"
        return path.read_text(encoding="utf-8", errors="replace")

    def assert_named(self, connection, *words, service="broker"):
        """One line of the log has the address of the client and the words."""
        host, port = connection.socket.getsockname()
        address = f"{host}:{port}"

        def is_named():
            return any(address in line and all(word in line for word in words)
                       for line in self.log_of(service).splitlines())

        wait_until(is_named, f"no line with {address} and {words}\n" + self.cluster.explanation())

    def assert_closed(self, connection):
        """The broker closes it, and answers nothing before."""
        try:
            self.assertEqual(connection.socket.recv(1), b"", "an answer instead of an end")
        except ConnectionResetError:
            pass  # so too: some of what was sent was not read

    def assert_ends(self, *inputs):
        """Each ends its connection."""
        for data in inputs:
            connection = self.connect()
            connection.socket.sendall(data)
            self.assert_closed(connection)

    def resident_bytes(self, service="broker"):
        process = self.cluster.process_of(service)
        with open(f"/proc/{process}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * 4096


class NamedInTheLogTest(AttackedCluster):
    """The rate of such lines has a limit, 10 in 10 s: so this has a cluster of its own."""

    def test_who_sends_bad_input_is_named_in_the_log(self):
        inputs = {
            "negative length": struct.pack(">i", -1),
            "huge length": struct.pack(">i", FRAME_MAX + 1),
            "empty frame": framed(b""),
            "half a header": framed(header(kafka.METADATA, 1)[:9]),
            "unknown API": framed(header(9_999, 0)),
            "version that is not served": framed(header(kafka.FETCH, 99)),
            "body of garbage": framed(header(kafka.METADATA, 1) + GARBAGE),
            "body of garbage for the coordinator": framed(header(kafka.JOIN_GROUP, 2) + GARBAGE),
            "body of garbage for the controller": framed(header(kafka.CREATE_TOPICS, 4) + GARBAGE),
        }
        for name, data in inputs.items():
            with self.subTest(name=name):
                connection = self.connect()
                connection.socket.sendall(data)
                self.assert_closed(connection)
                self.assert_named(connection, "warning")

    def test_who_sends_a_bad_batch_is_named_in_the_log(self):
        connection = self.connect()
        self.assertEqual(connection.produce_batch(TOPIC, 0, damaged_batch())[0], CORRUPT_MESSAGE)
        self.assert_named(connection, "warning", TOPIC, "CORRUPT_MESSAGE")

    def test_who_sends_a_bomb_is_named_in_the_log(self):
        connection = self.connect()
        self.assertEqual(connection.produce_batch(TOPIC, 0, bomb())[0], MESSAGE_TOO_LARGE)
        self.assert_named(connection, "warning", TOPIC, "MESSAGE_TOO_LARGE",
                          "the records exceed the limits on decompression")


class BadInputTest(AttackedCluster):

    # --- Frames ---

    def test_a_negative_length_ends_the_connection(self):
        self.assert_ends(*(struct.pack(">i", length) for length in (-1, -(1 << 31))))

    def test_a_length_above_the_limit_ends_the_connection(self):
        self.assert_ends(*(struct.pack(">i", length) for length in (FRAME_MAX + 1, (1 << 31) - 1)))

    def test_an_empty_frame_ends_the_connection(self):
        self.assert_ends(framed(b""))

    def test_a_frame_that_ends_within_its_header_ends_the_connection(self):
        self.assert_ends(framed(header(kafka.METADATA, 1)[:9]))

    def test_a_client_id_longer_than_its_frame_ends_the_connection(self):
        self.assert_ends(framed(struct.pack(">hhih", kafka.METADATA, 1, 7, 30_000)))

    def test_an_unknown_api_ends_the_connection(self):
        self.assert_ends(*(framed(header(api, 0)) for api in (-1, 4, 7, 9_999, 32_767)))

    def test_a_version_that_is_not_served_ends_the_connection(self):
        self.assert_ends(*(framed(header(api, version)) for api, version in (
            (kafka.PRODUCE, 2), (kafka.PRODUCE, 99), (kafka.FETCH, 3), (kafka.METADATA, -1),
            (kafka.JOIN_GROUP, 32_767), (kafka.CREATE_TOPICS, 1))))

    def test_a_newer_api_versions_is_told_what_is_served_and_may_stay(self):
        connection = self.connect()
        connection.socket.sendall(framed(header(kafka.API_VERSIONS, 99) + b"\0garbage"))
        answer = kafka.Reader(connection.read(struct.unpack(">i", connection.read(4))[0]))
        self.assertEqual(answer.take("ih"), (7, 35))  # UNSUPPORTED_VERSION
        ranges = [answer.take("hhh") for _ in range(answer.take("i"))]
        self.assertIn(kafka.API_VERSIONS, [api for api, _, _ in ranges])
        self.assertIn(kafka.PRODUCE, connection.api_versions())

    def test_a_body_of_garbage_ends_the_connection(self):
        versions = self.connect().api_versions()
        for api, (_, highest) in versions.items():
            if api in (kafka.API_VERSIONS, 60, 68):
                continue  # bodies of flags and tags: nearly all bytes have a meaning
            with self.subTest(api=api):
                self.assert_ends(framed(header(api, highest) + GARBAGE))

    def test_a_body_that_claims_two_billion_elements_ends_the_connection(self):
        claim = struct.pack(">i", (1 << 31) - 1)
        before = self.resident_bytes()
        self.assert_ends(framed(header(kafka.METADATA, 1) + claim),
                         framed(header(kafka.CREATE_TOPICS, 4) + claim),
                         framed(header(kafka.OFFSET_FETCH, 1) + kafka.text("healthy") + claim))
        self.assertLess(self.resident_bytes() - before, CLAIMS_COST_MAX)

    # --- Many of them ---

    def test_claimed_frames_of_which_nothing_comes_cost_no_memory(self):
        before = self.resident_bytes()
        strangers = [self.connect() for _ in range(STRANGERS)]
        for stranger in strangers:
            stranger.socket.sendall(struct.pack(">i", FRAME_MAX) + header(kafka.PRODUCE, 7))
        self.look_at_the_healthy()
        self.assertLess(self.resident_bytes() - before, CLAIMS_COST_MAX)

    def test_half_sent_frames_of_100_mib_hold_up_no_group(self):
        before = self.resident_bytes()
        strangers = [self.connect() for _ in range(STRANGERS)]
        piece = b"\0" * MIB
        for stranger in strangers:
            stranger.socket.sendall(struct.pack(">i", FRAME_MAX) + header(kafka.PRODUCE, 7))
            stranger.socket.setblocking(False)
        for _ in range(8):  # as much as is taken of them, in turn
            for stranger in strangers:
                try:
                    stranger.socket.send(piece)
                except BlockingIOError:
                    pass
            self.look_at_the_healthy()
        self.assertLess(self.resident_bytes() - before, HALF_FRAMES_COST_MAX)
        for stranger in strangers:
            stranger.socket.close()
        self.look_at_the_healthy()

    def test_a_frame_that_comes_byte_by_byte_harms_nobody(self):
        with socket.create_connection(self.cluster.bootstrap[0]) as slow:
            for byte in struct.pack(">i", FRAME_MAX) + header(kafka.PRODUCE, 7):
                slow.sendall(bytes([byte]))
            for _ in range(50):
                slow.sendall(b"\0")
                self.look_at_the_healthy()

    # --- Batches ---

    def assert_refused(self, batch, error):
        connection = self.connect()
        self.assertEqual(connection.produce_batch(TOPIC, 0, batch)[0], error)
        self.assertEqual(connection.produce(TOPIC, 0, [b"good"])[0], 0, "it may stay")

    def test_a_damaged_batch_is_refused(self):
        self.assert_refused(damaged_batch(), CORRUPT_MESSAGE)

    def test_a_batch_with_a_wrong_count_of_records_is_refused(self):
        records = kafka.records_of([b"one", b"two"])
        for count in (-1, 0, 1, 3, (1 << 31) - 1):
            with self.subTest(count=count):
                self.assert_refused(kafka.batch_around(records, count), INVALID_RECORD)

    def test_a_batch_above_the_limit_is_refused_before_it_is_checked(self):
        batch = struct.pack(">qiibI", 0, BATCH_MAX, -1, 2, 0xBAD) + b"\0" * BATCH_MAX
        self.assert_refused(batch[:BATCH_MAX + 12], MESSAGE_TOO_LARGE)

    def test_a_bomb_costs_no_memory(self):
        before = self.resident_bytes()
        self.assert_refused(bomb(), MESSAGE_TOO_LARGE)
        self.assertLess(self.resident_bytes() - before, CLAIMS_COST_MAX)

    def test_unknown_acks_are_refused(self):
        body = struct.pack(">hhii", -1, 5, 30_000, 1) + kafka.text(TOPIC)
        answer = self.connect().ask(kafka.PRODUCE, 7, body + struct.pack(">iii", 1, 0, 0))
        answer.take("i")
        answer.text()
        self.assertEqual(answer.take("iih")[2], INVALID_REQUIRED_ACKS)

    # --- Topics and their settings ---

    def test_illegal_names_of_topics_are_refused(self):
        for name in ("", ".", "..", "a/b", "a b", "ä", "x" * 250, "a\0b", "../../etc/passwd"):
            with self.subTest(name=name):
                connection = self.connect()
                self.assertEqual(connection.create_topic(name), INVALID_TOPIC)

    def test_unknown_settings_and_bad_values_are_refused(self):
        for name, value in (("no.such.setting", "1"), ("retention.ms", "soon"),
                            ("cleanup.policy", "burn"), ("segment.bytes", "-5")):
            with self.subTest(name=name):
                connection = self.connect()
                self.assertEqual(connection.create_topic("unmade", configs=[(name, value)]),
                                 INVALID_CONFIG)
                self.assertEqual(connection.set_config(TOPIC, name, value), INVALID_CONFIG)


if __name__ == "__main__":
    unittest.main()
