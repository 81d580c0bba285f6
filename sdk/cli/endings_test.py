"""How commands of `millrace` end where something is not as it should be: brokers that say nothing,
closed files, names and input that cannot be."""

import json
import pathlib
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

    def test_names_that_no_topic_can_have_are_told_as_such(self):
        for name in ("a b", ""):
            self.assertEqual(
                self.millrace("topic", "describe", name, status=1),
                f"error: '{name}' cannot be the name of a topic (INVALID_TOPIC_EXCEPTION); "
                "names have 1 to 249 ASCII letters, digits, '.', '_' and '-'\n")

    def test_a_bundle_of_no_cluster_tells_why_it_has_nothing(self):
        file = pathlib.Path(self.home, "nothing.tar")
        said = self.millrace("debug", "bundle", file, "-b", f"127.0.0.1:{free_port()}",
                             "--timeout", 1, status=1)
        self.assertRegex(said, "error: health.json: bootstrap server 127.0.0.1:[0-9]+: ")
        self.assertTrue(file.exists())


if __name__ == "__main__":
    unittest.main()
