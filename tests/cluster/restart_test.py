"""What a cluster was told outlives its processes: settings, ids, offsets, groups, producers."""

import struct
import time
import unittest

import kafka
import kafka_admin
from local_cluster import LocalCluster, wait_until
from workers import gather

TOPIC, GROUP, BARE_GROUP, STATIC_GROUP = "kept", "kept-group", "kept-bare-group", "kept-static"
OFFSET_OUT_OF_RANGE, OUT_OF_ORDER_SEQUENCE = 1, 45
# Within the retention of the topic, whatever the clock says of the batches' timestamps.
TOPIC_SETTINGS = (("retention.ms", "-1"), ("max.message.bytes", "654321"))
BATCHES = 5


def join_static(connection, group, instance):
    """(error code, generation, member) of a static member that joins, and syncs if it leads."""
    session = struct.pack(">ii", 30_000, 30_000)
    name = kafka.text(group)
    answer = connection.ask(
        kafka.JOIN_GROUP, 5, name + session + kafka.text("") + kafka.text(instance) +
        kafka.text("consumer") + struct.pack(">i", 1) + kafka.text("range") +
        struct.pack(">i", 4) + b"meta")
    _, error, generation = answer.take("ihi")
    answer.text()
    leader, member = answer.text(), answer.text()
    if error == 0:
        rows = struct.pack(">i", 0)
        if leader == member:
            rows = struct.pack(">i", 1) + kafka.text(member) + struct.pack(">i", 4) + b"mine"
        answer = connection.ask(
            kafka.SYNC_GROUP, 3, name + struct.pack(">i", generation) + kafka.text(member) +
            kafka.text(instance) + rows)
        error = answer.take("ih")[1]
    return error, generation, member


class RestartTest(unittest.TestCase):

    def setUp(self):
        self.cluster = LocalCluster("--set", "group.initial.rebalance.delay.ms=0")
        self.addCleanup(self.cluster.close)
        self.cluster.start()

    def connect(self):
        connection = kafka.Connection(*self.cluster.bootstrap[0])
        self.addCleanup(connection.socket.close)
        return connection

    def succeeds(self, ask, what):
        """Asks until the answer is no error of a start."""
        errors = []

        def is_answered():
            errors.append(ask())
            return errors[-1] not in kafka.NOT_READY | kafka.COORDINATOR_NOT_READY
        wait_until(is_answered, f"{what}: {set(errors)}\n" + self.cluster.explanation())
        self.assertEqual(errors[-1], 0, f"{what}\n" + self.cluster.explanation())

    def produce(self, connection, producer, sequence):
        """(error code, offset) of a batch of one record."""
        records = kafka.records_of([b"sequence %d" % sequence])
        # Of now: an old one would have its producer forgotten at the next start.
        batch = kafka.batch_around(records, 1, producer=(*producer, sequence),
                                   time_ms=int(time.time() * 1000))
        return connection.produce_batch(TOPIC, 0, batch)

    def restart(self):
        self.assertEqual(self.cluster.stop(), 0, self.cluster.explanation())
        self.cluster.start()

    def kill_all(self):
        self.cluster.kill_all()
        self.cluster.start()

    # --- What is there, as clients see it ---

    def facts(self):
        connection = self.connect()
        self.succeeds(lambda: connection.look_for_topic(TOPIC), "the topic")
        return {
            "cluster and topics": kafka_admin.cluster(connection, [TOPIC]),
            "settings of the topic": kafka_admin.settings(connection, kafka.TOPIC, TOPIC),
            "settings of the broker": kafka_admin.settings(connection, kafka.BROKER, "1"),
            "settings of all brokers": kafka_admin.settings(connection, kafka.BROKER, ""),
        }

    def test_settings_and_ids_are_the_same_after_a_stop_and_after_a_kill(self):
        connection = self.connect()
        self.assertEqual(connection.create_topic(TOPIC, 3, TOPIC_SETTINGS), 0)
        self.assertEqual(connection.alter_config(kafka.BROKER, "1", "max.connections", "777"), 0)
        self.assertEqual(connection.alter_config(kafka.BROKER, "", "log.retention.ms", "86400000"),
                         0)
        before = self.facts()
        self.assertEqual(before["settings of the topic"],
                         {name: (value, 1) for name, value in TOPIC_SETTINGS})
        self.assertEqual(before["settings of the broker"]["max.connections"], ("777", 2))
        self.assertEqual(before["settings of all brokers"]["log.retention.ms"], ("86400000", 3))
        for again in (self.restart, self.kill_all, self.restart):
            again()
            self.assertEqual(self.facts(), before, f"after {again.__name__}")

    def test_a_producer_goes_on_with_its_sequence_and_ids_are_given_once(self):
        connection = self.connect()
        self.assertEqual(connection.create_topic(TOPIC, 1, TOPIC_SETTINGS), 0)
        given = []

        def new_id():
            error, number, epoch = kafka_admin.producer_id(connection)
            if error == 0:
                given.append((number, epoch))
            return error

        for _ in range(3):
            self.succeeds(new_id, "an id")
        producer = given[0]
        self.succeeds(lambda: self.produce(connection, producer, 0)[0], "the first batch")
        for sequence in range(1, BATCHES):
            self.assertEqual(self.produce(connection, producer, sequence), (0, sequence))
        sequence = BATCHES
        for again in (self.restart, self.kill_all):
            again()
            connection = self.connect()
            # Its last batch once more, as if the answer was lost: it is there once.
            self.succeeds(lambda: self.produce(connection, producer, sequence - 1)[0], "again")
            self.assertEqual(self.produce(connection, producer, sequence - 1), (0, sequence - 1))
            self.assertEqual(self.produce(connection, producer, sequence + 1)[0],
                             OUT_OF_ORDER_SEQUENCE, "a batch is missing")
            self.assertEqual(self.produce(connection, producer, sequence), (0, sequence))
            sequence += 1
            for _ in range(3):
                self.succeeds(new_id, "an id")
        self.assertEqual(len(set(number for number, _ in given)), 9, given)
        self.assertEqual([offset for offset, _ in connection.fetch(TOPIC, 0, 0)[1]],
                         list(range(sequence)))

    def test_deleted_records_stay_deleted_after_a_stop(self):
        connection = self.connect()
        self.assertEqual(connection.create_topic(TOPIC, 2, TOPIC_SETTINGS), 0)
        for partition in range(2):
            self.succeeds(lambda: connection.produce(TOPIC, partition, [b"x"] * 10)[0], "records")
        self.assertEqual(kafka_admin.delete_records(connection, TOPIC, 0, 4), (0, 4))
        self.assertEqual(kafka_admin.delete_records(connection, TOPIC, 1, -1), (0, 10))
        for _ in range(2):
            self.restart()
            connection = self.connect()
            self.succeeds(lambda: connection.earliest(TOPIC, 0)[0], "the topic")
            self.assertEqual(connection.earliest(TOPIC, 0), (0, 4))
            self.assertEqual(connection.earliest(TOPIC, 1), (0, 10))
            self.assertEqual(connection.fetch(TOPIC, 0, 3)[0], OFFSET_OUT_OF_RANGE)
            self.assertEqual(connection.fetch(TOPIC, 0, 4)[1][-1], (9, b"x"))
        self.assertEqual(connection.produce(TOPIC, 1, [b"after"]), (0, 10))

    def test_groups_go_on_with_their_members_generations_and_commits(self):
        connection = self.connect()
        self.assertEqual(connection.create_topic(TOPIC, 2, TOPIC_SETTINGS), 0)
        self.succeeds(lambda: connection.fetch(TOPIC, 0, 0)[0], "the topic")
        members = [self.member(GROUP), self.member(GROUP)]
        gather(self.cluster, members)
        # It has no members, as those that assign partitions by hand.
        bare = self.member(BARE_GROUP)
        error, static_generation, static_id = join_static(connection, STATIC_GROUP, "instance")
        self.assertEqual(error, 0, self.cluster.explanation())
        described = {group: kafka_admin.describe_group(connection, group)
                     for group in (GROUP, STATIC_GROUP)}
        self.assertEqual([found[1] for found in described.values()], ["Stable"] * 2)
        offset = 0
        for again in (self.restart, self.kill_all, self.restart):
            offset += 100
            for number, member in enumerate(members):
                self.succeeds(lambda: member.commit(TOPIC, offset + number, number), "a commit")
            self.succeeds(lambda: bare.commit(TOPIC, offset), "a commit of nobody")
            again()
            connection = self.connect()
            for member in (*members, bare):
                member.connection = self.connect()
            for number, member in enumerate(members):
                self.succeeds(lambda: member.committed(TOPIC, number)[0], "a group")
                self.assertEqual(member.committed(TOPIC, number), (0, offset + number))
                self.assertEqual(member.heartbeat(), 0, "the generation has ended\n" +
                                 self.cluster.explanation())
            self.succeeds(lambda: bare.committed(TOPIC)[0], "a group of nobody")
            self.assertEqual(bare.committed(TOPIC), (0, offset))
            for group, found in described.items():
                self.assertEqual(kafka_admin.describe_group(connection, group), found,
                                 f"after {again.__name__}")
        # A static member that ended with the cluster takes its place without a rebalance.
        error, generation, member = join_static(connection, STATIC_GROUP, "instance")
        self.assertEqual((error, generation), (0, static_generation))
        self.assertNotEqual(member, static_id)
        # And who is new is let in by those who stayed.
        members.append(self.member(GROUP))
        gather(self.cluster, members)
        self.assertEqual(members[0].committed(TOPIC), (0, offset))

    def member(self, group):
        member = kafka.GroupMember(self.connect(), group)
        wait_until(member.is_found, "no coordinator\n" + self.cluster.explanation())
        return member


if __name__ == "__main__":
    unittest.main()
