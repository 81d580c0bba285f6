#!/usr/bin/env python3
"""Measures a Millrace cluster beside Apache Kafka 4.3.1, with Kafka's own tools as the client.

Both run at once on this machine, and take their turns: each round measures one, then the other, and
then what the machine itself can do; the first round is thrown away, and medians of the others are
shown. A row whose client used more than 90 % of a core is marked: there the client is what is
measured. See memory.py for what is done about the memory of a virtual machine.
"""

import argparse
import os
import pathlib
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import memory
import servers

CLIENT_BOUND = 0.9
TOOLS = "org.apache.kafka.tools."
MEBI = 1024 * 1024
PARTITIONS = 8
PRODUCE_ROW = "produce 1 KB, 8 partitions"
BARE_ROW = "fetch 1 KB, bare client"
FLOOR = "floor"
IDLE_WAIT_S = 2

PRODUCED = re.compile(
    r"(\d+) records sent, ([\d.]+) records/sec \(([\d.]+) MB/sec\), .*? max latency"
)
LATENCIES = re.compile(
    r"Percentiles: 50th = ([\d.]+), 99th = ([\d.]+), 99.9th = ([\d.]+)"
)


class Tool:
    """Runs one of Kafka's tools and knows how much CPU it and the server took."""

    def __init__(self, classpath, server):
        self._classpath = classpath
        self._server = server

    def run(self, name, *arguments):
        command = ["java", "-Xmx512m", "-cp", self._classpath, TOOLS + name, *arguments]
        server_before = self._server.cpu_seconds()
        client_before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        wall = time.monotonic() - begin
        client = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        self.server_cpu = self._server.cpu_seconds() - server_before
        used = client.ru_utime + client.ru_stime - client_before.ru_utime - client_before.ru_stime
        self.client_share = used / wall
        return done.stdout


def make_topic(classpath, server, topic, partitions):
    Tool(classpath, server).run(
        "TopicCommand", "--bootstrap-server", server.bootstrap, "--create", "--topic", topic,
        "--partitions", str(partitions), "--replication-factor", "1",
    )


def produce(classpath, server, topic, records, size):
    tool = Tool(classpath, server)
    output = tool.run(
        "ProducerPerformance", "--topic", topic, "--num-records", str(records), "--record-size",
        str(size), "--throughput", "-1", "--producer-props",
        f"bootstrap.servers={server.bootstrap}", "acks=1",
    )
    last = [found for found in map(PRODUCED.search, output.splitlines()) if found][-1]
    gigabytes = records * size / 1e9
    return {
        "MB/s": float(last[3]),
        "records/s": float(last[2]),
        "CPU s/GB": tool.server_cpu / gigabytes,
        "client": tool.client_share,
    }


def consume(classpath, server, topic, records, size):
    tool = Tool(classpath, server)
    output = tool.run(
        "ConsumerPerformance", "--topic", topic, "--num-records", str(records),
        "--bootstrap-server", server.bootstrap,
    )
    header, values = [
        [word.strip() for word in line.split(",")]
        for line in output.splitlines()
        if line.count(",") >= 9
    ][-2:]
    row = dict(zip(header, values))
    return {
        "MB/s": float(row["fetch.MB.sec"]),
        "CPU s/GB": tool.server_cpu / (records * size / 1e9),
        "client": tool.client_share,
    }


def bare(program, *arguments):
    """Runs a mode of bare.cpp: {measure: value}."""
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} {arguments}: {done.stderr}")
    return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}


def fetch_bare(program, server, topic, megabytes):
    before = server.cpu_seconds()
    fetched = bare(program, "fetch", str(server.port), topic, str(PARTITIONS), str(megabytes))
    used = server.cpu_seconds() - before
    return {"MB/s": fetched["MB/s"], "CPU s/GB": used / (fetched["bytes"] / 1e9)}


def floors(program, directory, megabytes):
    """What the machine can do: {row: {measure: value}}."""
    rows = {}
    for row, mode in ((PRODUCE_ROW, "receive"), (BARE_ROW, "send")):
        measured = bare(program, mode, str(directory), str(megabytes))
        rows[row] = {"MB/s": measured["MB/s"], "CPU s/GB": measured["s/GB"]}
    return rows


def end_to_end(classpath, server, topic, records):
    tool = Tool(classpath, server)
    output = tool.run(
        "EndToEndLatency", "--bootstrap-server", server.bootstrap, "--topic", topic,
        "--num-records", str(records), "--producer-acks", "1", "--record-size", "100",
    )
    found = LATENCIES.search(output)
    if not found:
        raise RuntimeError(f"no latencies in: {output}")
    return {
        "p50 ms": float(found[1]),
        "p99 ms": float(found[2]),
        "p99.9 ms": float(found[3]),
        "client": tool.client_share,
    }


def round_of(arguments, classpath, server, number):
    """All rows of one round for one server: {row: {measure: value}}.

    Topics stay: the memory of what is deleted would go back to the host (see memory.py), at the
    cost of whoever is measured next.
    """
    scale = arguments.scale
    rows = {}
    topic = f"kilobyte-{number}"
    count = int(1_000_000 * scale)
    make_topic(classpath, server, topic, PARTITIONS)
    rows[PRODUCE_ROW] = produce(classpath, server, topic, count, 1024)
    memory.warm(server.directory, topic)
    rows["consume 1 KB"] = consume(classpath, server, topic, count, 1024)
    memory.warm(server.directory, topic)
    rows[BARE_ROW] = fetch_bare(arguments.bare, server, topic, count * 1024 // 1_000_000)
    for partitions in (1, 16):
        topic = f"small-{partitions}-{number}"
        make_topic(classpath, server, topic, partitions)
        rows[f"produce 100 B, {partitions} partitions"] = produce(
            classpath, server, topic, int(4_000_000 * scale), 100
        )
    topic = f"latency-{number}"
    make_topic(classpath, server, topic, 1)
    rows["end to end, acks=1, 100 B"] = end_to_end(
        classpath, server, topic, int(10_000 * scale) + 100
    )
    rows["memory"] = {"MB resident": server.resident_bytes() / MEBI}
    return rows


def median_of(rounds, row, measure):
    """Of all rounds but the first; none where it was not measured."""
    values = [one[row][measure] for one in rounds[1:] or rounds if measure in one.get(row, {})]
    return statistics.median(values) if values else None


def table(rounds, peers):
    """Medians and their ratio, as lines of text."""
    columns = [*peers, FLOOR]
    lines = [f"{'':32}{'measure':14}" + "".join(f"{name:>14}" for name in columns)
             + f"{'ratio':>9}"]
    for row, measures in rounds[peers[0]][-1].items():
        for measure in measures:
            if measure == "client":
                continue
            values = [median_of(rounds[name], row, measure) for name in columns]
            bound = any(
                (median_of(rounds[peer], row, "client") or 0) > CLIENT_BOUND for peer in peers
            )
            two = len(peers) > 1 and values[0]
            lines.append(
                f"{row:32}{measure:14}"
                + "".join(f"{'' if value is None else f'{value:.2f}':>14}" for value in values)
                + (f"{values[1] / values[0]:9.2f}" if two else f"{'':9}")
                + ("  client-bound" if bound else "")
            )
    return lines


def compare(arguments, classpath, peers, directory):
    """Starts the peers, and runs all rounds: the lines of the table."""
    rounds = {name: [] for name in [*(peer.name for peer in peers), FLOOR]}
    for peer in peers:
        peer.start()
        time.sleep(IDLE_WAIT_S)
        peer.idle_bytes = peer.resident_bytes()
        print(f"{peer.name} is ready after {peer.ready_s:.2f} s, idle with "
              f"{peer.idle_bytes / MEBI:.0f} MB", flush=True)
    for number in range(arguments.rounds + 1):
        for peer in peers:
            rounds[peer.name].append(round_of(arguments, classpath, peer, number))
            print(f"round {number} of {arguments.rounds}: {peer.name}", flush=True)
        megabytes = int(1000 * arguments.scale)
        rounds[FLOOR].append(floors(arguments.bare, directory, megabytes))
    return [
        f"machine: {machine()}",
        *disturbances(),
        f"scale {arguments.scale}, {arguments.rounds} rounds after the first",
        *(f"{peer.name}: ready after {peer.ready_s:.2f} s, idle with "
          f"{peer.idle_bytes / MEBI:.0f} MB" for peer in peers),
        *table(rounds, [peer.name for peer in peers]),
    ]


def disturbances():
    """What of the machine itself moves figures, as lines."""
    states = pathlib.Path("/sys/kernel/mm/damon/admin/kdamonds").glob("*/state")
    if any(state.read_text().strip() == "on" for state in states):
        return ["note: a kernel thread (DAMON) pages out what it takes for idle here, the page "
                "cache too"]
    return []


def machine():
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", required=True, help="the millrace program")
    parser.add_argument("--bare", required=True, help="the bare client of the bench")
    parser.add_argument("--classpath", required=True, help="a file with Kafka's class path")
    parser.add_argument("--rounds", type=int, default=3, help="after the one thrown away")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of records")
    parser.add_argument("--only", choices=("kafka", "millrace"), help="one of the two alone")
    parser.add_argument("--results", type=pathlib.Path, help="a directory that keeps the table")
    arguments = parser.parse_args()
    classpath = pathlib.Path(arguments.classpath).read_text().strip()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    peers = [
        servers.Kafka(directory / "kafka", classpath),
        servers.Millrace(directory / "millrace", arguments.program),
    ]
    if arguments.only:
        peers = [peer for peer in peers if peer.name == arguments.only]
    try:
        with memory.FilledMemory(directory):
            text = compare(arguments, classpath, peers, directory)
        print("\n".join(text))
        if arguments.results:
            arguments.results.mkdir(parents=True, exist_ok=True)
            name = time.strftime("cluster-%Y-%m-%d.txt")
            (arguments.results / name).write_text("\n".join(text) + "\n")
        return 0
    finally:
        for peer in peers:
            peer.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
