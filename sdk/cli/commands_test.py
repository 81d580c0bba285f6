"""The program `millrace` against a cluster of real processes: the sessions of docs/cli.md word for
word, and what a page does not show: exit codes, JSON, signals, pipes, completion in shells."""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cluster"))

from local_cluster import PATIENCE_SECONDS, PROGRAMS, LocalCluster, wait_until  # noqa: E402
from ports import free_port  # noqa: E402

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def without_chance(text):
    """Times and ids are others each time."""
    return UUID.sub("UUID", TIME.sub("TIME", text))


def sessions_of(page):
    """Yields (line, command, expected output) of the blocks called console."""
    command, expected, line_of_command, within = None, [], 0, False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if command is not None:
                yield line_of_command, command, "".join(expected)
            command, expected, within = None, [], line == "```console"
        elif within and line.startswith("$ "):
            if command is not None:
                yield line_of_command, command, "".join(expected)
            command, expected, line_of_command = line[2:], [], number
        elif within:
            expected.append(line + "\n")


class OnACluster(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = LocalCluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.home = tempfile.mkdtemp(prefix="millrace-home-")
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.environment = {
            **os.environ,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": cls.home,
            "XDG_CONFIG_HOME": f"{cls.home}/config",
            "MILLRACE_BOOTSTRAP": ",".join(f"{host}:{port}" for host, port in
                                           cls.cluster.bootstrap),
        }

    def run_shell(self, command, shell="bash"):
        return subprocess.run([shell, "-c", command], capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS, env=self.environment, cwd=self.home,
                              check=False)

    def millrace(self, *arguments, status=0, text=None):
        """What it prints; on the error output where the status is another one."""
        done = subprocess.run([PROGRAMS / "millrace", *map(str, arguments)], input=text,
                              capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              env=self.environment, check=False,
                              stdin=None if text is not None else subprocess.DEVNULL)
        self.assertEqual(done.returncode, status,
                         f"{arguments}: {done.stdout}{done.stderr}" + self.cluster.explanation())
        return done.stdout if status == 0 or not done.stderr else done.stderr

    def start(self, *arguments, **options):
        process = subprocess.Popen([PROGRAMS / "millrace", *map(str, arguments)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()


class PageTest(OnACluster):

    def test_every_session_of_the_page_goes_as_it_says(self):
        count = 0
        for line, command, expected in sessions_of(ROOT / "docs/cli.md"):
            done = self.run_shell(command)
            self.assertEqual(without_chance(done.stdout + done.stderr), without_chance(expected),
                             f"docs/cli.md:{line}: {command}" + self.cluster.explanation())
            count += 1
        self.assertGreater(count, 20, "the page has sessions")


class RecordsTest(OnACluster):

    def create(self, topic, *arguments):
        self.millrace("topic", "create", topic, *arguments)

    def test_json_lines_carry_every_byte_from_topic_to_topic(self):
        self.create("from", "--partitions", 2)
        self.create("to", "--partitions", 2)
        lines = "".join(json.dumps(record) + "\n" for record in (
            {"key": "a\tb", "value": "zwölf\n", "headers": [{"key": "h", "value": "1"}],
             "partition": 0, "timestamp": "2024-02-29T12:00:00.001Z"},
            {"key": None, "value": None, "partition": 1},
            {"key_base64": "/w==", "value_base64": "//4=", "partition": 1,
             "headers": [{"key": "x", "value_base64": "/g=="}, {"key": "n", "value": None}]}))
        self.millrace("produce", "from", "-i", "json", "-q", text=lines)
        copied = self.millrace("consume", "from", "--from", "start", "--to", "end", "-o", "json")
        self.millrace("produce", "to", "-i", "json", "-q", text=copied)
        again = self.millrace("consume", "to", "--from", "start", "--to", "end", "-o", "json")

        def records(text):
            found = [json.loads(line) for line in text.splitlines()]
            for record in found:
                record.pop("topic")
            return sorted(found, key=lambda record: (record["partition"], record["offset"]))

        self.assertEqual(records(copied), records(again))
        first, second, third = records(again)
        self.assertEqual(first["timestamp"], "2024-02-29T12:00:00.001Z")
        self.assertEqual((first["key"], first["value"]), ("a\tb", "zwölf\n"))
        self.assertEqual((second["key"], second["value"]), (None, None))
        self.assertEqual((third["key_base64"], third["value_base64"]), ("/w==", "//4="))

    def test_many_lines_are_streamed_and_counted(self):
        self.create("many")
        count = 200_000
        lines = "".join(f"value {number}\n" for number in range(count))
        told = json.loads(self.millrace("produce", "many", "-o", "json", text=lines))
        self.assertEqual(told, {"topic": "many", "delivered": count, "failed": 0, "partitions": [
            {"partition": 0, "records": count, "first_offset": 0, "last_offset": count - 1}]})
        printed = self.millrace("consume", "many", "--from", "start", "--count", count)
        self.assertEqual(printed, lines)
        self.assertEqual(self.millrace("consume", "many", "--tail", 2, "--to", "end"),
                         f"value {count - 2}\nvalue {count - 1}\n")
        self.assertEqual(self.millrace("consume", "many", "--from", 10, "--to", 12),
                         "value 10\nvalue 11\n")

    def test_what_is_to_come_is_waited_for(self):
        self.create("awaited")
        self.millrace("produce", "awaited", "-q", text="0\n1\n2\n")
        process = self.start("consume", "awaited", "--from", 5, "--to", 7, "-o", "tsv")
        self.assertIn("offset", process.stdout.readline())  # it reads
        self.millrace("produce", "awaited", "-q", text="3\n4\n5\n6\n7\n")
        offsets = [line.split("\t")[2] for line in process.stdout.read().splitlines()]
        self.assertEqual(offsets, ["5", "6"])
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(self.millrace("consume", "awaited", "--from", 5, "--count", 1), "5\n")
        self.assertEqual(self.millrace("consume", "awaited", "--from", 9, "--to", "end"), "")

    def test_places_have_the_names_of_kafka_too(self):
        self.create("named")
        self.millrace("produce", "named", "-q", text="1\n2\n")
        self.assertEqual(self.millrace("consume", "named", "--from", "earliest", "--to", "latest"),
                         "1\n2\n")
        self.assertEqual(self.millrace("consume", "named", "--group", "namers", "--from",
                                       "earliest", "--count", 1), "1\n")

    def test_who_types_sees_what_has_become_of_each_line(self):
        self.create("typed")
        process = self.start("produce", "typed", stdin=subprocess.PIPE)
        for number in range(3):
            process.stdin.write("line\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), f"typed-0@{number}\n")
        process.stdin.close()
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        process.stdin = None

    def test_a_consumer_follows_until_it_is_interrupted(self):
        self.create("followed")
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            self.millrace("produce", "followed", text="first\n")
            process = self.start("consume", "followed", "--tail", 1)
            self.assertEqual(process.stdout.readline(), "first\n")
            self.millrace("produce", "followed", text="second\n")
            self.assertEqual(process.stdout.readline(), "second\n")
            process.send_signal(signal_number)
            self.assertEqual(process.wait(PATIENCE_SECONDS), 0, process.stderr.read())

    def test_a_reader_that_goes_away_ends_it(self):
        self.create("piped")
        self.millrace("produce", "piped", "-q", text="value\n" * 100_000)
        done = self.run_shell("set -o pipefail; millrace consume piped --from start | head -n 1")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "value\n", ""))

    def test_a_group_goes_on_where_it_was(self):
        self.create("shared")
        self.millrace("produce", "shared", "-q", text="1\n2\n3\n")
        consume = ["consume", "shared", "--group", "readers", "--from", "start", "--count"]
        self.assertEqual(self.millrace(*consume, 2), "1\n2\n")
        self.assertEqual(self.millrace(*consume, 1), "3\n")
        described = json.loads(self.millrace("group", "describe", "readers", "-o", "json"))
        self.assertEqual((described["lag"], described["state"]), (0, "empty"))
        self.millrace("group", "reset-offsets", "readers", "--shift", -2, "--execute")
        self.assertEqual(self.millrace(*consume, 2), "2\n3\n")
        self.assertIn("shared  0          3     0\n",
                      self.millrace("group", "reset-offsets", "readers", "--to", "start"))
        self.assertEqual(self.millrace("group", "delete", "readers"), "deleted readers\n")
        self.assertEqual(self.millrace("group", "describe", "readers", status=1),
                         "error: no group readers\n")

    def test_who_gets_a_partition_of_a_group_goes_on_after_what_was_printed(self):
        self.create("handed", "--partitions", 2)
        both = '{"value": "%s", "partition": 0}\n{"value": "%s", "partition": 1}\n'

        def produce(value):
            self.millrace("produce", "handed", "-i", "json", "-q", text=both % (value, value))

        arguments = ["consume", "handed", "--group", "hands", "--from", "start",
                     "-X", "heartbeat.interval.ms=200"]
        produce(1)
        first = self.start(*arguments)
        self.assertEqual([first.stdout.readline() for _ in range(2)], ["1\n", "1\n"])
        # Not yet committed when the other one comes: there is some time between commits.
        produce(2)
        self.assertEqual([first.stdout.readline() for _ in range(2)], ["2\n", "2\n"])
        second = self.start(*arguments)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            described = json.loads(self.millrace("group", "describe", "hands", "-o", "json"))
            if (described["members"], described["state"]) == (2, "stable"):
                break
        produce(3)
        self.assertEqual(second.stdout.readline(), "3\n")
        self.assertEqual(first.stdout.readline(), "3\n")

    def test_members_without_a_partition_are_shown(self):
        self.create("scarce")
        for _ in range(2):
            self.start("consume", "scarce", "--group", "crowd")
        described = {}

        def are_both_there():
            done = subprocess.run([PROGRAMS / "millrace", "group", "describe", "crowd", "-o",
                                   "json"], text=True, capture_output=True, check=False,
                                  timeout=PATIENCE_SECONDS, env=self.environment)
            described.update(json.loads(done.stdout))
            return (described.get("members"), described.get("state")) == (2, "stable")
        wait_until(are_both_there, f"the group is never whole: {described}")
        rows = [(row["topic"], row["partition"], row["lag"]) for row in described["partitions"]]
        self.assertEqual(rows, [("scarce", 0, 0), (None, None, None)])
        for row in described["partitions"]:
            self.assertEqual(row["member"], "millrace-cli (127.0.0.1)")
        said = self.millrace("group", "list", "--state", "standing", status=2)
        self.assertIn("error: --state 'standing' is no state of a group; there are ", said)

    def test_half_a_line_is_not_sent_when_it_is_interrupted(self):
        self.create("halves")
        process = self.start("produce", "halves", "-o", "json", stdin=subprocess.PIPE)
        process.stdin.write("whole\nhal")
        process.stdin.flush()
        self.assertEqual(self.millrace("consume", "halves", "--from", "start", "--count", 1),
                         "whole\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        told = json.loads(process.stdout.read())
        self.assertEqual((told["delivered"], told["failed"]), (1, 0))

    def test_input_that_is_wrong_names_the_line(self):
        self.create("strict")
        self.assertEqual(
            self.millrace("produce", "strict", "-K", ":", "-q", text="a:1\nb\nc:3\n", status=1),
            "error: a line has no ':' after a key (line 2) (INPUT)\n")
        self.assertEqual(self.millrace("produce", "strict", "--partition", 7, text="x\n", status=2),
                         "error: topic strict has no partition 7; it has 1 partition\n")

    def test_measurements_count_every_record(self):
        told = json.loads(self.millrace("bench", "produce", "measured", "--create", "--records",
                                        20_000, "-o", "json"))
        self.assertEqual((told["records"], told["failed"]), (20_000, 0))
        told = json.loads(self.millrace("bench", "consume", "measured", "-o", "json"))
        self.assertEqual((told["records"], told["bytes"]), (20_000, 2_000_000))
        told = json.loads(self.millrace("bench", "latency", "measured", "--records", 200, "-o",
                                        "json"))
        self.assertEqual(told["records"], 200)
        self.assertLessEqual(told["latency_p50_us"], told["latency_max_us"])
        buckets = told["latency_histogram"]
        self.assertEqual(sum(bucket["records"] for bucket in buckets), 200)
        self.assertEqual(buckets[-1]["up_to_us"], told["latency_max_us"])
        bounds = [bucket["up_to_us"] for bucket in buckets]
        self.assertEqual(bounds, sorted(set(bounds)))
        heading, row = self.millrace("bench", "produce", "measured", "--records", 7, "-o",
                                     "tsv").splitlines()
        self.assertEqual(dict(zip(heading.split("\t"), row.split("\t")))["records"], "7")


class AnswersTest(OnACluster):

    def test_json_is_one_object_also_for_failures(self):
        for arguments, status, code in (
                (["topic", "describe", "nothing"], 1, "UNKNOWN_TOPIC_OR_PARTITION"),
                (["topic", "create"], 2, "USAGE"),
                (["topic", "list", "-X", "nonsense=1"], 2, "USAGE"),
                (["consume", "nothing", "--from", "soon"], 2, "USAGE"),
                (["group", "describe", "nothing"], 1, "GROUP_ID_NOT_FOUND"),
                (["config", "get", "broker", "1", "no.such.setting"], 1, "UNKNOWN_SETTING")):
            with self.subTest(arguments=arguments):
                said = json.loads(self.millrace(*arguments, "-o", "json", status=status))
                self.assertEqual(said["error"]["code"], code, said)

    def test_a_cluster_that_is_not_there_is_a_failure_in_time(self):
        address = f"127.0.0.1:{free_port()}"
        said = self.millrace("topic", "list", "-b", address, "--timeout", 1, status=1)
        self.assertIn("-b HOST:PORT names the brokers", said)
        said = json.loads(self.millrace("cluster", "health", "-b", address, "--timeout", 1, "-o",
                                        "json", status=1))
        self.assertIn("error", said)

    def test_tsv_of_what_has_no_rows_is_a_row_of_its_fields(self):
        self.millrace("topic", "create", "rowless")
        self.assertEqual(self.millrace("topic", "add-partitions", "rowless", "--to", 3, "-o",
                                       "tsv"),
                         "topic\tpartitions\tadded\tchanged\nrowless\t3\t2\tyes\n")
        health = self.millrace("cluster", "health", "-o", "tsv").splitlines()
        self.assertEqual(health[0].split("\t")[:2], ["healthy", "brokers"])
        self.assertEqual(health[1].split("\t")[:2], ["yes", "1"])
        process = self.start("cluster", "health", "--watch", "--interval", 1, "-o", "tsv")
        seen = [process.stdout.readline() for _ in range(3)]
        self.assertEqual([line.split("\t")[0] for line in seen], ["healthy", "yes", "yes"])

    def test_health_is_watched_until_it_is_interrupted(self):
        process = self.start("cluster", "health", "--watch", "--interval", 1)
        for _ in range(2):
            self.assertIn(" healthy: 1 broker, ", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)

    def test_log_directories_are_dumped_and_checked(self):
        self.millrace("topic", "create", "kept")
        self.millrace("produce", "kept", "-q", text="paid 200\n")
        found = list((self.cluster.directory / "data").rglob("kept-0"))
        self.assertEqual(len(found), 1)
        dumped = self.millrace("log", "dump", found[0], "-o", "json")
        records = [item for item in map(json.loads, dumped.splitlines())
                   if item["type"] == "record"]
        self.assertEqual([record["value"] for record in records], ["paid 200"])
        self.assertIn("value=", self.millrace("log", "dump", found[0]))
        self.assertIn("nothing", self.millrace("log", "dump", "/nothing/there", status=1))

    def test_several_topics_have_an_outcome_each(self):
        self.millrace("topic", "create", "one")
        said = json.loads(self.millrace("topic", "create", "one", "two", "-o", "json", status=1))
        self.assertEqual([topic["name"] for topic in said["topics"]], ["two"])
        self.assertEqual(said["error"]["code"], "TOPIC_ALREADY_EXISTS")
        self.millrace("topic", "create", "one", "--if-not-exists")
        self.assertEqual(self.millrace("topic", "delete", "one", "two"),
                         "deleted one\ndeleted two\n")
        self.millrace("topic", "delete", "one", "--if-exists")


class ShellsTest(OnACluster):

    def test_bash_completes_commands_options_and_topics(self):
        self.millrace("topic", "create", "completed")
        for line, expected in (("millrace gro", ["group"]),
                               ("millrace group re", ["reset-offsets"]),
                               ("millrace topic describe comp", ["completed"]),
                               ("millrace topic list --out", ["--output"]),
                               ("millrace topic list --output=j", ["json"]),
                               ("millrace config get topic comp", ["completed"]),
                               ("millrace cluster drain ", ["1"])):
            with self.subTest(line=line):
                script = (f"source <(millrace completion bash); COMP_LINE='{line}'; "
                          "COMP_POINT=${#COMP_LINE}; _millrace; printf '%s\\n' "
                          "\"${COMPREPLY[@]}\"")
                done = self.run_shell(script)
                self.assertEqual(done.stdout.splitlines(), expected, done.stderr)

    def test_fish_completes(self):
        self.millrace("topic", "create", "swum")
        done = self.run_shell("millrace completion fish | source; "
                              "complete -C 'millrace topic describe swu'", shell="fish")
        self.assertEqual(done.stdout.split(), ["swum"], done.stderr)

    def test_zsh_takes_the_script(self):
        done = self.run_shell("autoload -Uz compinit; compinit -u; "
                              "source <(millrace completion zsh); "
                              "print -r -- ${_comps[millrace]}", shell="zsh")
        self.assertEqual(done.stdout, "_millrace\n", done.stderr)

    def test_man_pages_are_good_roff(self):
        done = self.run_shell("for page in '' topic-create consume local; do "
                              "millrace man $page | groff -man -Tutf8 -ww -z; done")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_command_helps_and_has_a_page(self):
        listed = re.findall(r"^  ([a-z][a-z -]*?)  ", self.millrace("--help"), re.MULTILINE)
        self.assertGreater(len(listed), 30)
        for command in listed:
            with self.subTest(command=command):
                help_text = self.millrace(*command.split(), "--help")
                self.assertIn(f"Usage: millrace {command}", help_text)
                self.assertIn("Examples:", help_text)
                self.assertIn(".SH EXIT STATUS", self.millrace("man", *command.split()))

    def test_progress_is_shown_on_a_terminal_only(self):
        self.millrace("topic", "create", "watched")
        main, terminal = pty.openpty()
        self.addCleanup(os.close, main)
        process = subprocess.Popen([PROGRAMS / "millrace", "bench", "produce", "watched",
                                    "--records", "2000000"], stdout=subprocess.DEVNULL,
                                   stderr=terminal, env=self.environment)
        self.addCleanup(process.kill)
        os.close(terminal)
        shown = b""
        end = time.monotonic() + PATIENCE_SECONDS
        while b"records sent" not in shown and time.monotonic() < end:
            if select.select([main], [], [], 0.1)[0]:
                shown += os.read(main, 4096)
        self.assertIn(b"of 2000000 records sent", shown)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)


if __name__ == "__main__":
    unittest.main()
