"""A broker that is silent for too long is fenced, and serves again by itself when it is back."""

import os
import signal
import unittest

import kafka
import prometheus
from local_cluster import LocalCluster, wait_until
from workers import Load, Worker, assert_all_there

TOPIC = "fenced"
FENCED = "millrace_controller_fenced_brokers"


class FencingTest(unittest.TestCase):

    def start(self, *arguments):
        cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=0",
                               "--set", "broker.session.timeout.ms=1500",
                               "--set", "broker.heartbeat.interval.ms=150", *arguments)
        self.addCleanup(cluster.close)
        return cluster.start()

    def wait_until_fenced(self, cluster, count):
        wait_until(lambda: prometheus.value(cluster, "controller-1", FENCED) == count,
                   f"not {count} brokers are fenced\n" + cluster.explanation())

    def test_a_broker_that_stood_still_is_fenced_comes_back_and_loses_nothing(self):
        cluster = self.start()
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            self.assertEqual(connection.create_topic(TOPIC), 0)
        member = kafka.GroupMember(kafka.Connection(*cluster.bootstrap[0]), "steady")
        self.addCleanup(member.connection.socket.close)
        wait_until(member.is_found, "no coordinator\n" + cluster.explanation())
        wait_until(lambda: member.join() == 0, "no group\n" + cluster.explanation())
        load, worker = Load(cluster, TOPIC), Worker(member, TOPIC, 0)
        self.addCleanup(load.stop)
        self.addCleanup(worker.stop)
        self.wait_for_progress(cluster, load, worker)
        self.wait_until_fenced(cluster, 0)
        broker = cluster.process_of("broker")
        for _ in range(2):
            os.kill(broker, signal.SIGSTOP)
            self.wait_until_fenced(cluster, 1)
            os.kill(broker, signal.SIGCONT)
            self.wait_until_fenced(cluster, 0)
            self.wait_for_progress(cluster, load, worker)
        self.assertEqual(cluster.process_of("broker"), broker, "it is another process")
        self.assertIn("the controllers have fenced this broker", cluster.log_of("broker"))
        load.stop()
        worker.stop()
        self.assertIsNone(worker.failure, cluster.explanation())
        self.assertLessEqual(worker.errors, kafka.COORDINATOR_NOT_READY, cluster.explanation())
        self.assertEqual(member.heartbeat(), 0, "a rebalance\n" + cluster.explanation())
        self.assertGreaterEqual(member.committed(TOPIC)[1], worker.confirmed)
        assert_all_there(self, cluster, TOPIC, load.acknowledged)
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    def wait_for_progress(self, cluster, load, worker):
        records, commits = len(load.acknowledged), worker.confirmed
        wait_until(lambda: worker.failure or (len(load.acknowledged) > records + 100 and
                                              worker.confirmed > commits + 10),
                   f"clients do not get on: {worker.errors}\n" + cluster.explanation())
        self.assertIsNone(worker.failure, cluster.explanation())


if __name__ == "__main__":
    unittest.main()
