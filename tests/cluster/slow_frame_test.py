"""A frame that comes byte by byte without an end is given up after two minutes, and nobody else
feels it meanwhile. Takes as long, and so runs in `./dev test nightly`; unit tests prove the same on
a simulated clock."""

import socket
import struct
import time
import unittest

import kafka
from local_cluster import LocalCluster, wait_until

TOPIC = "undisturbed"
FRAME_BYTES = 1 << 20
LIMIT_SECONDS, PATIENCE_SECONDS = 120, 600


class SlowFrameTest(unittest.TestCase):

    def test_a_frame_that_never_ends_is_given_up_beside_a_healthy_client(self):
        cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=0")
        self.addCleanup(cluster.close)
        cluster.start()
        with kafka.Connection(*cluster.bootstrap[0]) as healthy:
            self.assertEqual(healthy.create_topic(TOPIC), 0)
            wait_until(lambda: healthy.produce(TOPIC, 0, [b"first"])[0] == 0, cluster.explanation())
            member = kafka.GroupMember(healthy, "undisturbed-group")
            self.assertEqual(member.join(), 0, cluster.explanation())
            with socket.create_connection(cluster.bootstrap[0]) as slow:
                address = "{}:{}".format(*slow.getsockname())
                began = time.monotonic()
                slow.sendall(struct.pack(">ihhi", FRAME_BYTES, kafka.PRODUCE, 7, 1))
                while self.takes_a_byte(slow):
                    self.assertLess(time.monotonic() - began, PATIENCE_SECONDS)
                    error, offset = healthy.produce(TOPIC, 0, [b"healthy"])
                    self.assertEqual(error, 0, cluster.explanation())
                    self.assertEqual(member.commit(TOPIC, offset), 0, cluster.explanation())
                    self.assertEqual(member.heartbeat(), 0, cluster.explanation())
                self.assertGreaterEqual(time.monotonic() - began, LIMIT_SECONDS)
        wait_until(lambda: any(address in line and "frame_timeout" in line
                               for line in cluster.log_of("broker").splitlines()),
                   f"no line names {address}\n" + cluster.explanation())
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    @staticmethod
    def takes_a_byte(slow):
        """Whether the connection is still open a second after another byte."""
        slow.settimeout(1)
        try:
            slow.sendall(b"\0")
            return slow.recv(1) != b""
        except TimeoutError:
            return True
        except ConnectionError:
            return False


if __name__ == "__main__":
    unittest.main()
