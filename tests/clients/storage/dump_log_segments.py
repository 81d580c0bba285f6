#!/usr/bin/env python3
"""Lets Kafka's DumpLogSegments read the files of log directories, and fails on any complaint.

Usage: dump_log_segments.py CLASSPATH DIRECTORY [--gaps]. CLASSPATH is a file that holds the class
path of kafka-tools (pom.xml). DIRECTORY is a partition's, or holds some. --gaps: cleaned logs,
whose offsets may have gaps.

The tool prints what does not fit and still ends well: so every line that it prints must be one that
is known to be no complaint, and everything in a file must have been printed.
"""

import pathlib
import re
import subprocess
import sys

TOOL = "org.apache.kafka.tools.DumpLogSegments"
ENTRY_BYTES = {".index": 8, ".timeindex": 12, ".txnindex": 34}
SNAPSHOT_HEADER_BYTES = 10
SNAPSHOT_ENTRY_BYTES = 46

BATCH = re.compile(r"baseOffset: -?\d+ lastOffset: -?\d+ .* size: (\d+) .* isvalid: true$")
ENTRY = {
    ".index": re.compile(r"offset: \d+ position: \d+$"),
    ".timeindex": re.compile(r"timestamp: \d+ offset: \d+$"),
    ".txnindex": re.compile(r"version: 0 producerId: \d+ firstOffset: \d+ lastOffset: \d+ "
                            r"lastStableOffset: \d+$"),
    ".snapshot": re.compile(r"producerId: \d+ producerEpoch: \d+ "),
}
RECORD = re.compile(r"\| offset: \d+ ")
# Said behind all files. A log that does not begin at offset 0 "follows" -1.
GAPS_IN = re.compile(r"Non-consecutive offsets in (.*)$")
GAP = re.compile(r"  (-?\d+) is followed by (-?\d+)$")
HARMLESS = re.compile(r"SLF4J: |Log starting offset: \d+$|Dumping .*|$")


def files_of(directory):
    """The files of segments at or below the directory, ascending."""
    known = {".log", ".snapshot", *ENTRY_BYTES}
    return sorted(path for path in pathlib.Path(directory).rglob("*") if path.suffix in known)


def run_tool(tool, files, *options):
    """Returns the tool's lines by file, its gaps between offsets, and complaints about no file.
    tool: the words that run it."""
    command = [*tool, *options, "--files", ",".join(str(path) for path in files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    lines = {}
    gaps = []
    complaints = []
    gaps_in = current = None
    for line in [*done.stdout.splitlines(), *done.stderr.splitlines()]:
        if line.startswith("Dumping "):
            current = lines.setdefault(line.removeprefix("Dumping "), [])
        elif found := GAPS_IN.match(line):
            gaps_in = found[1]
        elif found := GAP.match(line):
            if found[1] != "-1":
                gaps.append(f"{gaps_in}: offset {found[1]} is followed by {found[2]}")
        elif current is not None and not line.startswith("SLF4J: "):
            current.append(line)
        elif not HARMLESS.match(line):
            complaints.append(line)
    if done.returncode != 0:
        complaints.append(f"{TOOL} {' '.join(options)} ended with {done.returncode}")
    return lines, gaps, complaints


def check_log(path, size_before, lines):
    size = 0
    for line in lines:
        if batch := BATCH.match(line):
            size += int(batch[1])
        elif not (RECORD.match(line) or HARMLESS.match(line)):
            yield f"{path}: {line}"
    if size != size_before:
        yield f"{path}: {size} of {size_before} bytes were read as valid batches"


def check_entries(path, size, lines):
    count = 0
    for line in lines:
        if ENTRY[path.suffix].match(line):
            count += 1
        elif not HARMLESS.match(line) and line != f"{path} is empty.":
            yield f"{path}: {line}"
    if path.suffix == ".snapshot":
        expected, rest = divmod(size - SNAPSHOT_HEADER_BYTES, SNAPSHOT_ENTRY_BYTES)
    else:
        expected, rest = divmod(size, ENTRY_BYTES[path.suffix])
    if rest or count != expected:
        yield f"{path}: {count} entries were read from {size} bytes"


def check_directory(tool, directory, gaps=False):
    """Returns all complaints about the files at or below the directory."""
    files = files_of(directory)
    if not any(path.suffix == ".log" for path in files):
        return [f"{directory}: no log files"]
    # The tool cuts a part of an entry off the file that it is given.
    sizes = {path: path.stat().st_size for path in files}
    printed, found_gaps, complaints = run_tool(tool, files, "--deep-iteration")
    if not gaps:
        complaints += found_gaps
    for path in files:
        if str(path) not in printed:
            complaints.append(f"{path}: was not read")
        elif path.suffix == ".log":
            complaints += check_log(path, sizes[path], printed[str(path)])
        else:
            complaints += check_entries(path, sizes[path], printed[str(path)])
    indexes = [path for path in files
               if path.suffix in (".index", ".timeindex") and path.stat().st_size > 0]
    if not indexes:
        return complaints
    sane, _, more = run_tool(tool, indexes, "--index-sanity-check")
    complaints += more
    verified, _, more = run_tool(tool, indexes, "--verify-index-only")
    complaints += more
    for path in indexes:
        if f"{path} passed sanity check." not in sane.get(str(path), []):
            complaints.append(f"{path}: did not pass the sanity check: {sane.get(str(path))}")
        complaints += [f"{path}: {line}" for line in verified.get(str(path), ["was not read"])
                       if not HARMLESS.match(line)]
    return complaints


# What differs from file to file and says nothing of the records.
OF_THE_FILE = re.compile(r" (position|size|crc): \d+")
SHOWN = {".log": ("baseOffset: ", "| offset: "), ".txnindex": ("version: ",),
         ".snapshot": ("producerId: ",)}


def shown(tool, directory, compacted=False):
    """What the tool shows of a partition: batches with their records, then aborted transactions,
    then the producers of the last snapshot. Of a compacted one only the records."""
    files = files_of(directory)
    snapshots = [path for path in files if path.suffix == ".snapshot"]
    printed, _, _ = run_tool(tool, files, "--print-data-log")
    lines = []
    for suffix, starts in SHOWN.items():
        for path in files:
            if path.suffix != suffix or path in snapshots[:-1]:
                continue
            lines += [OF_THE_FILE.sub("", line).rstrip() for line in printed.get(str(path), [])
                      if line.startswith(starts)]
    if compacted:
        lines = [line for line in lines if line.startswith("| ") and "endTxnMarker" not in line]
    return lines


def main(arguments):
    gaps = "--gaps" in arguments
    places = [argument for argument in arguments if argument != "--gaps"]
    if len(places) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    classpath = pathlib.Path(places[0]).read_text().strip()
    complaints = check_directory(["java", "-cp", classpath, TOOL], places[1], gaps)
    for complaint in complaints:
        print(complaint)
    print(f"{len(complaints)} complaints about {len(files_of(places[1]))} files")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
