#!/usr/bin/env python3
"""Makes the seeds of the targets that take the bodies of requests, and of those around groups and
metrics: each is a row of what is sound, in old versions, and names what there is in the target.

    request_corpus.py        writes corpus/requests, corpus/data_requests, corpus/group_requests,
                             corpus/group_state, corpus/consumer_protocol, corpus/metrics_server,
                             corpus/client_calls

To be run again when the list of APIs of a target changes: a request begins with the place of its
API in it.
"""

import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
NULL = b"\xff\xff"
NULL_BYTES = b"\xff\xff\xff\xff"


def i8(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}b", *numbers)


def i16(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}h", *numbers)


def i32(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


def i64(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}q", *numbers)


def text(value: str) -> bytes:
    return i16(len(value)) + value.encode()


def octets(value: bytes) -> bytes:
    return i32(len(value)) + value


def array(*items: bytes) -> bytes:
    return i32(len(items)) + b"".join(items)


def row(*requests: tuple[int, int, bytes]) -> bytes:
    """Place of the API, place of the version, body."""
    return b"".join(
        bytes([place, version]) + struct.pack(">H", len(body)) + body
        for place, version, body in requests
    )


def write(target: str, seeds: dict[str, bytes]) -> None:
    corpus = HERE / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for old in corpus.iterdir():
        old.unlink()
    for name, seed in seeds.items():
        (corpus / name).write_bytes(seed)


# --- What the dispatcher answers, or a controller. Places are those of api_rules(). ---

API_PLACES = (
    "produce fetch list_offsets metadata offset_commit offset_fetch find_coordinator join_group "
    "heartbeat leave_group sync_group describe_groups list_groups api_versions create_topics "
    "delete_topics delete_records init_producer_id offset_for_leader_epoch describe_configs "
    "alter_configs describe_log_dirs create_partitions delete_groups incremental_alter_configs "
    "offset_delete describe_quorum describe_cluster describe_producers list_config_resources "
    "describe_topic_partitions"
).split()


def requests() -> dict[str, bytes]:
    def one(api: str, version: int, body: bytes) -> tuple[int, int, bytes]:
        return API_PLACES.index(api), version, body

    topics = array(text("orders"), text("missing"), text("not/legal"))
    resources = [i8(2) + text("orders"), i8(4) + text("1"), i8(4) + text(""), i8(99) + text("x")]
    keys = array(text("retention.ms"), text("nothing"))
    settings = array(text("retention.ms") + text("5"), text("min.insync.replicas") + NULL)
    steps = array(
        text("retention.ms") + i8(0) + text("5"),
        text("cleanup.policy") + i8(2) + text("compact"),
        text("segment.bytes") + i8(1) + NULL,
    )
    # The answer of the controller to creating a topic: throttle time, name, error, message.
    made = i32(0) + array(text("fresh") + i16(0) + NULL)
    new = text("fresh") + i32(1) + i16(1) + array() + array(text("retention.ms") + text("9"))
    placed = text("placed") + i32(-1) + i16(-1) + array(i32(0) + array(i32(1))) + array()
    tail = struct.pack(">H", len(made)) + made
    created = one("create_topics", 0, array(new, placed) + i32(9) + i8(0))
    placed_on = array(array(i32(1)))
    grown = array(text("orders") + i32(3) + NULL_BYTES, text("bills") + i32(4) + placed_on)
    describe_none = array(resources[0] + NULL_BYTES)
    rows = {
        "metadata": [one("metadata", 4, topics + i8(1)), one("metadata", 1, NULL_BYTES)],
        "find_coordinator": [
            one("find_coordinator", 1, text("group") + i8(0)),
            one("find_coordinator", 1, text("transaction") + i8(1)),
        ],
        "configs": [
            one("describe_configs", 0, array(*(each + keys for each in resources)) + i8(1)),
            one("describe_configs", 1, describe_none + i8(1)),
        ],
        "alter_configs": [
            one("alter_configs", 0, array(*(each + settings for each in resources)) + i8(0)),
            one("incremental_alter_configs", 0, array(*(r + steps for r in resources)) + i8(1)),
        ],
        "delete_topics": [one("delete_topics", 0, topics + i32(1000))],
        "create_partitions": [one("create_partitions", 0, grown + i32(1000) + i8(0))],
        "init_producer_id": [
            one("init_producer_id", 0, NULL + i32(60_000)),
            one("init_producer_id", 0, text("tx") + i32(1)),
        ],
        "cluster": [
            one("api_versions", 0, b""),
            one("api_versions", 3, b"\x05name\x022\0"),
            one("describe_cluster", 0, b"\1\0"),
            one("list_config_resources", 0, b"\0"),
            one("describe_topic_partitions", 0, b"\x02\x07orders\0" + i32(10) + b"\xff\0"),
            one("describe_quorum", 0, b"\x02\x13__cluster_metadata\x02" + i32(0) + b"\0\0\0"),
        ],
    }
    # The first byte says whether topics are made of themselves.
    seeds = {name: b"\0" + row(*requests_of) for name, requests_of in rows.items()}
    seeds["create_topics"] = b"\1" + row(created) + tail
    return seeds


# --- The data of partitions. Places: those of `apis` in data_requests_fuzz.cpp. ---

SEALED, PRODUCE, FETCH, LIST_OFFSETS, DELETE_RECORDS, EPOCHS, LOG_DIRS, PRODUCERS = range(8)


def batch(*values: bytes, producer: int = -1, attributes: int = 0) -> bytes:
    """The target puts in length and CRC."""
    records = b""
    for delta, value in enumerate(values):
        body = bytes([0, 0, 2 * delta, 1, 2 * len(value)]) + value + b"\0"
        records += bytes([2 * len(body)]) + body
    count = len(values)
    epoch_and_sequence = i16(0) + i32(0) if producer >= 0 else i16(-1) + i32(-1)
    return (
        i64(0) + i32(0) + i32(-1) + i8(2) + i32(0) + i16(attributes) + i32(count - 1)
        + i64(1000, 1000) + i64(producer) + epoch_and_sequence + i32(count) + records
    )


def produce(records: bytes, topic: str = "orders") -> bytes:
    return NULL + i16(-1) + i32(1000) + array(text(topic) + array(i32(0) + octets(records)))


def fetch(offset: int, partitions: int = 2) -> bytes:
    asked = array(*(i32(index) + i64(offset) + i32(100_000) for index in range(partitions)))
    return i32(-1, 10, 1, 1_000_000) + i8(0) + array(text("orders") + asked)


def fetch_in_session(session: int, epoch: int) -> bytes:
    asked = array(i32(0, -1) + i64(0, -1) + i32(100_000))
    return (
        i32(-1, 10, 1, 1_000_000) + i8(1) + i32(session, epoch) + array(text("orders") + asked)
        + array(text("orders") + array(i32(1))) + text("rack")
    )


def data_requests() -> dict[str, bytes]:
    three = (SEALED, 2, batch(b"one", b"two", b"three"))
    again = (SEALED, 0, batch(b"x", producer=5))
    timestamps = (-1, -2, -3, -4, -5, -6, 0, 1000, 2000)
    listed = [text("orders") + array(i32(0) + i64(timestamp)) for timestamp in timestamps]
    described = b"\x02\x07orders\x02" + i32(0) + b"\0\0"
    epochs = array(text("orders") + array(i32(0, 3, 3), i32(1, -1, 2)))

    def deleted(offset: int) -> tuple[int, int, bytes]:
        return DELETE_RECORDS, 0, array(text("orders") + array(i32(0) + i64(offset))) + i32(1000)

    rows = {
        "produce_and_fetch": [three, three, (FETCH, 0, fetch(0)), (FETCH, 0, fetch(5))],
        "idempotent": [again, again, (PRODUCERS, 0, described)],
        "sessions": [
            three,
            (FETCH, 7, fetch_in_session(0, 0)),
            (FETCH, 7, fetch_in_session(1, 1)),
        ],
        "raw": [
            (PRODUCE, 0, produce(batch(b"unsealed"))),
            (PRODUCE, 4, produce(b"", "nothing")),
        ],
        "control": [
            (SEALED, 1, batch(b"c", attributes=0x20)),
            (SEALED, 1, batch(b"t", attributes=0x10)),
        ],
        "codecs": [(SEALED, 2, batch(b"z", attributes=codec)) for codec in range(6)],
        "list_offsets": [three, *((LIST_OFFSETS, 0, i32(-1) + array(each)) for each in listed)],
        "delete_records": [three, deleted(2), (FETCH, 0, fetch(0)), deleted(-1)],
        "epochs": [three, (EPOCHS, 0, epochs)],
        "log_dirs": [
            (LOG_DIRS, 0, NULL_BYTES),
            (LOG_DIRS, 0, array(text("orders") + array(i32(0, 1)))),
        ],
    }
    return {name: row(*requests_of) for name, requests_of in rows.items()}


# --- Groups. Places: those of `apis` in group_requests_fuzz.cpp. ---

JOIN, SYNC, HEARTBEAT, LEAVE, COMMIT, OFFSETS, DELETE_OFFSETS, DESCRIBE, LIST, DELETE = range(10)


def group_requests() -> dict[str, bytes]:
    subscription = i16(0) + array(text("orders")) + NULL_BYTES
    protocols = array(text("range") + octets(subscription), text("roundrobin") + octets(b""))
    join = text("g") + i32(10_000, 20_000) + text("") + text("consumer") + protocols
    static = text("g") + i32(10_000, 20_000) + text("") + text("one") + text("consumer") + protocols
    noted = array(i32(0) + i64(7) + text("note"), i32(1) + i64(8) + NULL)
    commit = text("g") + i32(-1) + text("") + i64(-1) + array(text("orders") + noted)
    named = array(text("orders") + array(i32(0), i32(1)))
    shares = array(text("x") + octets(b"share"))
    sync = text("g") + i32(1) + text("x") + text("one") + shares
    joined = (JOIN, 2, join)
    rows = {
        "join": [joined, joined, (LIST, 0, b""), (DESCRIBE, 0, array(text("g")))],
        "join_static": [
            (JOIN, 5, static),
            (SYNC, 3, sync),
            (LEAVE, 3, text("g") + array(text("") + text("one"))),
        ],
        "heartbeat": [
            (HEARTBEAT, 0, text("g") + i32(1) + text("m")),
            (SYNC, 0, text("g") + i32(1) + text("m") + array()),
        ],
        "commit": [
            (COMMIT, 0, commit),
            (OFFSETS, 0, text("g") + named),
            (OFFSETS, 1, text("g") + NULL_BYTES),
            (DELETE_OFFSETS, 0, text("g") + named),
            (DELETE, 0, array(text("g"), text("h"))),
        ],
        "leave": [
            joined,
            (LEAVE, 0, text("g") + text("m")),
            (DELETE, 0, array(text("g"))),
        ],
    }
    return {name: row(*requests_of) for name, requests_of in rows.items()}


# --- What lies in __consumer_offsets. ---


def stored(key: bytes | None, value: bytes | None) -> bytes:
    kind = (key is None) + 2 * (value is None)
    key, value = key or b"", value or b""
    return bytes([kind]) + struct.pack(">HH", len(key), len(value)) + key + value


def group_state() -> dict[str, bytes]:
    group = i16(2) + text("g")
    offset = i16(1) + text("g") + text("orders") + i32(0)
    member = text("m") + text("one") + text("app") + text("/127.0.0.1") + i32(20_000, 10_000)
    member += octets(i16(0) + array(text("orders")) + NULL_BYTES) + octets(b"share")
    stable = i16(3) + text("consumer") + i32(4) + text("range") + text("m") + i64(1000)
    stable += array(member)
    empty = i16(3) + text("consumer") + i32(5) + NULL + NULL + i64(1000) + array()
    committed = i16(3) + i64(7) + i32(3) + text("note") + i64(1000)
    expiring = i16(1) + i64(7) + text("") + i64(1000) + i64(2000)
    return {
        "group": stored(group, stable),
        "offset": stored(offset, committed) + stored(offset, expiring),
        "all": stored(offset, committed) + stored(group, stable) + stored(group, empty),
        "tombstones": stored(group, stable) + stored(offset, committed) + stored(group, None)
        + stored(offset, None),
        "others": stored(i16(3) + text("g"), b"\0\0") + stored(None, b"") + stored(b"", None),
        "raw": b"\xff" + batch(b"not", b"sealed"),
    }


def consumer_protocol() -> dict[str, bytes]:
    topics = array(text("orders"), text("bills"))
    owned = array(text("orders") + array(i32(0), i32(1)))
    return {
        "subscription_0": i16(0) + topics + NULL_BYTES,
        "subscription_1": i16(1) + topics + octets(i32(7)) + owned,
        "subscription_3": i16(3) + topics + octets(b"") + owned + i32(7) + text("rack"),
        "sticky": i16(1) + topics + octets(owned + i32(7)) + array(),
        "assignment": i16(0) + owned + NULL_BYTES,
    }


def metrics_server() -> dict[str, bytes]:
    return {
        "scrape": b"\1\x10GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n",
        "pieces": b"\2\0GET /metrics?name[]=x HTTP/1.0\r\n\r\n",
        "method": b"\3\x0bPOST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "path": b"\4\x0aGET /other HTTP/1.1\r\n\r\n",
        "not_ended": b"\5\x09GET /metrics HTTP/1.1\r\nHost: ",
    }


# --- What damages the answers that a client gets: kinds as in damaging_network.hpp. ---

PASS, OTHER, CUT, INSERT, REPLACE, EDGE, LEAVE_OUT, GO = range(8)


def damage(kind: int, how: int = 0, place: int = 0, what: bytes = b"") -> bytes:
    return bytes([kind | how << 4]) + struct.pack(">H", place) + what


def client_calls() -> dict[str, bytes]:
    numbers = b"".join(damage(PASS, 1) + damage(EDGE, how, 37 * how) for how in range(16))
    what = {OTHER: b"\0\0\1\xff", INSERT: b"\0\0\1\xff"}
    pieces = b"".join(
        damage(PASS, 2) + damage(kind, 3, place, what.get(kind, b""))
        for place, kind in enumerate((OTHER, CUT, INSERT, LEAVE_OUT) * 2, start=11)
    )
    ends = b"".join(damage(PASS, 2) + damage(GO | end) for end in (0, 8, 0, 8))
    consumer = {"alone": 0x00, "classic": 0x41, "managed": 0x63, "committed": 0x1C}
    producer = {"plain": 0x28, "idempotent": 0x33, "transactional": 0x24, "aborting": 0x65}
    seeds = {}
    for client, ways in enumerate((consumer, producer)):
        for way, choices in ways.items():
            for name, blows in {"numbers": numbers, "pieces": pieces, "ends": ends}.items():
                seeds[f"{way}_{name}"] = bytes([client, 7, choices]) + blows
    for first in range(0, 48, 16):
        calls = bytes(range(first, first + 4))
        seeds[f"admin_{first}"] = bytes([2, 7, 0]) + calls + numbers
    seeds["handshake"] = bytes([0, 7, 0x81]) + damage(EDGE, 8, 6) + damage(CUT, 0, 9)
    return seeds


def main() -> None:
    write("client_calls", client_calls())
    write("requests", requests())
    write("data_requests", data_requests())
    write("group_requests", group_requests())
    write("group_state", group_state())
    write("consumer_protocol", consumer_protocol())
    write("metrics_server", metrics_server())


if __name__ == "__main__":
    main()
