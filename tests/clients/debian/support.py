"""What the tests of clients share: where the cluster is, names, records, waiting.

MILLRACE_BOOTSTRAP names the cluster, host:port; it may be Apache Kafka too.
"""

import os
import time
import uuid

BOOTSTRAP = os.environ.get("MILLRACE_BOOTSTRAP", "127.0.0.1:9092")

# How long to wait for what must happen. Nothing is said about how fast it has to be.
PATIENCE_S = 180

# The session of a member that lives outlasts a machine that stands still. One that a test kills has
# a short one, and bears to be taken for dead before.
SESSION_MS, SHORT_SESSION_MS = 1000 * PATIENCE_S, 6000

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def fresh(word):
    """A name that no run before has used."""
    return f"{word}-{uuid.uuid4().hex[:12]}"


def records(count, size=100):
    """Keys and values, all different."""
    return [(f"key-{i % 17}".encode(), f"value-{i}-".encode().ljust(size, b"x"))
            for i in range(count)]


def wait_until(condition, what, step=None, patience_s=PATIENCE_S):
    """Calls step (or sleeps a little) until the condition holds; gives what it gave."""
    deadline = time.monotonic() + patience_s
    while True:
        held = condition()
        if held:
            return held
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s} s in vain for {what}")
        if step is None:
            time.sleep(0.1)
        else:
            step()
