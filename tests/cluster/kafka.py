"""A small Kafka client of raw frames, for tests that need no library."""

import socket
import struct

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS = 0, 1, 2, 3, 18, 19
OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR = 8, 9, 10
JOIN_GROUP, HEARTBEAT, SYNC_GROUP, INCREMENTAL_ALTER_CONFIGS = 11, 12, 14, 44
TOPIC, BROKER = 2, 4  # kinds of resources with settings
NOT_READY = {3, 5, 6}  # unknown topic, no leader, not the leader: metadata is under way
COORDINATOR_NOT_AVAILABLE = 15
COORDINATOR_NOT_READY = {14, COORDINATOR_NOT_AVAILABLE, 16}  # it loads, or is another one


def crc32c(data):
    """The checksum of record batches, bit by bit: the data here is short."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def record_of(index, value):
    body = b"\0" + varint(0) + varint(index) + varint(-1)
    body += varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def records_of(values):
    """Records without keys, as they stand in a batch."""
    return b"".join(record_of(index, value) for index, value in enumerate(values))


def batch_around(records, count, attributes=0, producer=(-1, -1, -1), time_ms=1_700_000_000_000):
    """A batch of format version 2 that says it has so many records. Of a producer: its id, its
    epoch, the sequence of the first record."""
    after_crc = struct.pack(">hiqqqhii", attributes, count - 1, time_ms, time_ms, *producer,
                            count) + records
    after_length = struct.pack(">ibI", -1, 2, crc32c(after_crc)) + after_crc
    return struct.pack(">qi", 0, len(after_length)) + after_length


def record_batch(values):
    return batch_around(records_of(values), len(values))


def produce_body(topic, partition, batch):
    """A Produce of version 7, with acks=all."""
    return (struct.pack(">hhii", -1, -1, 30_000, 1) + text(topic) +
            struct.pack(">iii", 1, partition, len(batch)) + batch)


class Reader:
    """Takes values from an answer."""

    def __init__(self, data):
        self.data = data
        self.position = 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.position)
        self.position += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def take_bytes(self, size):
        self.position += max(size, 0)
        return self.data[self.position - max(size, 0):self.position]

    def text(self):
        return self.take_bytes(self.take("h")).decode()


def values_of(records):
    """The values in one or more batches, each with its offset."""
    reader = Reader(records)
    found = []
    while len(records) - reader.position >= 61:
        base, length = reader.take("qi")
        end = reader.position + length
        if end > len(records):
            break  # the last one may be cut off
        reader.position += 45
        for _ in range(reader.take("i")):
            size = zigzag(reader)
            stop = reader.position + size
            reader.take("b")
            zigzag(reader)
            offset = base + zigzag(reader)
            reader.take_bytes(zigzag(reader))
            found.append((offset, reader.take_bytes(zigzag(reader))))
            reader.position = stop
        reader.position = end
    return found


def zigzag(reader):
    value = shift = 0
    while True:
        byte = reader.take("B")
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)


class Connection:
    """One connection to a broker; every request waits for its answer."""

    def __init__(self, host, port, timeout_seconds=120):
        self.socket = socket.create_connection((host, port), timeout_seconds)
        self.correlation_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the broker closed the connection")
            data += piece
        return data

    def ask(self, api, version, body):
        self.correlation_id += 1
        frame = struct.pack(">hhi", api, version, self.correlation_id) + text("cluster-test") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        answer = self.read(struct.unpack(">i", self.read(4))[0])
        if struct.unpack_from(">i", answer)[0] != self.correlation_id:
            raise ConnectionError("the answer is for another request")
        return Reader(answer[4:])

    def ask_all(self, api, version, bodies):
        """Sends all requests before it reads the first answer."""
        first = self.correlation_id + 1
        for body in bodies:
            self.correlation_id += 1
            frame = (struct.pack(">hhi", api, version, self.correlation_id) +
                     text("cluster-test") + body)
            self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        answers = [self.read(struct.unpack(">i", self.read(4))[0]) for _ in bodies]
        numbers = [struct.unpack_from(">i", answer)[0] for answer in answers]
        if numbers != list(range(first, first + len(bodies))):
            raise ConnectionError(f"answers come in the order {numbers}")
        return [Reader(answer[4:]) for answer in answers]

    def api_versions(self):
        """The versions of each API: {api: (lowest, highest)}."""
        answer = self.ask(API_VERSIONS, 0, b"")
        error = answer.take("h")
        if error:
            raise RuntimeError(f"ApiVersions answers {error}")
        versions = {}
        for _ in range(answer.take("i")):
            api, lowest, highest = answer.take("hhh")
            versions[api] = (lowest, highest)
        return versions

    def brokers(self):
        """The brokers in the metadata: {number: (host, port)}."""
        answer = self.ask(METADATA, 1, struct.pack(">i", 0))
        brokers = {}
        for _ in range(answer.take("i")):
            number, host, port = answer.take("i"), answer.text(), answer.take("i")
            answer.take_bytes(answer.take("h"))  # the rack
            brokers[number] = (host, port)
        return brokers

    def look_for_topic(self, name):
        """The error code that Metadata gives for the topic."""
        answer = self.ask(METADATA, 1, struct.pack(">i", 1) + text(name))
        for _ in range(answer.take("i")):
            answer.take("i")
            answer.text()
            answer.take("i")
            answer.take_bytes(max(answer.take("h"), 0))  # the rack
        answer.take("ii")  # the controller, the number of topics
        return answer.take("h")

    def create_topic(self, name, partitions=1, configs=(), timeout_ms=30_000):
        """The error code of CreateTopics; configs are pairs."""
        topic = text(name) + struct.pack(">ihii", partitions, 1, 0, len(configs))
        topic += b"".join(text(setting) + text(value) for setting, value in configs)
        answer = self.ask(CREATE_TOPICS, 4,
                          struct.pack(">i", 1) + topic + struct.pack(">i?", timeout_ms, False))
        answer.take("ii")
        answer.text()
        return answer.take("h")

    def produce(self, topic, partition, values):
        """(error code, offset of the first value), with acks=all."""
        return self.produce_batch(topic, partition, record_batch(values))

    def produce_batch(self, topic, partition, batch):
        answer = self.ask(PRODUCE, 7, produce_body(topic, partition, batch))
        answer.take("i")
        answer.text()
        _, _, error, offset = answer.take("iihq")
        return error, offset

    def set_config(self, topic, name, value):
        """The error code of IncrementalAlterConfigs for a setting of a topic."""
        return self.alter_config(TOPIC, topic, name, value)

    def alter_config(self, kind, resource, name, value):
        """The error code of IncrementalAlterConfigs; without a value the setting is taken away."""
        body = struct.pack(">ib", 1, kind) + text(resource) + struct.pack(">i", 1) + text(name)
        body += b"\1\xff\xff" if value is None else b"\0" + text(value)
        answer = self.ask(INCREMENTAL_ALTER_CONFIGS, 0, body + b"\0")
        answer.take("ii")
        return answer.take("h")

    def earliest(self, topic, partition):
        """(error code, where the partition begins)."""
        answer = self.ask(LIST_OFFSETS, 1, struct.pack(">ii", -1, 1) + text(topic) +
                          struct.pack(">iiq", 1, partition, -2))
        answer.take("i")
        answer.text()
        _, _, error, _, offset = answer.take("iihqq")
        return error, offset

    def fetch(self, topic, partition, offset):
        """(error code, [(offset, value)])."""
        body = (struct.pack(">iiiibi", -1, 500, 1, 1 << 20, 0, 1) + text(topic) +
                struct.pack(">iiqi", 1, partition, offset, 1 << 20))
        answer = self.ask(FETCH, 4, body)
        answer.take("ii")
        answer.text()
        _, _, error, _, _ = answer.take("iihqq")
        for _ in range(max(answer.take("i"), 0)):
            answer.take("qq")
        return error, values_of(answer.take_bytes(answer.take("i")))


class GroupMember:
    """A member of a group of one, on a connection of its own."""

    def __init__(self, connection, group):
        self.connection = connection
        self.group = text(group)
        self.generation = -1
        self.member = ""

    def is_found(self):
        """Whether the group's coordinator works by now."""
        return self.connection.ask(FIND_COORDINATOR, 0, self.group).take("h") == 0

    def join(self):
        """The error code of JoinGroup and SyncGroup."""
        metadata = b"nothing"
        answer = self.connection.ask(
            JOIN_GROUP, 2, self.group + struct.pack(">ii", 30_000, 30_000) + text(self.member) +
            text("consumer") + struct.pack(">i", 1) + text("range") +
            struct.pack(">i", len(metadata)) + metadata)
        _, error, self.generation = answer.take("ihi")
        answer.text(), answer.text()
        self.member = answer.text()
        if error:
            return error
        answer = self.connection.ask(
            SYNC_GROUP, 0, self.of_generation() + struct.pack(">i", 1) + text(self.member) +
            struct.pack(">i", 4) + b"mine")
        return answer.take("h")

    def of_generation(self):
        return self.group + struct.pack(">i", self.generation) + text(self.member)

    def heartbeat(self):
        return self.connection.ask(HEARTBEAT, 0, self.of_generation()).take("h")

    def commit(self, topic, offset, partition=0):
        """The error code."""
        answer = self.connection.ask(
            OFFSET_COMMIT, 2, self.of_generation() + struct.pack(">qi", -1, 1) + text(topic) +
            struct.pack(">iiq", 1, partition, offset) + text(""))
        answer.take("i")
        answer.text()
        return answer.take("iih")[2]

    def committed(self, topic, partition=0):
        """(error code, offset)."""
        answer = self.connection.ask(
            OFFSET_FETCH, 1, self.group + struct.pack(">i", 1) + text(topic) +
            struct.pack(">ii", 1, partition))
        answer.take("i")
        answer.text()
        _, _, offset = answer.take("iiq")
        answer.text()
        return answer.take("h"), offset
