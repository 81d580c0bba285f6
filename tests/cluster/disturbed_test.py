"""Clusters that are stopped under load, stand still for a while, or start in a bad place."""

import os
import shutil
import signal
import struct
import threading
import time
import unittest

import kafka
from local_cluster import LocalCluster, wait_until
from workers import Load, Worker, assert_all_there, gather

STORAGE_ERROR = 56
MEMBERS = 10
STANDSTILL_SECONDS = 4


class DisturbedTest(unittest.TestCase):

    def start(self, *arguments):
        cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=100", *arguments)
        self.addCleanup(cluster.close)
        return cluster.start()

    def connect(self, cluster):
        connection = kafka.Connection(*cluster.bootstrap[0])
        self.addCleanup(connection.socket.close)
        return connection

    def create(self, cluster, topic, partitions=1):
        connection = self.connect(cluster)
        self.assertEqual(connection.create_topic(topic, partitions), 0, cluster.explanation())
        wait_until(lambda: connection.fetch(topic, 0, 0)[0] == 0,
                   f"{topic} does not come to life\n" + cluster.explanation())

    def member_of(self, cluster, group):
        member = kafka.GroupMember(self.connect(cluster), group)
        wait_until(member.is_found, "no coordinator\n" + cluster.explanation())
        return member

    def test_a_stop_under_load_is_clean_and_loses_nothing(self):
        cluster = self.start()
        self.create(cluster, "loaded")
        load = Load(cluster, "loaded")
        self.addCleanup(load.stop)
        for round_number in range(2):
            # One fetch and one member wait, far longer than a stop may take.
            waiting = self.connect(cluster)
            body = struct.pack(">iiiibi", -1, 600_000, 1 << 30, 1 << 20, 0, 1)
            waiting.socket.sendall(self.framed(
                kafka.FETCH, 4, body + kafka.text("loaded") + struct.pack(">iiqi", 1, 0, 0, 1)))
            group = f"waits-{round_number}"
            first, second = (self.member_of(cluster, group) for _ in range(2))
            wait_until(lambda member=first: member.join() == 0, "no group")
            joining = threading.Thread(target=self.join_until_closed, args=[second])
            joining.start()
            before = len(load.acknowledged)
            wait_until(lambda count=before: len(load.acknowledged) > count + 100, "no load")
            self.assertEqual(cluster.stop(), 0, cluster.explanation())
            joining.join()
            cluster.start()
        load.stop()
        assert_all_there(self, cluster, "loaded", load.acknowledged)

    @staticmethod
    def framed(api, version, body):
        frame = struct.pack(">hhi", api, version, 1) + kafka.text("waits") + body
        return struct.pack(">i", len(frame)) + frame

    @staticmethod
    def join_until_closed(member):
        try:
            member.join()
        except OSError:
            pass  # the broker stops

    def test_a_coordinator_that_stands_still_costs_no_group_its_members_or_commits(self):
        def stand_still(cluster):
            process = cluster.process_of("coordinator")
            os.kill(process, signal.SIGSTOP)
            time.sleep(STANDSTILL_SECONDS)
            os.kill(process, signal.SIGCONT)
            self.assertEqual(cluster.process_of("coordinator"), process)
        told = self.disturb_a_group(stand_still)
        self.assertIn(kafka.COORDINATOR_NOT_AVAILABLE, told, "nobody noticed that it stood still")

    def test_a_coordinator_that_is_killed_costs_no_group_its_members_or_commits(self):
        def kill(cluster):
            for _ in range(3):
                before = cluster.process_of("coordinator")
                cluster.kill("coordinator")
                self.assertNotEqual(cluster.process_of("coordinator"), before)
        self.disturb_a_group(kill)

    def disturb_a_group(self, disturb):
        """Ten members work, each with a partition of its own, while that is done to the cluster.
        Gives all the errors that they were told."""
        cluster = self.start()
        self.create(cluster, "followed", MEMBERS)
        members = [self.member_of(cluster, "steady") for _ in range(MEMBERS)]
        gather(cluster, members)
        generations = {member.generation for member in members}
        self.assertEqual(len(generations), 1)
        workers = [Worker(member, "followed", number) for number, member in enumerate(members)]
        self.addCleanup(lambda: [worker.stop() for worker in workers])
        self.wait_for_commits(cluster, workers)
        disturb(cluster)
        self.wait_for_commits(cluster, workers)
        for worker in workers:
            worker.stop()
        told = set().union(*(worker.errors for worker in workers))
        self.assertLessEqual(told, kafka.COORDINATOR_NOT_READY, cluster.explanation())
        for number, (member, worker) in enumerate(zip(members, workers)):
            self.assertEqual(member.heartbeat(), 0, "a rebalance\n" + cluster.explanation())
            error, offset = member.committed("followed", number)
            self.assertEqual(error, 0, cluster.explanation())
            self.assertGreaterEqual(offset, worker.confirmed, cluster.explanation())
            self.assertLessEqual(offset, worker.tried, cluster.explanation())
        return told

    def wait_for_commits(self, cluster, workers):
        """Each has some more of them confirmed, and no member has come to an end."""
        before = [worker.confirmed for worker in workers]
        wait_until(lambda: all(worker.failure or worker.confirmed > count + 10
                               for worker, count in zip(workers, before)),
                   "a member does not get on\n" + cluster.explanation())
        self.assertEqual([worker.failure for worker in workers if worker.failure], [],
                         cluster.explanation())

    def test_a_full_disk_refuses_records_says_so_and_keeps_groups_going(self):
        cluster = self.start("--set", f"millrace.disk.reserve.bytes={1 << 62}")
        self.create(cluster, "refused")
        connection = self.connect(cluster)
        self.assertEqual(connection.produce("refused", 0, [b"x"])[0], STORAGE_ERROR)
        host, port = connection.socket.getsockname()
        wait_until(lambda: any(f"{host}:{port}" in line and "millrace.disk.reserve.bytes" in line
                               for line in cluster.explanation().splitlines()),
                   "nobody is told why\n" + cluster.explanation())
        member = self.member_of(cluster, "goes-on")
        wait_until(lambda: member.join() == 0, "no group\n" + cluster.explanation())
        self.assertEqual(member.commit("refused", 7), 0, cluster.explanation())
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    def test_a_directory_of_another_cluster_is_refused_and_left_alone(self):
        first, second = self.start(), self.start()
        for cluster in (first, second):
            self.assertEqual(cluster.stop(), 0, cluster.explanation())
        place = first.directory / "data/broker-1/log"
        shutil.rmtree(place)
        shutil.copytree(second.directory / "data/broker-1/log", place)
        before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        with self.assertRaisesRegex(AssertionError, "belongs to the cluster"):
            first.start()
        after = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_a_file_where_a_directory_should_be_is_told_of(self):
        cluster = self.start()
        self.assertEqual(cluster.stop(), 0, cluster.explanation())
        place = cluster.directory / "data/broker-1/log"
        shutil.rmtree(place)
        place.write_bytes(b"")
        with self.assertRaisesRegex(AssertionError, "is not a directory"):
            cluster.start()


if __name__ == "__main__":
    unittest.main()
