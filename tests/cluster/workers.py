"""Clients that go on until they are told to stop, whatever is done to the cluster meanwhile."""

import threading
import time

import kafka
from local_cluster import wait_until


class Load:
    """Produces, through restarts; remembers what was acknowledged."""

    def __init__(self, cluster, topic):
        self.cluster = cluster
        self.topic = topic
        self.acknowledged = {}
        self.is_stopped = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        number = 0
        while not self.is_stopped:
            try:
                with kafka.Connection(*self.cluster.bootstrap[0]) as connection:
                    while not self.is_stopped:
                        number += 1
                        value = b"%d" % number
                        error, offset = connection.produce(self.topic, 0, [value])
                        if error == 0:
                            self.acknowledged[offset] = value
            except OSError:
                time.sleep(0.01)

    def stop(self):
        self.is_stopped = True
        self.thread.join()


class Worker:
    """A member that commits and sends heartbeats."""

    def __init__(self, member, topic, partition):
        self.member, self.topic, self.partition = member, topic, partition
        self.tried = self.confirmed = 0
        self.errors = set()
        self.failure = None
        self.is_stopped = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.is_stopped:
                self.tried += 1
                error = self.member.commit(self.topic, self.tried, self.partition)
                if error == 0:
                    self.confirmed = self.tried
                self.errors |= {error, self.member.heartbeat()} - {0}
                time.sleep(0.01)
        except OSError as error:
            self.failure = error

    def stop(self):
        self.is_stopped = True
        self.thread.join()


def gather(cluster, members):
    """Returns when all are in one generation of their group. Each has a connection of its own: a
    join waits for others, and so each goes on asking whether it has to join again."""
    generations = {}

    def are_together():
        return len(generations) == len(members) and len(set(generations.values())) == 1

    def take_part(member):
        try:
            while not is_over.is_set():
                if member.generation < 0 or member.heartbeat() != 0:
                    generations.pop(member, None)
                    if member.join() == 0:
                        continue
                    member.generation = -1
                else:
                    generations[member] = member.generation
                time.sleep(0.01)
        except OSError:
            generations.pop(member, None)

    is_over = threading.Event()
    threads = [threading.Thread(target=take_part, args=[member]) for member in members]
    for thread in threads:
        thread.start()
    try:
        wait_until(are_together, "the group does not come to rest\n" + cluster.explanation())
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def assert_all_there(test, cluster, topic, acknowledged):
    """Every record that was acknowledged is at its offset with its value."""
    found = {}
    with kafka.Connection(*cluster.bootstrap[0]) as connection:
        while not found or max(acknowledged) > max(found):
            error, values = connection.fetch(topic, 0, max(found, default=-1) + 1)
            test.assertIn(error, {0, *kafka.NOT_READY}, cluster.explanation())
            found.update(values)
    for offset, value in acknowledged.items():
        test.assertEqual(found.get(offset), value, f"at offset {offset}")
