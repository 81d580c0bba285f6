"""Orderly stops: beside a controller that stands still, and for those who ask more than once."""

import os
import pathlib
import signal
import struct
import threading
import unittest

import kafka
from local_cluster import LocalCluster, wait_until


def stands_still(process):
    """Whether it is there, and stopped by a signal."""
    state = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return state.rpartition(")")[2].split()[0] == "T"


class StopsTest(unittest.TestCase):

    def start(self, *arguments):
        cluster = LocalCluster(*arguments)
        self.addCleanup(cluster.close)
        return cluster.start()

    def create(self, cluster, topic):
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            self.assertEqual(connection.create_topic(topic), 0, cluster.explanation())
            wait_until(lambda: connection.produce(topic, 0, [b"kept"])[0] == 0,
                       f"{topic} does not come to life\n" + cluster.explanation())

    @staticmethod
    def is_kept(cluster):
        try:
            with kafka.Connection(*cluster.bootstrap[0]) as connection:
                return dict(connection.fetch("kept", 0, 0)[1]) == {0: b"kept"}
        except OSError:
            return False  # the broker starts

    def log_of(self, cluster, service):
        path = cluster.directory / f"data/logs/{service}-1.log"
        return path.read_text(encoding="utf-8")

    def assert_stopped_in_order(self, cluster, service):
        after = self.log_of(cluster, service).rpartition("asks to stop")[2]
        self.assertRegex(after, "stopped", cluster.explanation())
        self.assertNotIn("did not stop in time", after)

    def test_a_broker_stops_in_order_while_its_controller_stands_still(self):
        cluster = self.start()
        self.create(cluster, "kept")
        controller = cluster.process_of("controller")
        broker = cluster.process_of("broker")
        os.kill(controller, signal.SIGSTOP)
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            # A request that only the controller can answer is under way.
            body = (struct.pack(">i", 1) + kafka.text("late") + struct.pack(">ihii", 1, 1, 0, 0)
                    + struct.pack(">ib", 600_000, 0))
            frame = struct.pack(">hhi", kafka.CREATE_TOPICS, 2, 1) + kafka.text("waits") + body
            connection.socket.sendall(struct.pack(">i", len(frame)) + frame)
            os.kill(broker, signal.SIGTERM)
            wait_until(lambda: cluster.process_of("broker") != broker, cluster.explanation())
        self.assertTrue(stands_still(controller))
        wait_until(lambda: "broker-1 ended with exit code 0" in "".join(cluster.errors),
                   cluster.explanation())
        self.assert_stopped_in_order(cluster, "broker")
        # The next broker asks the controller first, and so has not taken it away.
        marker = cluster.directory / "data/broker-1/log/.kafka_cleanshutdown"
        self.assertTrue(marker.exists(), cluster.explanation())
        os.kill(controller, signal.SIGCONT)
        wait_until(lambda: self.is_kept(cluster), "the record is lost\n" + cluster.explanation())

    def test_a_cluster_stops_in_order_though_its_processes_stand_still(self):
        cluster = self.start()
        self.create(cluster, "kept")
        for service in ("controller", "coordinator"):
            os.kill(cluster.process_of(service), signal.SIGSTOP)
        self.assertEqual(cluster.stop(), 0, cluster.explanation())
        for service in ("coordinator", "broker", "controller"):
            self.assert_stopped_in_order(cluster, service)

    def test_who_asks_a_cluster_to_stop_again_and_again_gets_an_orderly_stop(self):
        cluster = self.start()
        self.create(cluster, "kept")
        numbers = [cluster.process.pid,
                   *(cluster.process_of(name) for name in ("coordinator", "broker", "controller"))]
        processes = [os.pidfd_open(number) for number in numbers]
        is_over = threading.Event()

        def ask_all():
            while not is_over.wait(0.001):
                for process in processes:
                    try:
                        signal.pidfd_send_signal(process, signal.SIGTERM)
                    except ProcessLookupError:
                        pass  # it has stopped
        asking = threading.Thread(target=ask_all)
        asking.start()
        try:
            code = cluster.process.wait()
        finally:
            is_over.set()
            asking.join()
            for process in processes:
                os.close(process)
        self.assertEqual(code, 0, cluster.explanation())
        for service in ("coordinator", "broker", "controller"):
            self.assert_stopped_in_order(cluster, service)
        marker = cluster.directory / "data/broker-1/log/.kafka_cleanshutdown"
        self.assertTrue(marker.exists(), cluster.explanation())


if __name__ == "__main__":
    unittest.main()
