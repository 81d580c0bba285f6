"""Log directories that are unreadable, full, or in use: they are named, and the others go on."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import kafka
import prometheus
from local_cluster import PATIENCE_SECONDS, PROGRAMS, LocalCluster, wait_until
from ports import free_port

TOPIC, PARTITIONS = "spread", 6
STORAGE_ERROR, LEADER_NOT_AVAILABLE = 56, 5
TIMED_OUT, ALREADY_THERE = 7, 36
MANY = 500  # partitions: what is written of them is not a page that was begun before
SMALL_DISK_BYTES = 16 << 20
METADATA_DISK_BYTES = 64 << 20  # the reserve is a quarter of it
PIECE = b"x" * 100_000
# Root may read everything, but not without these.
RIGHTS = "-dac_override,-dac_read_search"
AS_OTHERS = (("setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}")
             if os.geteuid() == 0 else ())
MOUNTS = (("unshare", "--mount", "--propagation", "unchanged")
          + (() if os.geteuid() == 0 else ("--map-root-user",)))
# What is mounted at $2 is seen by nobody else. Under chroot there may be no mount at / to say that
# of: then the folder becomes one of its own, which others may see.
SMALL_DISK = '''{ mount --make-rslave / 2>/dev/null ||
  { mount --bind "$2" "$2" && mount --make-private "$2"; }; } &&
mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'''


class DirectoriesTest(unittest.TestCase):

    def cluster(self, *arguments, under=()):
        """With two log directories, first and second, not started."""
        cluster = LocalCluster(under=under)
        self.addCleanup(cluster.close)
        self.places = [cluster.directory / name for name in ("first", "second")]
        for place in self.places:
            place.mkdir()
        cluster.arguments = ("--set", f"log.dirs={','.join(map(str, self.places))}",
                             "--set", "group.initial.rebalance.delay.ms=0", *arguments)
        return cluster

    def fill(self, cluster):
        """A topic with a record in each partition; gives the partitions of each directory."""
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            self.assertEqual(connection.create_topic(TOPIC, PARTITIONS), 0)
            for partition in range(PARTITIONS):
                self.assert_produced(cluster, connection, partition, b"kept")
        return [{int(path.name.rpartition("-")[2]) for path in self.inside(cluster, place).iterdir()
                 if path.name.startswith(f"{TOPIC}-")} for place in self.places]

    @staticmethod
    def inside(cluster, path):
        """The path as the processes of the cluster see it."""
        return pathlib.Path(f"/proc/{cluster.process.pid}/root{path}")

    def assert_produced(self, cluster, connection, partition, value):
        errors = []

        def is_taken():
            errors.append(connection.produce(TOPIC, partition, [value])[0])
            return errors[-1] not in kafka.NOT_READY
        wait_until(is_taken, f"{set(errors)}\n" + cluster.explanation())
        self.assertEqual(errors[-1], 0, cluster.explanation())

    def assert_kept(self, cluster, connection, partitions):
        for partition in partitions:
            def is_there():
                error, values = connection.fetch(TOPIC, partition, 0)
                return error == 0 and values[:1] == [(0, b"kept")]
            wait_until(is_there, f"partition {partition} is lost\n" + cluster.explanation())

    def offline_lines(self, cluster, place):
        """The lines that say that the directory is given up; the log is that of several lives."""
        said = rf"\berror\b.*the log directory {re.escape(str(place))} goes offline: "
        return [line for line in cluster.log_of("broker").splitlines() if re.search(said, line)]

    def test_one_that_cannot_be_read_is_named_and_the_other_goes_on(self):
        cluster = self.cluster(under=AS_OTHERS)
        cluster.start()
        kept = self.fill(cluster)
        self.assertTrue(all(kept))
        for number, place in enumerate(self.places):
            with self.subTest(place.name):
                self.assertEqual(cluster.stop(), 0, cluster.explanation())
                place.chmod(0)
                try:
                    cluster.start()
                    self.check_without(cluster, place, kept[1 - number], kept[number])
                    self.assertEqual(cluster.stop(), 0, cluster.explanation())
                finally:
                    place.chmod(0o700)
                cluster.start()
                with kafka.Connection(*cluster.bootstrap[0]) as connection:
                    self.assert_kept(cluster, connection, set().union(*kept))
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    def check_without(self, cluster, place, there, lost):
        lines = self.offline_lines(cluster, place)
        self.assertEqual(len(lines), 1, cluster.explanation())
        self.assertIn("not permitted", lines[0])
        self.assertEqual(prometheus.value(cluster, "broker-1", "millrace_log_directory_offline",
                                          directory=str(place)), 1)
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            self.assert_kept(cluster, connection, there)
            for partition in lost:
                self.assertIn(connection.produce(TOPIC, partition, [b"lost"])[0],
                              {STORAGE_ERROR, *kafka.NOT_READY})
            self.assertEqual(connection.create_topic(f"without-{place.name}", 4), 0,
                             cluster.explanation())
            for partition in range(4):
                self.assertEqual(connection.produce(f"without-{place.name}", partition, [b"x"])[0],
                                 0, cluster.explanation())

    def test_when_none_can_be_read_the_broker_says_so_of_each_and_ends(self):
        cluster = self.cluster(under=AS_OTHERS)
        for place in self.places:
            place.chmod(0)
            self.addCleanup(place.chmod, 0o700)
        with self.assertRaises(AssertionError) as failed:
            cluster.start()
        self.assertRegex(str(failed.exception), r"broker-1 cannot start \(exit code 1\): .*first")
        for place in self.places:
            self.assertEqual(len(self.offline_lines(cluster, place)), 1, cluster.explanation())

    def test_one_that_is_full_refuses_records_and_the_other_goes_on(self):
        cluster = self.cluster("--set", "millrace.disk.reserve.bytes=0")
        place = self.places[1]
        cluster.under = (*MOUNTS, "sh", "-c", SMALL_DISK, "sh", str(SMALL_DISK_BYTES), str(place))
        # Where others see the mount that was made under chroot: they have it no longer.
        self.addCleanup(subprocess.run, ["umount", place], stderr=subprocess.DEVNULL, check=False)
        cluster.start()
        first, second = self.fill(cluster)
        self.assertTrue(first and second)
        filler = self.inside(cluster, place) / "filler"
        with self.assertRaises(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(PIECE)
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            for partition in second:
                wait_until(lambda: connection.produce(TOPIC, partition, [PIECE])[0] ==
                           STORAGE_ERROR, "a full disk takes records\n" + cluster.explanation())
            for _ in range(50):
                for partition in first:
                    self.assert_produced(cluster, connection, partition, b"more")
            wait_until(lambda: any(str(place) in line and "space" in line for line in
                                   cluster.log_of("broker").splitlines()),
                       "nobody is told which disk is full\n" + cluster.explanation())
            filler.unlink()
            for partition in first | second:
                self.assert_produced(cluster, connection, partition, b"again")
            self.assert_kept(cluster, connection, first | second)
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    # --- The metadata ---

    def fill_disk(self, cluster, place, name):
        filler = self.inside(cluster, place) / name
        with self.assertRaises(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(PIECE)
        with self.assertRaises(OSError), open(filler, "ab", buffering=0) as file:
            while True:
                file.write(b"x")
        return filler

    def metadata_value(self, cluster, name):
        return prometheus.value(cluster, "controller-1", f"millrace_controller_log_{name}")

    def test_a_full_disk_of_the_metadata_is_told_and_nothing_is_lost(self):
        place = self.enterContext(tempfile.TemporaryDirectory(prefix="millrace-metadata-"))
        self.addCleanup(subprocess.run, ["umount", place], stderr=subprocess.DEVNULL, check=False)
        # Its records are old, and this may take longer than it takes to look for such.
        cluster = self.cluster("--set", f"metadata.log.dir={place}", "--set", "log.retention.ms=-1")
        cluster.under = (*MOUNTS, "sh", "-c", SMALL_DISK, "sh", str(METADATA_DISK_BYTES), place)
        cluster.start()
        kept = self.fill(cluster)
        self.assertEqual(self.metadata_value(cluster, "reserve_missing"), 0)
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            fillers = [self.fill_disk(cluster, place, "filler")]
            # Its reserve lets it go on.
            self.assertEqual(connection.create_topic("by-the-reserve", MANY), 0,
                             cluster.explanation())
            wait_until(lambda: self.metadata_value(cluster, "reserve_missing") == 1,
                       cluster.explanation())
            fillers.append(self.fill_disk(cluster, place, "another"))
            errors = [connection.create_topic(name, MANY, timeout_ms=2_000)
                      for name in ("first", "second")]
            self.assertEqual(errors, [TIMED_OUT, STORAGE_ERROR], cluster.explanation())
            self.assertEqual(self.metadata_value(cluster, "waits_for_space"), 1)
            for partition in range(PARTITIONS):
                self.assert_produced(cluster, connection, partition, b"records go on")
        cluster.kill("controller")
        for filler in fillers:
            filler.unlink()
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            wait_until(lambda: connection.create_topic("after") in (0, ALREADY_THERE),
                       "no topic is made once there is room\n" + cluster.explanation())
            wait_until(lambda: self.metadata_value(cluster, "reserve_missing") == 0,
                       "the reserve is not made again\n" + cluster.explanation())
            self.assert_kept(cluster, connection, set().union(*kept))
            self.assertEqual(connection.create_topic("by-the-reserve"), ALREADY_THERE)
        self.assertEqual(cluster.stop(), 0, cluster.explanation())

    # --- In use ---

    def second_process(self, cluster, service, *arguments):
        """Another process on the configuration of the one that runs. Gives what it said."""
        child = cluster.directory / f"data/{service}-1/{service}.properties"
        done = subprocess.run(
            [PROGRAMS / f"millrace-{service}", "--config", child, *cluster.arguments, *arguments,
             "--set", "millrace.metrics.listener="], capture_output=True, text=True, check=False,
            timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 1, done.stderr)
        return [line for line in done.stderr.splitlines() if re.search(r"\berror\b", line)]

    def test_one_that_another_process_uses_is_refused_and_left_alone(self):
        cluster = self.cluster()
        cluster.start()
        first, second = self.fill(cluster)
        errors = self.second_process(
            cluster, "broker", "--set", f"listeners=PLAINTEXT://127.0.0.1:{free_port()}",
            "--set", f"millrace.coordinator.socket={cluster.directory}/other")
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(str(self.places[0]), errors[0])
        self.assertIn("another process uses this", errors[0])
        errors = self.second_process(cluster, "controller")
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(str(cluster.directory / "data/controller-1/metadata"), errors[0])
        self.assertIn("another process uses this", errors[0])
        with kafka.Connection(*cluster.bootstrap[0]) as connection:
            for partition in first | second:
                self.assert_produced(cluster, connection, partition, b"still")
            self.assert_kept(cluster, connection, first | second)
        self.assertEqual(cluster.stop(), 0, cluster.explanation())


if __name__ == "__main__":
    unittest.main()
