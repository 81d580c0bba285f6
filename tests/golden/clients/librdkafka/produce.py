"""Produces the workload with librdkafka (confluent-kafka), one topic a codec."""

import sys

from confluent_kafka import Producer

FLUSH_EVERY = 100


def bytes_of(text):
    return None if text == "null" else bytes.fromhex(text)


def read_workload(path):
    for line in open(path, encoding="ascii"):
        timestamp, key, value, headers = line.rstrip("\n").split("\t")
        pairs = [h.split(":") for h in headers.split(",") if h]
        yield (int(timestamp), bytes_of(key), bytes_of(value),
               [(bytes.fromhex(name).decode(), bytes_of(data)) for name, data in pairs])


def fail_on_error(error, _message):
    if error is not None:
        raise SystemExit(f"librdkafka: {error}")


def main(bootstrap, workload, codec):
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec,
                         "linger.ms": 1000, "queue.buffering.max.messages": 1000})
    for number, (timestamp, key, value, headers) in enumerate(read_workload(workload), 1):
        producer.produce(f"librdkafka-{codec}", value=value, key=key, timestamp=timestamp,
                         headers=headers, partition=0, on_delivery=fail_on_error)
        if number % FLUSH_EVERY == 0:
            producer.flush(30)
    if producer.flush(30) != 0:
        raise SystemExit("librdkafka: records left unsent")


if __name__ == "__main__":
    main(*sys.argv[1:])
