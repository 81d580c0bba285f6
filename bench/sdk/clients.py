#!/usr/bin/env python3
"""Measures our client beside librdkafka and Kafka's Java client, on one broker of ours.

The clients take their turns: each round measures each load with one client after the other, and
another one is the first in each round; the first round is thrown away, and medians of the others
are shown. Clients and broker share the machine. README.md says what the rows are. See
../cluster/memory.py for what is done about the memory of a virtual machine.
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

import compare  # noqa: E402  (its folder had to be named first)
import memory  # noqa: E402
import servers  # noqa: E402

TIMEOUT_S = 300
MEBI = 1024 * 1024
CLIENTS = ("ours", "librdkafka", "java")
LARGE_BATCHES = ("batch.size=262144", "linger.ms=5")
LATENCY_RATE = 10_000
FLOOD_BUDGET_BYTES = 32 * MEBI
FLOOD_S = 10
# What a client may take beside the records it holds: code, stacks, sockets, the allocator.
BESIDE_THE_BUDGET_MB = 16

# Measure: whether more is better, as the ratios are to show. None where a ratio says nothing.
MEASURES = {
    "records/s": True, "MB/s": True, "client CPU us/record": False,
    "broker CPU us/record": False, "allocations/record": None,
    "p50_ms": False, "p99_ms": False, "p99.9_ms": False,
}


class Clients:
    """Runs one load with one client, and knows how much CPU it and the broker took."""

    def __init__(self, program, folder, classpath, server):
        self._program = program
        self._folder = folder
        self._classpath = classpath
        self._server = server
        self._topics = []
        self.names = [name for name in CLIENTS if name == "java" or (folder / name).exists()]

    def command(self, name, *words):
        return [str(self._folder / name), *map(str, words)]

    def tool(self, name, *words):
        return ["java", "-Xmx512m", "-cp", self._classpath, "org.apache.kafka.tools." + name,
                *map(str, words)]

    def measure(self, command, records):
        """Gives what it wrote, and the measures of CPU."""
        broker = self._server.cpu_seconds()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S,
                              check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return done.stdout, {
            "client CPU us/record": used / records * 1e6,
            "broker CPU us/record": (self._server.cpu_seconds() - broker) / records * 1e6,
        }

    def create(self, topic):
        subprocess.run(self.command("ours", "create", self._server.bootstrap, topic, 1, 0),
                       check=True, timeout=TIMEOUT_S)
        self._topics.append(topic)

    def delete_all(self):
        """Deletes what was created and waits until the disk has its room again: a round writes
        8 GB."""
        subprocess.run([self._program, "topic", "delete", *self._topics, "-b",
                        self._server.bootstrap], check=True, timeout=TIMEOUT_S,
                       stdout=subprocess.DEVNULL)
        deleted = tuple(f"{topic}-0" for topic in self._topics)
        self._topics.clear()
        end = time.monotonic() + TIMEOUT_S
        while any(path.name.startswith(deleted)
                  for path in self._server.directory.glob("data/*/log/*")):
            if time.monotonic() > end:
                raise RuntimeError(f"deleted topics are still there: {' '.join(deleted)}")
            time.sleep(0.1)

    def in_turn(self, number):
        """The names of the clients; another one is the first in each round."""
        first = number % len(self.names)
        return self.names[first:] + self.names[:first]

    def own_program(self, name, mode, topic, first, second, settings):
        output, cpu = self.measure(
            self.command(name, mode, self._server.bootstrap, topic, first, second, *settings),
            first)
        return measures_in(output) | cpu

    def produce(self, name, topic, records, size, settings):
        if name != "java":
            return self.own_program(name, "produce", topic, records, size, settings)
        output, cpu = self.measure(
            self.tool("ProducerPerformance", "--topic", topic, "--num-records", records,
                      "--record-size", size, "--throughput", -1, "--producer-props",
                      f"bootstrap.servers={self._server.bootstrap}", *settings), records)
        last = [found for found in map(compare.PRODUCED.search, output.splitlines()) if found][-1]
        return {"records/s": float(last[2]), "MB/s": float(last[2]) * size / 1e6} | cpu

    def consume(self, name, topic, records, size):
        if name != "java":
            return self.own_program(name, "consume", topic, records, 0, ())
        output, cpu = self.measure(
            self.tool("ConsumerPerformance", "--topic", topic, "--num-records", records,
                      "--bootstrap-server", self._server.bootstrap), records)
        header, values = [[word.strip() for word in line.split(",")]
                          for line in output.splitlines() if line.count(",") >= 9][-2:]
        # Without the time of joining a group, which the others do not.
        rate = float(dict(zip(header, values))["fetch.nMsg.sec"])
        return {"records/s": rate, "MB/s": rate * size / 1e6} | cpu

    def latency(self, name, topic, records):
        settings = ("linger.ms=0", "acks=1")
        if name != "java":
            return self.own_program(name, "latency", topic, records, LATENCY_RATE, settings)
        output, cpu = self.measure(
            self.tool("EndToEndLatency", "--bootstrap-server", self._server.bootstrap, "--topic",
                      topic, "--num-records", records // 10, "--producer-acks", 1,
                      "--record-size", 100), records // 10)
        found = compare.LATENCIES.search(output)
        if not found:
            raise RuntimeError(f"no latencies in: {output}")
        return {"p50_ms": float(found[1]), "p99_ms": float(found[2]),
                "p99.9_ms": float(found[3])} | cpu


def measures_in(output):
    lines = (line.rpartition(" ") for line in output.splitlines() if " " in line)
    return {name: float(value) for name, _, value in lines}


def round_of(clients, server, number, scale):
    """All rows of one round: {row: {client: {measure: value}}}."""
    small, large = int(2000 * scale) * 2000, int(500 * scale) * 2000
    rows = {}
    for size, records in ((100, small), (1024, large)):
        for batches, settings in (("defaults", ()), ("256 KiB batches", LARGE_BATCHES)):
            row = rows[f"produce {size} B, {batches}"] = {}
            for name in clients.in_turn(number):
                topic = f"produce-{size}-{len(settings)}-{name}-{number}"
                clients.create(topic)
                row[name] = clients.produce(name, topic, records, size, ("acks=1", *settings))
    for size, records in ((100, small), (1024, large)):
        row = rows[f"consume {size} B"] = {}
        topic = f"produce-{size}-2-ours-{number}"
        for name in clients.in_turn(number):
            memory.warm(server.directory, topic)
            row[name] = clients.consume(name, topic, records, size)
    row = rows["end to end, 100 B, linger.ms=0"] = {}
    for name in clients.in_turn(number):
        topic = f"latency-{name}-{number}"
        clients.create(topic)
        row[name] = clients.latency(name, topic, int(10 * scale) * LATENCY_RATE)
    return rows


def median_of(rounds, row, client, measure):
    """Of all rounds but the first; none where it was not measured."""
    values = [one[row][client][measure] for one in rounds[1:] or rounds
              if measure in one[row].get(client, {})]
    return statistics.median(values) if values else None


def ratio(ours, other, is_more_better):
    """How many times better ours is; nothing where one is missing."""
    if None in (ours, other, is_more_better) or 0 in (ours, other):
        return ""
    return f"{ours / other if is_more_better else other / ours:.2f}"


def table(rounds, names):
    """Medians, and how many times better ours are, as lines of text."""
    lines = [f"{'':32}{'measure':22}" + "".join(f"{name:>14}" for name in names)
             + "".join(f"{'to ' + name:>15}" for name in names[1:])]
    for row in rounds[0]:
        for measure, is_more_better in MEASURES.items():
            values = [median_of(rounds, row, name, measure) for name in names]
            if values[0] is None:
                continue
            lines.append(
                f"{row:32}{measure:22}"
                + "".join(f"{'' if value is None else f'{value:,.3f}':>14}" for value in values)
                + "".join(f"{ratio(values[0], value, is_more_better):>15}" for value in values[1:]))
    return lines


def flood(clients, name, server):
    """Kills the broker under a producer that does not stop: {measure: value}."""
    process = subprocess.Popen(
        clients.command(name, "flood", server.bootstrap, "flood", FLOOD_BUDGET_BYTES, FLOOD_S,
                        "delivery.timeout.ms=5000", "request.timeout.ms=2000", "linger.ms=0")
        if name == "ours" else
        clients.command(name, "flood", server.bootstrap, "flood", FLOOD_BUDGET_BYTES, FLOOD_S,
                        "message.timeout.ms=5000", "linger.ms=0"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if process.stdout.readline() != "flowing\n":
            raise RuntimeError(f"{name} delivers nothing")
        for pid in server.pids():
            os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    if process.returncode != 0:
        raise RuntimeError(f"{name} failed under a dead broker: {output}")
    return measures_in(output)


def floods(arguments, directory, classpath):
    """Lines about the memory of producers, and whether ours kept to its budget."""
    lines, has_kept = [], True
    for name in ("ours", "librdkafka"):
        server = servers.Millrace(directory / f"flood-{name}", arguments.program)
        clients = Clients(arguments.program, arguments.clients, classpath, server)
        if name not in clients.names:
            continue
        server.start()
        try:
            clients.create("flood")
            found = flood(clients, name, server)
        finally:
            server.stop()
        budget = FLOOD_BUDGET_BYTES / MEBI
        if name == "ours":
            has_kept = found["MB more"] <= budget + BESIDE_THE_BUDGET_MB and found["refused"] > 0
        lines.append(
            f"dead broker, producer that does not stop, {budget:.0f} MB: {name} took "
            f"{found['MB more']:.1f} MB more, {found['taken']:,.0f} records taken, "
            f"{found['refused']:,.0f} refused, {found['failed']:,.0f} failed")
    return lines, has_kept


def measure(arguments, directory, classpath):
    """All rounds on one server: the lines of the table."""
    server = servers.Millrace(directory / "millrace", arguments.program,
                              ("log.segment.delete.delay.ms=1000",))
    server.start()
    try:
        clients = Clients(arguments.program, arguments.clients, classpath, server)
        for name in CLIENTS:
            if name not in clients.names:
                print(f"{name} is not installed: left out")
        rounds = []
        for number in range(arguments.rounds + 1):
            rounds.append(round_of(clients, server, number, arguments.scale))
            clients.delete_all()
            print(f"round {number} of {arguments.rounds}", flush=True)
    finally:
        server.stop()
    return [
        f"machine: {compare.machine()}",
        *compare.disturbances(),
        *versions(classpath),
        f"scale {arguments.scale}, {arguments.rounds} rounds after the first",
        *table(rounds, clients.names),
    ]


def versions(classpath):
    java = re.search(r"kafka-clients-([\d.]+)\.jar", classpath)
    package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "librdkafka1"],
                             capture_output=True, text=True, check=False)
    return [f"librdkafka {package.stdout or 'of unknown version'}, Kafka's tools "
            f"{java[1] if java else 'of unknown version'}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", required=True, help="the millrace program")
    parser.add_argument("--clients", required=True, type=pathlib.Path,
                        help="the folder with the programs of the clients")
    parser.add_argument("--classpath", required=True, help="a file with Kafka's class path")
    parser.add_argument("--rounds", type=int, default=3, help="after the one thrown away")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of records")
    parser.add_argument("--fresh-memory", action="store_true",
                        help="do not put the machine's memory to use first")
    parser.add_argument("--results", type=pathlib.Path, help="a directory that keeps the table")
    arguments = parser.parse_args()
    classpath = pathlib.Path(arguments.classpath).read_text().strip()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    try:
        with (contextlib.nullcontext() if arguments.fresh_memory
              else memory.FilledMemory(directory)):
            text = measure(arguments, directory, classpath)
        lines, has_kept = floods(arguments, directory, classpath)
        text += lines
        print("\n".join(text))
        if arguments.results:
            arguments.results.mkdir(parents=True, exist_ok=True)
            name = time.strftime("sdk-%Y-%m-%d.txt")
            (arguments.results / name).write_text("\n".join(text) + "\n")
        if not has_kept:
            print("our producer took more memory than its budget", file=sys.stderr)
        return 0 if has_kept else 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
