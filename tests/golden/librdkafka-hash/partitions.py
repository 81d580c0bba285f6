"""Reads the keys of hashes.tsv and prints the partitions that librdkafka gives them.

Usage: partitions.py < hashes.tsv
"""

import ctypes
import sys

PARTITION_COUNTS = (12, 2147483647)
PARTITIONERS = ("murmur2", "consistent", "fnv1a")


def partitioner(library, name):
    """One of librdkafka's functions. It looks at the key only; the topic may be null."""
    function = getattr(library, f"rd_kafka_msg_partitioner_{name}")
    function.restype = ctypes.c_int32
    function.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32,
                         ctypes.c_void_p, ctypes.c_void_p]
    return lambda key, count: function(None, key, len(key), count, None, None)


def main():
    library = ctypes.CDLL("librdkafka.so.1")
    partitioners = [partitioner(library, name) for name in PARTITIONERS]
    for line in sys.stdin:
        kind, hexadecimal, *_ = line.split("\t")
        if kind != "key":
            continue
        key = bytes.fromhex(hexadecimal)
        for count in PARTITION_COUNTS:
            print(hexadecimal, count, *(of(key, count) for of in partitioners), sep="\t")


if __name__ == "__main__":
    main()
