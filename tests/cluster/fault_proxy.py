"""A TCP proxy before a broker that does to connections what networks and bad memory do to them.

What comes over a connection is drawn from the seed and from the number of the connection, and is
listed in `struck`. Nothing is broken before begin(), nor once so many faults have struck as were
asked for. The broker must name the proxy's address to its clients: `behind` starts one that does.
"""

import asyncio
import dataclasses
import os
import random
import socket
import struct
import threading

from local_cluster import LocalCluster

UP, DOWN = "up", "down"  # to the broker, to the client
BOTH = (UP, DOWN)
# What ends connections or holds them up: an end, a reset, bytes that vanish without either, few
# bytes at a time, bytes that come late.
BREAKS = ("cut", "reset", "swallow", "slow", "hold")
# One bit that is not what it was. Of records: of what their checksum covers, or is.
FLIPS = ("flipped length", "flipped correlation id", "flipped records")
# Frames announce their length; of a record batch: where its length stands, what comes before it is
# counted, and where the other fields are by which it is found.
LENGTH_BYTES, FRAME_BYTES_MAX = 4, 1 << 26
BATCH_LENGTH_AT, BATCH_PREFIX, MAGIC_AT, CRC_AT, ATTRIBUTES_AT = 8, 12, 16, 17, 21
DELTA_AT, COUNT_AT, BATCH_HEADER = 23, 57, 61
# As often within the first bytes of a connection as far behind them.
AT_BITS = (4, 15)
HOLD_SECONDS = (0.05, 1.5)
SLOW_BYTES, SLOW_SECONDS = 5, 0.001
CLOSE_SECONDS = 10
# So that clients which send all the time make a bounded load.
BYTES_PER_SECOND = 200_000


@dataclasses.dataclass(frozen=True)
class Fault:
    """Strikes when so many bytes have passed on one of the ways since the fault before; a bit is
    flipped in the next frame that has what is named."""

    kind: str
    ways: tuple
    at: int
    seconds: float = 0
    bit: int = 0

    @staticmethod
    def drawn(chance, kinds):
        kind = chance.choice(kinds)
        ways = chance.choice(((UP,), (DOWN,)))
        if kind == "swallow":
            ways = chance.choice(((UP,), (DOWN,), BOTH))
        elif kind == "flipped records":
            ways = BOTH  # only one has any
        at = int(2 ** chance.uniform(*AT_BITS)) - 2 ** AT_BITS[0]
        return Fault(kind, ways, at, chance.uniform(*HOLD_SECONDS), chance.getrandbits(48))


def batches_in(frame):
    """Of each batch of records in the frame: where its checksum stands, and where it ends."""
    start = LENGTH_BYTES
    while (magic := frame.find(b"\2", start + MAGIC_AT)) >= 0:
        start = magic - MAGIC_AT
        if start + BATCH_HEADER > len(frame):
            return
        length, = struct.unpack_from(">i", frame, start + BATCH_LENGTH_AT)
        attributes, delta = struct.unpack_from(">Hi", frame, start + ATTRIBUTES_AT)
        count, = struct.unpack_from(">i", frame, start + COUNT_AT)
        end = start + BATCH_PREFIX + length
        if (BATCH_HEADER <= BATCH_PREFIX + length and end <= len(frame) and attributes < 1 << 6 and
                0 < count == delta + 1):
            yield start + CRC_AT, end
            start = end
        else:
            start += 1


def with_flipped_bit(frame, way, fault):
    """The frame with one bit flipped; None if it does not have what is to be flipped."""
    if fault.kind == "flipped length":
        places = [(0, LENGTH_BYTES)]
    elif fault.kind == "flipped correlation id":
        first = LENGTH_BYTES + (4 if way == UP else 0)  # behind the API and its version
        places = [(first, first + 4)]
    else:
        places = list(batches_in(frame))
    bits = [8 * (end - first) for first, end in places]
    if not bits:
        return None
    bit = fault.bit % sum(bits)
    for (first, _), count in zip(places, bits):
        if bit < count:
            changed = bytearray(frame)
            changed[first + bit // 8] ^= 1 << bit % 8
            return bytes(changed)
        bit -= count
    return None


async def read_frame(reader):
    """A frame with its length; what is left, if it ends before; nothing at the end."""
    frame = b""
    try:
        frame = await reader.readexactly(LENGTH_BYTES)
        length, = struct.unpack(">i", frame)
        if not 0 <= length <= FRAME_BYTES_MAX:
            raise ConnectionError(f"a frame of {length} bytes")
        return frame + await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        return frame + error.partial


class Link:
    """One connection of a client, and the one to the broker for it; lives in the proxy's loop."""

    def __init__(self, proxy, number):
        self.proxy = proxy
        self.number = number
        self.chance = random.Random(f"{proxy.seed} {number}")
        self.fault, self.passed = None, {}
        self.lost = set()  # the ways on which nothing goes on
        self.writers = {}
        self.arm()

    def arm(self):
        """Says what comes next; counts from here."""
        self.passed = {UP: 0, DOWN: 0}
        self.fault = None
        if not self.proxy.is_spent():
            self.fault = self.proxy.fault or Fault.drawn(self.chance, self.proxy.kinds)

    async def live(self, client, broker):
        self.writers = {UP: broker[1], DOWN: client[1]}
        if self.lost:
            self.reset()  # meanwhile
        await asyncio.gather(self.carry(UP, client[0]), self.carry(DOWN, broker[0]))
        # A half-open connection stays so, even if both sides have ended it.
        if not self.is_lost(UP) and not self.is_lost(DOWN):
            for writer in self.writers.values():
                writer.close()

    async def carry(self, way, reader):
        try:
            while frame := await read_frame(reader):
                await self.pass_on(way, frame)
                await asyncio.sleep(len(frame) / BYTES_PER_SECOND)
            if not self.is_lost(way):
                self.writers[way].write_eof()
        except OSError:
            self.reset()  # one side has gone in no good order: the other one learns it

    def is_lost(self, way):
        return way in self.lost or self.proxy.is_stalled

    async def pass_on(self, way, frame):
        if self.is_lost(way):
            return
        fault = self.fault
        is_due = (fault is not None and not self.proxy.is_spent() and way in fault.ways and
                  self.passed[way] + len(frame) > fault.at)
        changed = with_flipped_bit(frame, way, fault) if is_due and fault.kind in FLIPS else None
        if changed is not None or is_due and fault.kind in BREAKS:
            split = max(0, fault.at - self.passed[way])
            self.proxy.note(f"connection {self.number}: {fault.kind} {'+'.join(fault.ways)}, "
                            f"{way} after {self.passed[way] + split} bytes")
            await self.strike(way, frame[:split], frame[split:], changed)
            self.arm()
        else:
            self.passed[way] += len(frame)
            await self.send(way, frame)

    async def strike(self, way, head, tail, changed):
        fault = self.fault
        await self.send(way, head if changed is None else changed)
        if fault.kind == "cut":
            self.lost = set(BOTH)
            for writer in self.writers.values():
                writer.write_eof()
        elif fault.kind == "reset":
            self.reset()
        elif fault.kind == "swallow":
            self.lost |= set(fault.ways)
        elif fault.kind == "hold":
            await asyncio.sleep(fault.seconds)
            await self.send(way, tail)
        elif fault.kind == "slow":
            while tail:
                size = self.chance.randint(1, SLOW_BYTES)
                await self.send(way, tail[:size])
                tail = tail[size:]
                await asyncio.sleep(SLOW_SECONDS)

    def reset(self):
        self.lost = set(BOTH)
        for writer in self.writers.values():
            ends = writer.get_extra_info("socket")
            if ends.fileno() >= 0:
                ends.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def send(self, way, data):
        if data:
            self.writers[way].write(data)
            await self.writers[way].drain()


class FaultProxy:
    """Listens at once, at `port`; connects to `target` for each connection. Runs in a thread of
    its own until close()."""

    def __init__(self, seed=None):
        self.seed = seed or os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**9)
        print(f"FAULT_SEED={self.seed}", flush=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        self.kinds, self.wanted, self.fault = (), 0, None
        self.struck, self.links, self.is_stalled = [], [], False
        self.loop = asyncio.new_event_loop()
        self.over = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=[self.run()])
        self.thread.start()

    async def run(self):
        server = await asyncio.start_server(self.accept, sock=self.listener, limit=FRAME_BYTES_MAX)
        await self.over.wait()
        server.close()
        for link in self.links:
            link.reset()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        ends = [writer.wait_closed() for link in self.links for writer in link.writers.values()]
        await asyncio.gather(*ends, return_exceptions=True)

    async def accept(self, reader, writer):
        link = Link(self, len(self.links))
        self.links.append(link)
        try:
            broker = await asyncio.open_connection(*self.target, limit=FRAME_BYTES_MAX)
        except OSError:
            writer.close()
            return
        await link.live((reader, writer), broker)

    def note(self, what):
        self.struck.append(what)

    def is_spent(self):
        return len(self.struck) >= self.wanted

    def call(self, action):
        """Runs it in the loop; returns when it was done."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (action(), done.set()))
        done.wait()

    def begin(self, kinds, count, fault=None):
        """From now on, until so many have struck; also to connections that there are. With a fault
        nothing is drawn: it is that one."""
        def arm():
            self.kinds, self.wanted, self.fault = tuple(kinds), len(self.struck) + count, fault
            for link in self.links:
                link.arm()
        self.call(arm)

    def calm(self):
        """No more faults; what was swallowed stays away."""
        self.begin((), 0)

    def stall(self):
        """Nothing is passed on any more, and no connection ends."""
        self.is_stalled = True

    def resume(self):
        """New connections work again; what was connected before is reset."""
        def reset():
            self.is_stalled = False
            for link in self.links:
                link.reset()
        self.call(reset)

    def explanation(self):
        """What was done, for the message of a failure."""
        return f"FAULT_SEED={self.seed}\n" + "\n".join(self.struck[-50:]) + "\n"

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join()
        self.loop.close()


def behind(proxy, *arguments):
    """A cluster of one broker that names the proxy to its clients, started."""
    cluster = LocalCluster(
        "--set", f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy.port}", *arguments)
    proxy.target = ("127.0.0.1", cluster.port)
    return cluster.start()
