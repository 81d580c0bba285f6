"""Ports for what a test starts."""

import random
import socket

# Below the range from which the system takes the ports of outgoing connections: a port that is free
# now is then still free when a process that was started listens there.
FIRST, LAST = 10000, 32000


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(count=1):
    """The first of so many ports in a row that nobody uses."""
    draw = random.SystemRandom()
    while True:
        first = draw.randrange(FIRST, LAST - count)
        if all(is_free(first + number) for number in range(count)):
            return first
