"""What the fault proxy does to a connection, seen from both of its ends."""

import socket
import struct
import unittest

import kafka
from fault_proxy import BOTH, BREAKS, DOWN, FLIPS, UP, Fault, FaultProxy, batches_in

SOON_SECONDS, PATIENCE_SECONDS = 0.3, 30
FRAME = struct.pack(">ihhi", 108, kafka.PRODUCE, 7, 5) + bytes(range(100))


class FaultProxyTest(unittest.TestCase):

    def setUp(self):
        self.broker_listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.broker_listener.close)
        self.proxy = FaultProxy(seed=1)
        self.addCleanup(self.proxy.close)
        self.proxy.target = self.broker_listener.getsockname()

    def connect(self, fault=None):
        """The two ends; the fault is the only one."""
        if fault:
            self.proxy.begin([fault.kind], 1, fault)
        client = socket.create_connection(("127.0.0.1", self.proxy.port), PATIENCE_SECONDS)
        broker, _ = self.broker_listener.accept()
        broker.settimeout(PATIENCE_SECONDS)
        for end in (client, broker):
            self.addCleanup(end.close)
        return client, broker

    @staticmethod
    def take(end, count):
        data = b""
        while len(data) < count and (piece := end.recv(count - len(data))):
            data += piece
        return data

    def expect_silence(self, end):
        end.settimeout(SOON_SECONDS)
        with self.assertRaises(TimeoutError):
            end.recv(1)
        end.settimeout(PATIENCE_SECONDS)

    def test_passes_frames_and_ends_on_while_nothing_is_asked_for(self):
        client, broker = self.connect()
        for sender, receiver in ((client, broker), (broker, client)):
            sender.sendall(FRAME * 3)
            self.assertEqual(self.take(receiver, 3 * len(FRAME)), FRAME * 3)
        client.sendall(FRAME[:50])
        client.close()
        self.assertEqual(self.take(broker, 100), FRAME[:50])
        self.assertEqual(self.proxy.struck, [])

    def test_cuts_at_the_byte(self):
        client, broker = self.connect(Fault("cut", (UP,), len(FRAME) + 7))
        client.sendall(FRAME * 2)
        self.assertEqual(self.take(broker, 1000), FRAME + FRAME[:7])
        self.assertEqual(client.recv(1), b"")

    def test_resets_both_ends(self):
        client, broker = self.connect(Fault("reset", (DOWN,), 7))
        broker.sendall(FRAME)
        with self.assertRaises(ConnectionResetError):
            self.take(client, 1000)
        with self.assertRaises(ConnectionResetError):
            broker.recv(1)

    def test_swallows_without_an_end(self):
        for ways in ((UP,), (DOWN,), BOTH):
            client, broker = self.connect(Fault("swallow", ways, 7))
            for way, sender, receiver in ((DOWN, broker, client), (UP, client, broker)):
                with self.subTest(ways=ways, way=way):
                    # What strikes first takes both ways.
                    before = 0 if self.proxy.is_spent() else 7
                    sender.sendall(FRAME)
                    if way in ways:
                        self.assertEqual(self.take(receiver, before), FRAME[:before])
                        sender.sendall(FRAME)
                        sender.shutdown(socket.SHUT_WR)
                        self.expect_silence(receiver)
                    else:
                        self.assertEqual(self.take(receiver, len(FRAME)), FRAME)

    def test_slow_and_late_bytes_all_come(self):
        for kind in ("slow", "hold"):
            client, broker = self.connect(Fault(kind, (UP,), 7, seconds=0.1))
            client.sendall(FRAME * 2)
            self.assertEqual(self.take(broker, 2 * len(FRAME)), FRAME * 2)
            self.assertTrue(self.proxy.is_spent())

    def test_flips_one_bit_of_what_is_named(self):
        batch = kafka.record_batch([b"one", b"two"])
        frame = struct.pack(">ihhi", 8 + 20 + len(batch), 0, 7, 5) + b"\2" * 20 + batch
        [(checksum, end)] = batches_in(frame)
        self.assertEqual(frame[checksum + 4:end], batch[21:])
        for kind, way, first, last in (("flipped length", UP, 0, 4),
                                       ("flipped length", DOWN, 0, 4),
                                       ("flipped correlation id", UP, 8, 12),
                                       ("flipped correlation id", DOWN, 4, 8),
                                       ("flipped records", UP, checksum, end)):
            for bit in (0, 31, 12345):
                with self.subTest(kind=kind, way=way, bit=bit):
                    client, broker = self.connect(Fault(kind, (way,), 0, bit=bit))
                    sender, receiver = (client, broker) if way == UP else (broker, client)
                    sender.sendall(frame)
                    got = self.take(receiver, len(frame))
                    differing = [at for at in range(len(frame)) if frame[at] != got[at]]
                    self.assertEqual(len(differing), 1)
                    self.assertTrue(first <= differing[0] < last, differing)
                    changed = frame[differing[0]] ^ got[differing[0]]
                    self.assertEqual(changed & (changed - 1), 0, "more than one bit")

    def test_frames_without_records_are_left_until_one_has_them(self):
        client, broker = self.connect(Fault("flipped records", (UP,), 0))
        client.sendall(FRAME)
        self.assertEqual(self.take(broker, len(FRAME)), FRAME)
        self.assertFalse(self.proxy.is_spent())

    def test_a_seed_says_what_comes(self):
        def drawn(seed):
            proxy = FaultProxy(seed)
            proxy.target = self.proxy.target
            proxy.begin(BREAKS + FLIPS, 1)
            with socket.create_connection(("127.0.0.1", proxy.port)):
                self.broker_listener.accept()[0].close()
                fault = proxy.links[0].fault
            proxy.close()
            return fault
        self.assertEqual(drawn(7), drawn(7))
        self.assertEqual(len({drawn(seed) for seed in range(10)}), 10)


if __name__ == "__main__":
    unittest.main()
