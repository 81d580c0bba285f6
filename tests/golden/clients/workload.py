#!/usr/bin/env python3
"""Prints the records that every client produces: timestamp, key, value, headers (see README.md)."""

COUNT = 240
START_MS = 1_700_000_000_000


def as_hex(data):
    return "null" if data is None else data.hex()


def key_of(i):
    if i % 12 == 0:
        return None
    if i % 12 == 5:
        return b""
    return f"user-{i % 17:04d}".encode()


def value_of(i):
    if i % 20 == 3:
        return None
    if i % 20 == 7:
        return b""
    if i == 111:
        return bytes(range(256)) * 12
    path = f"/catalogue/item/{i % 9}"
    return f'{{"event":"page_view","number":{i},"path":"{path}","city":"Z\u00fcrich"}}'.encode()


def headers_of(i):
    if i % 15 == 1:
        return [("trace", b"%08x" % (i * 2654435761 % 2**32))]
    if i % 15 == 4:
        return [("empty", b""), ("nothing", None), ("name \u00e9\u65e5", b"\x00\xff")]
    if i % 15 == 9:
        return [("twice", b"1"), ("twice", b"2")]
    return []


def main():
    for i in range(COUNT):
        # Now and then a timestamp goes back, so that deltas are negative too.
        timestamp = START_MS + i * 7 - (5_000 if i % 31 == 30 else 0)
        headers = ",".join(f"{name.encode().hex()}:{as_hex(data)}" for name, data in headers_of(i))
        print(timestamp, as_hex(key_of(i)), as_hex(value_of(i)), headers, sep="\t")


if __name__ == "__main__":
    main()
