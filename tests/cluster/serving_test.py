"""Real processes under `millrace local`: produced and fetched, through restarts and kills."""

import unittest

import kafka
from local_cluster import LocalCluster, wait_until


class ServingTest(unittest.TestCase):

    def start(self, *arguments):
        cluster = LocalCluster(*arguments)
        self.addCleanup(cluster.close)
        return cluster.start()

    def connect(self, cluster):
        return kafka.Connection(*cluster.bootstrap[0])

    def produce(self, cluster, topic, values):
        """Produces until the broker takes it; gives the offset."""
        outcome = []

        def is_taken():
            try:
                with self.connect(cluster) as connection:
                    outcome[:] = connection.produce(topic, 0, values)
            except OSError:
                return False
            return outcome[0] not in kafka.NOT_READY

        wait_until(is_taken, f"{topic} was not written to: {outcome}\n" + cluster.explanation())
        self.assertEqual(outcome[0], 0, cluster.explanation())
        return outcome[1]

    def fetch(self, cluster, topic, offset=0):
        """Fetches until the broker gives something."""
        outcome = []

        def is_given():
            try:
                with self.connect(cluster) as connection:
                    outcome[:] = connection.fetch(topic, 0, offset)
            except OSError:
                return False
            return outcome[0] == 0 and outcome[1]

        wait_until(is_given, f"{topic} was not read: {outcome}\n" + cluster.explanation())
        return outcome[1]

    def create(self, cluster, topic):
        with self.connect(cluster) as connection:
            self.assertEqual(connection.create_topic(topic), 0, cluster.explanation())

    def test_gives_back_what_was_produced_and_stops_cleanly(self):
        cluster = self.start()
        with self.connect(cluster) as connection:
            versions = connection.api_versions()
            for api in (kafka.PRODUCE, kafka.FETCH, kafka.METADATA, kafka.CREATE_TOPICS):
                self.assertIn(api, versions)
            self.assertEqual(connection.brokers(), {1: ("127.0.0.1", cluster.port)})
        self.create(cluster, "greetings")
        self.assertEqual(self.produce(cluster, "greetings", [b"hello", b"world"]), 0)
        self.assertEqual(self.produce(cluster, "greetings", [b"again"]), 2)
        self.assertEqual(self.fetch(cluster, "greetings"),
                         [(0, b"hello"), (1, b"world"), (2, b"again")])
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    def test_reads_and_writes_files_as_it_is_told_and_says_how(self):
        for setting, says in (("threads", r"file I/O: thread_pool, as configured"),
                              ("auto", r"file I/O: (io_uring, which|thread_pool, for)")):
            with self.subTest(setting):
                cluster = self.start("--set", f"millrace.file.io={setting}")
                for service in ("broker", "controller"):
                    self.assertRegex(cluster.log_of(service), says)
                self.create(cluster, "files")
                self.produce(cluster, "files", [b"written"])
                cluster.kill("broker")
                self.assertEqual(self.fetch(cluster, "files"), [(0, b"written")])
                self.assertEqual(cluster.stop(), 0, cluster.explanation())

    def test_keeps_everything_through_a_restart(self):
        cluster = self.start()
        self.create(cluster, "kept")
        self.produce(cluster, "kept", [b"before"])
        self.assertEqual(cluster.stop(), 0, cluster.explanation())
        cluster.start()
        self.assertEqual(self.fetch(cluster, "kept"), [(0, b"before")])
        self.assertEqual(self.produce(cluster, "kept", [b"after"]), 1)

    def test_loses_nothing_acknowledged_when_a_process_is_killed(self):
        cluster = self.start()
        self.create(cluster, "killed")
        expected = []
        for service in ("broker", "controller", "coordinator", "broker"):
            value = f"before the kill of {service} {len(expected)}".encode()
            expected.append((self.produce(cluster, "killed", [value]), value))
            cluster.kill(service)
            value = f"after the kill of {service} {len(expected)}".encode()
            expected.append((self.produce(cluster, "killed", [value]), value))
            found = self.fetch(cluster, "killed")
            for record in expected:
                self.assertIn(record, found, f"after the kill of {service}")


if __name__ == "__main__":
    unittest.main()
