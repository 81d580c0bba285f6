"""The table of docs/cli.md and what commands print as JSON have the same fields."""

import json
import pathlib
import re
import tarfile
import unittest

from commands_test import ROOT, OnACluster

# Words of the table that are no fields of theirs.
COMMANDS = {"produce", "consume", "latency", "null"}
# Objects whose names are those of settings.
BY_SETTING = {"configs", "settings"}
# Of which rows the fields need another cluster than one of one broker, where all is well.
NOT_SEEN = {
    "cluster health": {"topic", "partition", "leader", "replicas", "in_sync"},
    "cluster reassign, cluster drain": {"topic", "partition", "from", "to", "replicas", "adding",
                                        "removing"},
    "cluster elect": {"partitions", "topic", "partition"},
}
# Whose own tests hold them: local_test.py, and dumper_test.cpp of the dump.
ELSEWHERE = {"local, when it is ready", "log dump, log verify, a line"}


def documented():
    """Rows of the table, by what stands in their first cell, with the words that look like
    fields."""
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    table = page.split("| command | fields |\n|---|---|\n")[1]
    rows = {}
    for line in table.splitlines():
        if not line.startswith("| "):
            break
        command, fields = line.strip("|").split("|")
        rows[command.replace("`", "").strip()] = (
            set(re.findall(r"`([a-z][a-z0-9_]*)`", fields)) - COMMANDS)
    return rows


def fields_of(value):
    """All names within it."""
    found = set()
    if isinstance(value, list):
        for item in value:
            found |= fields_of(item)
    elif isinstance(value, dict):
        for name, inner in value.items():
            found.add(name)
            if not (name in BY_SETTING and isinstance(inner, dict)):
                found |= fields_of(inner)
    return found


class DocumentedJsonTest(OnACluster):

    def ask(self, *arguments, status=0, text=None):
        said = self.millrace(*arguments, "-o", "json", status=status, text=text)
        return [json.loads(line) for line in said.splitlines()]

    def answers(self):
        """Of each row, what its commands print."""
        lines = ('{"key": "a", "value": "b", "headers": [{"key": "h", "value": "1"}]}\n'
                 '{"key_base64": "/w==", "value_base64": "//4=", "headers": []}\n')
        seen = {"topic create": self.ask("topic", "create", "told"),
                "topic list": self.ask("topic", "list"),
                "topic alter, config set, config unset":
                    self.ask("topic", "alter", "told", "-c", "retention.ms=86400000") +
                    self.ask("config", "set", "topic", "told", "segment.bytes=2000000") +
                    self.ask("config", "unset", "topic", "told", "segment.bytes"),
                "topic describe": self.ask("topic", "describe", "told", "--offsets"),
                "topic add-partitions": self.ask("topic", "add-partitions", "told", "--to", 2),
                "produce": self.ask("produce", "told", "-i", "json", text=lines),
                "consume, a line": self.ask("consume", "told", "--from", "start", "--count", 2,
                                            "--group", "tellers"),
                "group list": self.ask("group", "list"),
                "group describe": self.ask("group", "describe", "tellers"),
                "group reset-offsets": self.ask("group", "reset-offsets", "tellers", "--to",
                                                "start"),
                "group delete": self.ask("group", "delete", "tellers"),
                "topic trim": self.ask("topic", "trim", "told", "--before", "end"),
                "config list, config get": self.ask("config", "list", "broker", 1) +
                                           self.ask("config", "get", "topic", "told",
                                                    "retention.ms")}
        seen |= {"cluster " + word: self.ask("cluster", word)
                 for word in ("health", "brokers", "quorum", "leaders")}
        seen["cluster reassign, cluster drain"] = self.ask("cluster", "reassign", "told", "--to", 1)
        seen["cluster elect"] = []
        seen["bench"] = (self.ask("bench", "produce", "told", "--records", 100) +
                         self.ask("bench", "consume", "told") +
                         self.ask("bench", "latency", "told", "--records", 10))
        seen["profile use, add, remove"] = self.ask("profile", "add", "mine", "client.id=me")
        seen["profile list"] = self.ask("profile", "list")
        seen["profile use, add, remove"] += (self.ask("profile", "use", "mine") +
                                             self.ask("profile", "remove", "mine"))
        seen["debug bundle"] = self.ask("debug", "bundle", pathlib.Path(self.home, "bundle.tar"))
        seen["topic delete"] = self.ask("topic", "delete", "told")
        failures = self.ask("topic", "delete", "told", "tolt", status=1)
        for failure in failures:
            failure.pop("topics")
        seen["all, after a failure"] = (
            failures + self.ask("no-such-command", status=2))
        return seen

    def test_every_field_is_on_the_page_and_every_one_on_the_page_is_printed(self):
        rows = documented()
        seen = self.answers()
        self.assertEqual(set(rows) - ELSEWHERE, set(seen), "each row has its commands here")
        for row, answers in seen.items():
            with self.subTest(row=row):
                fields = fields_of(answers)
                self.assertEqual(fields - rows[row], set(), "not on the page")
                self.assertEqual(rows[row] - fields - NOT_SEEN.get(row, set()), set(),
                                 "on the page, and not printed")

    def test_a_bundle_has_files_of_their_own_for_names_that_are_long_or_alike(self):
        long = "t" * 240
        self.ask("topic", "create", long)
        self.ask("topic", "create", "short")
        self.millrace("produce", "short", text="a record\n")
        groups = ["of/two", "of_two", "of two", "g" * 300]
        for group in groups:
            self.ask("consume", "short", "--from", "start", "--count", 1, "--group", group)
        file = pathlib.Path(self.home, "names.tar")
        told, = self.ask("debug", "bundle", file)
        with tarfile.open(file) as bundle:
            names = bundle.getnames()
            of_groups = [json.loads(bundle.extractfile(name).read())["group"]
                         for name in names if name.startswith("groups/")]
        self.assertEqual(names, told["parts"])
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([name for name in names if len(name.rpartition("/")[2]) > 255], [])
        self.assertEqual(sum(name.startswith("topics/ttt") for name in names), 1)
        self.assertLessEqual(set(groups), set(of_groups))


if __name__ == "__main__":
    unittest.main()
