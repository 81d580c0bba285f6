"""What libmillrace shows to programs: public names only, headers that stand alone, and a module
that has the same names.
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools"))
import sdk_reference  # noqa: E402  (its folder had to be named first)

LIBRARY = pathlib.Path(os.environ["MILLRACE_LIBRARY"])
HEADERS = HERE.parent / "include/millrace"
# A function, a class's table and the type of an exception: whoever hides too much is found.
SOME = {"millrace::v1::Config::get", "vtable for millrace::v1::Failed",
        "typeinfo for millrace::v1::Failed"}
PUBLIC = re.compile(r"(?:(?:vtable|typeinfo|typeinfo name) for |auto )?millrace::v1::"
                    r"|_ZNK?8millrace2v1")
STANDARD = set("""
array atomic bit chrono compare concepts condition_variable charconv coroutine cstddef cstdint
deque functional initializer_list map iosfwd iterator memory mutex new optional span stdexcept
string string_view system_error type_traits utility variant vector
""".split())


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def names(*arguments):
    """The names of defined global symbols, as C++ writes them."""
    listed = output_of("nm", "--demangle", "--defined-only", "--extern-only", *arguments)
    return [line.split(" ", 2)[2] for line in listed.splitlines() if line.count(" ") >= 2]


def expect_public(test, found, some=tuple(SOME)):
    foreign = [name for name in found if not PUBLIC.match(name)]
    test.assertEqual(foreign, [])
    for name in some:
        test.assertTrue(any(other.startswith(name) for other in found), f"{name} is hidden")


class ExportsTest(unittest.TestCase):

    def test_shared_library_exports_public_names_only(self):
        found = [name for name in names("--dynamic", LIBRARY) if not name.startswith("MILLRACE_1")]
        self.assertTrue(all("@@MILLRACE_1" in name for name in found), found)
        expect_public(self, found)

    def test_shared_library_has_a_name_with_its_version(self):
        entries = output_of("readelf", "--dynamic", LIBRARY)
        self.assertRegex(entries, r"SONAME.*\[libmillrace\.so\.1\]")

    def test_headers_include_standard_headers_and_one_another_only(self):
        headers = sorted(HEADERS.glob("*.hpp"))
        self.assertGreater(len(headers), 5)
        for header in headers:
            text = header.read_text(encoding="utf-8")
            self.assertNotRegex(text, r"(?m)^\s*import\b", header.name)
            for mark, name in re.findall(r'(?m)^\s*#\s*include\s*([<"])([^>"]+)', text):
                if mark == "<":
                    self.assertIn(name, STANDARD, header.name)
                else:
                    self.assertTrue((HEADERS.parent / name).is_file(), f"{header.name}: {name}")

    def test_each_header_is_part_of_the_one_for_all(self):
        reached = {"millrace.hpp"}
        ahead = ["millrace.hpp"]
        while ahead:
            text = (HEADERS / ahead.pop()).read_text(encoding="utf-8")
            for name in re.findall(r'#include "millrace/([^"]+)"', text):
                if name not in reached:
                    reached.add(name)
                    ahead.append(name)
        self.assertEqual(reached, {header.name for header in HEADERS.glob("*.hpp")})

    def test_both_doors_lead_to_the_same_names(self):
        declared = set()
        for header in HEADERS.glob("*.hpp"):
            if header.name not in sdk_reference.LEFT_OUT:
                for title, _, _ in sdk_reference.items_of(header.read_text(encoding="utf-8")):
                    declared.update(title.split(", "))
        # A specialisation comes with its template.
        declared = {re.sub(r"(?<!operator)(?<=\w)<.*", "", name) for name in declared}
        module = (HERE / "millrace.cppm").read_text(encoding="utf-8")
        self.assertGreater(len(declared), 100)
        self.assertEqual(set(re.findall(r"using millrace::v1::(\S+);", module)), declared)


if __name__ == "__main__":
    unittest.main()
