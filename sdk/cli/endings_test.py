"""How commands of `millrace` end where something is not as it should be: brokers that say nothing,
closed files, names and input that cannot be."""

import json
import pathlib
import shutil
import signal
import socket
import unittest

from commands_test import PATIENCE_SECONDS, OnACluster, free_port


class EndingsTest(OnACluster):

    def test_input_without_a_place_fails_and_is_no_wrong_command_line(self):
        self.millrace("topic", "create", "placed")
        lines = '{"value":"a","partition":7}\n{"value":"b","partition":0}\n'
        said = json.loads(self.millrace("produce", "placed", "-i", "json", "-o", "json",
                                        text=lines, status=1))
        self.assertEqual((said["delivered"], said["failed"], said["error"]["code"]),
                         (1, 1, "INPUT"))
        self.assertIn("line 1: ", said["error"]["message"])

    def test_a_signal_ends_what_waits_for_brokers(self):
        """For one that takes connections, and says nothing on them."""
        for arguments, status in ((["consume", "orders"], -signal.SIGINT),
                                  (["cluster", "health", "--watch"], 1)):
            with self.subTest(arguments=arguments), socket.socket() as silent:
                silent.bind(("127.0.0.1", 0))
                silent.listen()
                silent.settimeout(PATIENCE_SECONDS)
                process = self.start(*arguments, "-b", f"127.0.0.1:{silent.getsockname()[1]}",
                                     "--timeout", 3600)
                connection, _ = silent.accept()
                with connection:
                    process.send_signal(signal.SIGINT)
                    self.assertEqual(process.wait(PATIENCE_SECONDS), status,
                                     process.stderr.read())

    def test_standard_files_that_are_closed_are_not_those_of_a_broker(self):
        self.millrace("topic", "create", "shut")
        for command, said in (
                ("millrace topic list >&-", "error: the answer could not be written\n"),
                ("millrace consume shut --from end --to end -o tsv >&-",
                 "error: standard output cannot be written: Bad file descriptor (OUTPUT)\n"),
                ("millrace produce shut <&-",
                 "error: standard input cannot be read: Bad file descriptor (INPUT)\n")):
            with self.subTest(command=command):
                done = self.run_shell(command)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", said))
        self.assertEqual(self.run_shell("millrace topic describe nothing 2>&-").returncode, 1)

    def test_who_waits_for_records_ends_when_nobody_reads_them_any_more(self):
        self.millrace("topic", "create", "awaited")
        self.millrace("produce", "awaited", "-q", text="one\ntwo\n")
        for more in ("", "--group waiters "):
            with self.subTest(more=more):
                done = self.run_shell("set -o pipefail; "
                                      f"millrace consume awaited {more}--from start | head -n 1")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "one\n", ""))
        self.assertEqual(json.loads(self.millrace("group", "describe", "waiters", "-o", "json"))[
            "members"], 0)

    def test_names_that_no_topic_can_have_are_told_as_such(self):
        for name in ("a b", ""):
            self.assertEqual(
                self.millrace("topic", "describe", name, status=1),
                f"error: '{name}' cannot be the name of a topic (INVALID_TOPIC_EXCEPTION); "
                "names have 1 to 249 ASCII letters, digits, '.', '_' and '-'\n")

    def test_brokers_that_are_none_are_told_with_the_option_that_names_them(self):
        said = self.millrace("topic", "list", "-b", "kafka-1", status=2)
        self.assertIn("bootstrap.servers: \"kafka-1\": an address must end in a port", said)
        self.assertIn("-b HOST:PORT,... names the brokers", said)

    def test_a_profile_that_no_client_takes_is_not_kept(self):
        for settings, said in (
                (["-b", "kafka-1"],
                 "bootstrap.servers: \"kafka-1\": an address must end in a port"),
                (["bootstrap.servers=kafka-1:9092,:9092"], "must have a host and a port above 0"),
                (["request.timeout.ms=soon"], "request.timeout.ms"),
                (["ssl.nonsense=1"], "an admin client has no setting ssl.nonsense")):
            with self.subTest(settings=settings):
                self.assertIn(said, self.millrace("profile", "add", "wrong", *settings, status=2))
        self.assertEqual(json.loads(self.millrace("profile", "list", "-o", "json")),
                         {"profiles": []})
        self.millrace("profile", "add", "right", "-b", "kafka-1:9092,[::1]:9093")
        self.millrace("profile", "add", "without-brokers", "client.id=me")
        self.millrace("profile", "remove", "right")
        self.millrace("profile", "remove", "without-brokers")

    def test_a_bundle_of_no_cluster_tells_why_it_has_nothing(self):
        file = pathlib.Path(self.home, "nothing.tar")
        said = self.millrace("debug", "bundle", file, "-b", f"127.0.0.1:{free_port()}",
                             "--timeout", 1, status=1)
        self.assertRegex(said, "error: health.json: bootstrap server 127.0.0.1:[0-9]+: ")
        self.assertTrue(file.exists())


class LogDirectoriesTest(OnACluster):
    """`log verify` of what a broker left in order."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        case.millrace("topic", "create", "kept")
        case.millrace("produce", "kept", "-q", text="paid 200\npaid 300\n")
        if cls.cluster.stop() != 0:
            raise AssertionError("the cluster does not stop in order" + cls.cluster.explanation())
        (cls.left,) = (cls.cluster.directory / "data/broker-1").rglob("kept-0")

    def runTest(self):
        """For setUpClass, which needs an instance."""

    def copied(self):
        copy = pathlib.Path(self.home, self.id())
        shutil.copytree(self.left.parent, copy)
        return copy

    def verify(self, directory, status):
        lines = self.millrace("log", "verify", directory, "-o", "json", status=status).splitlines()
        return [json.loads(line) for line in lines]

    def test_what_is_good_is_good(self):
        (summary,) = self.verify(self.copied(), 0)
        self.assertEqual((summary["type"], summary["wrong"], summary["losses"]),
                         ("summary", 0, 0))
        self.assertGreaterEqual(summary["records"], 2)

    def test_a_turned_bit_is_a_loss_at_its_place(self):
        directory = self.copied()
        (log,) = (directory / "kept-0").glob("*.log")
        contents = bytearray(log.read_bytes())
        contents[-1] ^= 4
        log.write_bytes(contents)
        finding, summary, failure = self.verify(directory, 1)
        self.assertEqual((finding["severity"], finding["kind"], finding["file"]),
                         ("loss", "crc_mismatch", str(log)))
        self.assertEqual(summary["losses"], 1)
        self.assertEqual(failure["error"]["code"], "DAMAGED")
        self.assertIn("damaged: 1 finding of loss", self.millrace("log", "verify", directory,
                                                                  status=1))

    def test_a_log_file_that_is_gone_is_found(self):
        directory = self.copied()
        (log,) = (directory / "kept-0").glob("*.log")
        log.unlink()
        findings = self.verify(directory, 1)
        self.assertIn(("wrong", "no_log_file", str(log)),
                      [(item.get("severity"), item.get("kind"), item.get("file"))
                       for item in findings])
        self.assertEqual(findings[-1]["error"]["code"], "DAMAGED")

    def test_a_log_directory_without_partitions_is_good(self):
        directory = self.copied()
        for entry in directory.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "meta.properties":
                entry.unlink()
        (summary,) = self.verify(directory, 0)
        self.assertEqual((summary["partitions"], summary["notes"]), (0, 0))

    def test_what_is_no_log_directory_is_told_as_such(self):
        directory = self.copied()
        empty = pathlib.Path(self.home, "empty")
        empty.mkdir()
        for path, said in ((empty, f"{empty} is no log directory: it has neither meta.properties "
                                   "nor directories of partitions"),
                           (directory / "kept-0", "is the directory of a partition"),
                           (directory / "meta.properties", "is no directory"),
                           (directory / "nothing", "nothing: not found")):
            with self.subTest(path=path):
                told = self.millrace("log", "verify", path, status=1)
                self.assertIn(said, told)
                self.assertNotIn("damaged", told)
                (item,) = self.verify(path, 1)
                self.assertEqual(item["error"]["code"], "STORAGE")


if __name__ == "__main__":
    unittest.main()
