#!/usr/bin/env python3
"""Stands in for the three services in the tests of `millrace local`.

The directory of its configuration says which of them it is. A broker answers the requests of the
probe. Every one appends a line to events.txt beside that directory when it starts, serves, stops.
`--set stand.in.NAME=HOW` tells the one called NAME ("broker-1") to behave otherwise:
fail, crash-once, hang, deaf, chatty, slow (it stops when there is a file may-stop beside its
configuration).
"""

import os
import signal
import socketserver
import struct
import sys
import threading
import time


def read_arguments(arguments):
    """The properties, as the services would have them."""
    pairs = dict(zip(arguments[0::2], arguments[1::2]))
    properties = {}
    with open(pairs["--config"], encoding="utf-8") as file:
        for line in file:
            name, equals, value = line.strip().partition("=")
            if equals and not line.startswith("#"):
                properties[name] = value
    for option, given in zip(arguments[0::2], arguments[1::2]):
        if option == "--set":
            name, _, value = given.partition("=")
            properties[name] = value
    return pairs, properties


def log(level, message):
    print(f"2026-01-01T00:00:00.000Z {level:<7} stand-in: {message}", file=sys.stderr, flush=True)


class Requests(socketserver.BaseRequestHandler):
    """Answers ApiVersions, Metadata, FindCoordinator, DescribeGroups and ListGroups, as the probe
    asks them."""

    def handle(self):
        while True:
            length = self.read(4)
            if length is None:
                return
            request = self.read(struct.unpack(">i", length)[0])
            if request is None:
                return
            api, _, correlation_id = struct.unpack(">hhi", request[:8])
            body = struct.pack(">i", correlation_id) + self.answer(api)
            self.request.sendall(struct.pack(">i", len(body)) + body)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.request.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data

    def answer(self, api):
        host, port = self.server.server_address
        if api == 18:
            return struct.pack(">hihhh", 0, 1, 18, 0, 4)
        if api == 3:
            brokers = int(self.server.properties.get("stand.in.brokers", "1"))
            return struct.pack(">i", brokers)
        if api == 10:
            if not self.server.all_serve():
                return struct.pack(">hihi", 15, -1, -1, -1)
            name = host.encode()
            return struct.pack(">hih", 0, 1, len(name)) + name + struct.pack(">i", port)
        if api == 16:
            return struct.pack(">bihbb", 0, 0, 0, 1, 0)
        return struct.pack(">ihh", 1, 0, 0)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def all_serve(self):
        """Whether all controllers and coordinators have come up."""
        with open(self.events, encoding="utf-8") as file:
            serving = {line.split()[0] for line in file if " serves " in line}
        brokers = int(self.properties.get("stand.in.brokers", "1"))
        return len(serving) >= brokers + len(self.properties["controller.quorum.voters"].split(","))


def main():
    pairs, properties = read_arguments(sys.argv[1:])
    directory = os.path.dirname(pairs["--config"])
    name = os.path.basename(directory)
    how = properties.get(f"stand.in.{name}", "")

    events = os.path.join(os.path.dirname(directory), "events.txt")

    def event(what):
        with open(events, "a", encoding="utf-8") as file:
            file.write(f"{name} {what} {os.getpid()}\n")

    def stop(*_):
        while how == "slow" and not os.path.exists(os.path.join(directory, "may-stop")):
            time.sleep(0.01)
        event("stops")
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "hang" else stop)
    event("starts")
    log("info", f"started with {' '.join(sys.argv[1:])}")
    if how == "fail":
        log("error", "the disk is on fire")
        sys.exit(78)
    if how == "crash-once" and not os.path.exists(os.path.join(directory, "crashed")):
        open(os.path.join(directory, "crashed"), "w", encoding="utf-8").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "chatty":
        for number in range(500):
            log("warning", f"warning {number}")

    if name.startswith("broker"):
        if "--node-id" not in pairs:
            sys.exit(2)
        host, _, port = properties["listeners"].partition("://")[2].partition(":")
        server = Server((host, int(port)), Requests)
        server.properties = properties
        server.events = events
        if how != "deaf":
            # A signal that another thread gets does not wake the main one, which has to handle it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(target=server.serve_forever, daemon=True).start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    else:
        event("serves")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
