"""What libmillrace_mock shows to programs: public names only, none of them libmillrace's; headers
that need nothing else."""

import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "library"))

from exports_test import PUBLIC, STANDARD, names, output_of  # noqa: E402

LIBRARY = pathlib.Path(os.environ["MILLRACE_MOCK_LIBRARY"])
HEADERS = pathlib.Path(__file__).resolve().parent / "include"
CLIENT_HEADERS = pathlib.Path(__file__).resolve().parents[1] / "include"
SOME = {"millrace::v1::mock::Cluster::bootstrap", "millrace::v1::MockProducer::send",
        "millrace::v1::MockConsumer::poll", "millrace::v1::name_of(millrace::v1::Api"}


class MockExportsTest(unittest.TestCase):

    def exported(self, library):
        return [name for name in names("--dynamic", library) if not name.startswith("MILLRACE_")]

    def test_shared_library_exports_public_names_only(self):
        found = self.exported(LIBRARY)
        self.assertTrue(all("@@MILLRACE_MOCK_1" in name for name in found), found)
        self.assertEqual([name for name in found if not PUBLIC.match(name)], [])
        for name in SOME:
            self.assertTrue(any(other.startswith(name) for other in found), f"{name} is hidden")

    def test_the_two_libraries_export_no_name_twice(self):
        def bare(library):
            return {name.partition("@@")[0] for name in self.exported(library)}

        self.assertEqual(bare(LIBRARY) & bare(os.environ["MILLRACE_LIBRARY"]), set())

    def test_shared_library_has_a_name_with_its_version_and_needs_the_client(self):
        entries = output_of("readelf", "--dynamic", LIBRARY)
        self.assertRegex(entries, r"SONAME.*\[libmillrace_mock\.so\.1\]")
        self.assertRegex(entries, r"NEEDED.*\[libmillrace\.so\.1\]")

    def test_headers_include_standard_headers_and_public_ones_only(self):
        headers = sorted(HEADERS.glob("**/*.hpp"))
        self.assertGreater(len(headers), 3)
        for header in headers:
            text = header.read_text(encoding="utf-8")
            for mark, name in re.findall(r'(?m)^\s*#\s*include\s*([<"])([^>"]+)', text):
                if mark == "<":
                    self.assertIn(name, STANDARD, header.name)
                else:
                    there = (HEADERS / name).is_file() or (CLIENT_HEADERS / name).is_file()
                    self.assertTrue(there, f"{header.name}: {name}")


if __name__ == "__main__":
    unittest.main()
