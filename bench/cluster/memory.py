"""Puts the machine's memory to use, as that of a server that has run for a week is.

In a virtual machine, a page that was not touched lately costs a fault of the host when the page
cache takes it: two seconds and more for a gigabyte, three times what everything else about it
costs. That says something of the host, and nothing of the two peers. So a process here holds most
of the memory, and a file fills what is left of it: what the page cache takes then was in use a
moment ago.
"""

import mmap
import os
import pathlib
import signal
import subprocess
import sys

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
GIBI = 1 << 30
LEFT_BYTES = 5 * GIBI
WAIT_S = 300
PIECE_BYTES = 1 << 20


def available_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/meminfo does not tell how much memory there is")


def hold(count):
    """The child: touches so many bytes, says so, and stays until its input ends."""
    memory = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for position in range(0, count, PAGE_BYTES):
        memory[position] = 1
    print("held", flush=True)
    sys.stdin.read()


def warm(directory, topic):
    """Reads the files of a topic into the page cache: nobody who is measured waits for the disk."""
    for segment in pathlib.Path(directory).rglob(f"{topic}-*/*.log"):
        with open(segment, "rb") as file:
            while file.read(PIECE_BYTES):
                pass


class FilledMemory:
    """A context in which all but LEFT_BYTES of the memory is held, and those were in use."""

    def __init__(self, directory):
        self._filler = pathlib.Path(directory) / "filler"
        self._holder = None

    def __enter__(self):
        count = (available_bytes() - LEFT_BYTES) // PAGE_BYTES * PAGE_BYTES
        if count > 0:
            self._holder = subprocess.Popen(
                [sys.executable, __file__, str(count)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            if self._holder.stdout.readline() != "held\n":
                raise RuntimeError("the memory cannot be held")
        piece = bytes(PIECE_BYTES)
        with open(self._filler, "wb") as file:
            for _ in range(LEFT_BYTES // PIECE_BYTES):
                file.write(piece)
            os.fsync(file.fileno())
        return self

    def __exit__(self, *_):
        self._filler.unlink(missing_ok=True)
        if self._holder is not None:
            self._holder.stdin.close()
            self._holder.wait(WAIT_S)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hold(int(sys.argv[1]))
