#!/usr/bin/env python3
"""librdkafka in the exchange of records (tests/clients/sdk).

    exchange.py write BOOTSTRAP TOPIC CODEC
    exchange.py read BOOTSTRAP COUNT PARTITIONS TOPIC...
"""

import ctypes
import sys
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

PATIENCE_S = 180


def bytes_of(word):
    return None if word == "-" else bytes.fromhex(word[1:])


def word_of(content):
    return "-" if content is None else "x" + content.hex()


def keep_none():
    """The binding gives back a None that it never took, for each header without a value."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))


def headers_of(word):
    pairs = [] if word == "." else [header.split("=") for header in word.split(",")]
    return [(bytes_of(name).decode(), bytes_of(value)) for name, value in pairs]


def write(bootstrap, topic, codec):
    # Its own choice of partitions is another than that of Kafka's clients.
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec,
                         "enable.idempotence": True, "partitioner": "murmur2_random"})
    failures = []
    places = set()

    def delivered(error, message):
        if error is not None:
            failures.append(error)
        else:
            places.add((message.partition(), message.offset()))

    count = 0
    for line in sys.stdin:
        count += 1
        partition, timestamp, key, value, headers = line.split()
        producer.produce(topic, value=bytes_of(value), key=bytes_of(key), partition=int(partition),
                         timestamp=int(timestamp), headers=headers_of(headers),
                         on_delivery=delivered)
        producer.poll(0)
    left = producer.flush(PATIENCE_S)
    if left or failures:
        return f"{left} records without an outcome, failures: {failures}"
    return 0 if len(places) == count else f"{count} records are at {len(places)} places"


def read(bootstrap, count, partitions, topics):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex,
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)
                     for topic in topics for partition in range(partitions)])
    for done in range(count * len(topics)):
        message = consumer.poll(PATIENCE_S)
        if message is None or message.error():
            return f"after {done} records: {message and message.error()}"
        headers = []
        for name, value in message.headers() or []:
            headers.append(word_of(name.encode()) + "=" + word_of(value))
            if value is None:
                keep_none()
        print(message.topic(), message.partition(), message.offset(), message.timestamp()[1],
              word_of(message.key()), word_of(message.value()), ",".join(headers) or ".")
    consumer.close()
    return 0


if __name__ == "__main__":
    mode, address, *words = sys.argv[1:]
    if mode == "write":
        sys.exit(write(address, *words))
    sys.exit(read(address, int(words[0]), int(words[1]), words[2:]))
