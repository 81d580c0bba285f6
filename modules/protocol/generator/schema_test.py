"""What the generator reads from the schema files is what Kafka's own classes do, and mistakes in a
schema file are named with file and line."""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from expressions import default_value  # noqa: E402
from schema import SchemaError, read_message  # noqa: E402
from versions import Versions  # noqa: E402

SCHEMA = HERE.parent / "schema"
GOLDEN = HERE.parents[2] / "tests" / "golden" / "data"


def messages():
    return {path.stem: read_message(path) for path in SCHEMA.glob("*/*.schema")}


def struct_named(message, name):
    if name == "-":
        return message.top
    return next(struct for struct in message.structs if struct.name == name)


def field_named(struct, name):
    return next((f for f in struct.fields if f.name.lower() == name.lower()), None)


def rows(table):
    return [line.split("\t") for line in (GOLDEN / table).read_text().splitlines()]


class Golden(unittest.TestCase):
    maxDiff = None

    def test_defaults_are_kafkas(self):
        known = messages()
        wrong = []
        for file, struct, name, value in rows("defaults.tsv"):
            f = field_named(struct_named(known[file], struct), name)
            if f is None:
                continue  # it exists in no version that we have
            if value != self.default_in_java(f):
                wrong.append((file, struct, name, value, self.default_in_java(f)))
        self.assertEqual(wrong, [])

    @staticmethod
    def default_in_java(f):
        if f.is_array or f.is_struct:
            if f.default == "null":
                return "null"
            return "[]" if f.is_array else "{}"
        if f.type == "string":
            return "null" if f.default == "null" else f'"{f.default or ""}"'
        if f.type == "records":
            return "null"
        if f.type == "bytes":
            return "null" if f.default == "null" else "bytes 0"
        if f.type == "uuid":
            return "AAAAAAAAAAAAAAAAAAAAAA"
        if f.type == "float64":
            return str(float(f.default or "0"))
        if f.type == "bool":
            return f.default or "false"
        return str(int(f.default or "0", 0))

    def test_what_becomes_of_fields_that_a_version_lacks_is_as_in_kafka(self):
        known = messages()
        wrong = []
        for file, struct, name, version, outcome in rows("absent_fields.tsv"):
            f = field_named(struct_named(known[file], struct), name)
            if f is None:
                continue
            self.assertNotIn(int(version), f.versions, (file, name))
            if f.ignorable != (outcome == "left-out"):
                wrong.append((file, struct, name, version, outcome))
        self.assertEqual(wrong, [])


class Mistakes(unittest.TestCase):
    HEAD = "request SomethingRequest key=1 versions=0-3 flexible=2+\n"

    def fails_with(self, text, *words):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "something_request.schema"
            path.write_text(text)
            with self.assertRaises(SchemaError) as caught:
                read_message(path)
            for word in words:
                self.assertIn(word, str(caught.exception))

    def test_unknown_kind(self):
        self.fails_with("query X versions=0 flexible=none\n", "schema:1", "query")

    def test_unknown_attribute_lists_the_known_ones(self):
        self.fails_with(
            self.HEAD + "Name  string  0+  nulable=0+\n", "schema:2", "nulable", "nullable"
        )

    def test_unknown_type(self):
        self.fails_with(self.HEAD + "Name  sting  0+\n", "schema:2", "sting")

    def test_field_without_versions(self):
        self.fails_with(self.HEAD + "Name  string\n", "schema:2", "Name type versions")

    def test_wrong_indentation(self):
        self.fails_with(
            self.HEAD + "Names  []Name  0+\n     Text  string  0+\n", "schema:3", "spaces"
        )

    def test_field_tagged_in_some_versions_only(self):
        self.fails_with(self.HEAD + "Name  string  0+  tag=0 tagged=2+\n", "schema:2", "tagged")


class VersionSets(unittest.TestCase):
    def test_parse_and_conditions(self):
        within = Versions(3, 13)
        self.assertEqual(Versions.parse("3+").condition(within), "")
        self.assertEqual(Versions.parse("9+").condition(within), "version >= 9")
        self.assertEqual(Versions.parse("0-12").condition(within), "version <= 12")
        self.assertEqual(Versions.parse("5").condition(within), "version == 5")
        self.assertEqual(Versions.parse("5-7").condition(within), "version >= 5 && version <= 7")
        self.assertTrue(Versions.parse("none").empty)
        self.assertTrue(Versions.parse("14+").intersect(within).empty)

    def test_defaults_in_cpp(self):
        message = read_message(SCHEMA / "fetch" / "fetch_response.schema")
        leader = field_named(struct_named(message, "LeaderIdAndEpoch"), "LeaderId")
        self.assertEqual(default_value(leader), "-1")


if __name__ == "__main__":
    unittest.main()
