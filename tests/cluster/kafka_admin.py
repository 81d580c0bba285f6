"""Requests of administrators, and of producers with ids, over a Connection of kafka.py."""

import struct

import kafka

DESCRIBE_GROUPS, DELETE_RECORDS, INIT_PRODUCER_ID, DESCRIBE_CONFIGS = 15, 21, 22, 32
# Where a setting comes from: of the topic, of this broker, of all brokers; all were made by a
# request.
DYNAMIC_SOURCES = {1, 2, 3}


def varuint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


class CompactReader(kafka.Reader):
    """Of a flexible version: lengths are one more than the length, 0 is null."""

    def length(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - 1

    def text(self):
        length = self.length()
        return None if length < 0 else self.take_bytes(length).decode()

    def tags(self):
        for _ in range(self.length() + 1):
            self.length()
            self.take_bytes(self.length() + 1)


def cluster(connection, topics):
    """(id of the cluster, {topic: its id}); of a topic that is not there, the error code."""
    body = varuint(len(topics) + 1)
    for topic in topics:
        name = topic.encode()
        body += bytes(16) + varuint(len(name) + 1) + name + b"\0"
    # No header of ask() has tags: those of the header stand before the body.
    answer = connection.ask(kafka.METADATA, 12, b"\0" + body + b"\0\0\0")
    reader = CompactReader(answer.data)
    reader.position = answer.position
    reader.tags()
    reader.take("i")
    for _ in range(reader.length()):
        reader.take("i"), reader.text(), reader.take("i"), reader.text(), reader.tags()
    cluster_id = reader.text()
    reader.take("i")
    found = {}
    for _ in range(reader.length()):
        error, name = reader.take("h"), reader.text()
        found[name] = error or reader.take_bytes(16).hex()
        if error:
            reader.take_bytes(16)
        reader.take("?")
        for _ in range(reader.length()):
            reader.take("hiii")
            for _ in range(3):
                reader.take_bytes(4 * reader.length())
            reader.tags()
        reader.take("i")
        reader.tags()
    return cluster_id, found


def settings(connection, kind, resource):
    """{name: (value, source)} of what was set by requests."""
    body = (struct.pack(">ib", 1, kind) + kafka.text(resource) + struct.pack(">i?", -1, False))
    answer = connection.ask(DESCRIBE_CONFIGS, 1, body)
    answer.take("ii")
    error = answer.take("h")
    if error:
        raise RuntimeError(f"DescribeConfigs of {resource} answers {error}")
    answer.take_bytes(answer.take("h"))
    answer.take("b")
    answer.text()
    found = {}
    for _ in range(answer.take("i")):
        name = answer.text()
        length = answer.take("h")
        value = answer.take_bytes(length).decode() if length >= 0 else None
        _, source, _ = answer.take("?b?")
        for _ in range(max(answer.take("i"), 0)):
            answer.text(), answer.take_bytes(answer.take("h")), answer.take("b")
        if source in DYNAMIC_SOURCES:
            found[name] = (value, source)
    return found


def delete_records(connection, topic, partition, before):
    """(error code, where the partition begins now)."""
    body = (struct.pack(">i", 1) + kafka.text(topic) + struct.pack(">iiq", 1, partition, before) +
            struct.pack(">i", 30_000))
    answer = connection.ask(DELETE_RECORDS, 0, body)
    answer.take("ii")
    answer.text()
    _, _, start, error = answer.take("iiqh")
    return error, start


def producer_id(connection):
    """(error code, id, epoch)."""
    answer = connection.ask(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60_000))
    return answer.take("ihqh")[1:]


def describe_group(connection, group):
    """(error code, state, protocol, {member: (metadata, assignment)})."""
    answer = connection.ask(DESCRIBE_GROUPS, 0, struct.pack(">i", 1) + kafka.text(group))
    answer.take("i")
    error = answer.take("h")
    _, state, _, protocol = (answer.text() for _ in range(4))
    members = {}
    for _ in range(answer.take("i")):
        member, _, _ = (answer.text() for _ in range(3))
        members[member] = tuple(answer.take_bytes(answer.take("i")) for _ in range(2))
    return error, state, protocol, members
