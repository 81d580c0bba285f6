"""Plants each violation in a small tree and sees that its check names file and line."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
# Written apart, so that the checks do not find them here.
UNFINISHED = "TO" "DO"
MACHINE_PATH = "/wo" "rk/main"
PACKAGE_SERVER = "http://deb.deb" "ian.org/deb" "ian"

README = "# A folder\n\nWhat it is.\n\nStart with the interface.\n"

CLEAN_TREE = {
    "CMakeLists.txt": "add_subdirectory(modules/base)\nadd_subdirectory(modules/upper)\n",
    "tools/layers.txt": "modules/base   millrace.base\nmodules/upper  millrace.upper\ntests  -\n",
    "modules/base/README.md": README,
    "modules/base/CMakeLists.txt": "sources(base.cppm base.cpp base_test.cpp base_wrapper.h)\n",
    "modules/base/base.cppm":
        "// The vocabulary.\nmodule;\n#include <string>\n\nexport module millrace.base;\n\n"
        "export std::string name();\n",
    "modules/base/base.cpp":
        "module;\n#include <string>\n\nmodule millrace.base;\n\n"
        "std::string name() {\n  return \"base\";\n}\n",
    "modules/base/base_wrapper.h": "#pragma once\n#include <string>\n",
    "modules/base/base_test.cpp":
        "#include \"base_wrapper.h\"\n\nimport millrace.base;\n\n"
        "TEST(Base, has_a_name) {\n  name();\n}\n",
    "modules/upper/README.md": README,
    "modules/upper/CMakeLists.txt": "sources(upper.cppm upper.cpp upper_test.cpp)\n",
    "modules/upper/upper.cppm":
        "export module millrace.upper;\n\nimport millrace.base;\n\nexport void work();\n",
    "modules/upper/upper.cpp": "module millrace.upper;\n\nvoid work() {}\n",
    "modules/upper/upper_test.cpp": "import millrace.upper;\n",
}


def function_of(lines):
    """A C++ function of exactly so many lines."""
    return "int f(int x) {\n" + "  x += 1;\n" * (lines - 3) + "  return x;\n}\n"


class TidyTest(unittest.TestCase):

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidy-test-"))
        self.addCleanup(shutil.rmtree, self.root)
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)
        shutil.copy(REPOSITORY / ".clang-format", self.root)
        for path, text in CLEAN_TREE.items():
            self.write(path, text)

    def write(self, path, text, executable=False):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if executable:
            file.chmod(0o755)

    def append(self, path, text):
        with open(self.root / path, "a") as file:
            file.write(text)

    def tidy(self, *arguments):
        return subprocess.run(
            [sys.executable, "-B", str(HERE / "tidy.py"), "--root", str(self.root), *arguments],
            capture_output=True, text=True)

    def findings(self, check=None):
        """What tidy prints; planted code need not be formatted unless `check` is about that."""
        lines = self.tidy().stdout.splitlines()
        return [line for line in lines if re.match(r"\S+:\d+: (?!warning)", line)
                and (check == "format" or not line.endswith("[format]"))]

    def expect(self, check, path, line, words=""):
        """The check fails and names the place; no other check speaks."""
        found = self.findings(check)
        self.assertTrue(any(one.startswith(f"{path}:{line}: ") and one.endswith(f"[{check}]")
                            and words in one for one in found), found)
        self.assertEqual([one for one in found if not one.endswith(f"[{check}]")], [])
        only = [] if check == "exceptions" else ["--only", check]
        self.assertEqual(self.tidy(*only).returncode, 1)

    def expect_clean(self):
        self.assertEqual(self.findings(), [])

    def test_clean_tree_is_clean(self):
        done = self.tidy()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotRegex(done.stdout, r"\]\n")

    def test_totals_count_passed_and_failed_checks(self):
        self.append("modules/base/base.cpp", f"// {UNFINISHED}\n")
        self.tidy("--totals", str(self.root / "totals"))
        passed, failed = map(int, (self.root / "totals").read_text().split())
        self.assertEqual(failed, 1)
        self.assertGreater(passed, 15)

    # format

    def test_unformatted_file_is_found(self):
        self.write("modules/upper/upper.cpp", "module millrace.upper;\n\nvoid   work() {}\n")
        self.expect("format", "modules/upper/upper.cpp", 3)

    # file-order

    def test_include_after_import_is_found(self):
        self.write("modules/upper/upper_test.cpp", "import millrace.upper;\n\n#include <string>\n")
        self.expect("file-order", "modules/upper/upper_test.cpp", 3, "string")

    def test_include_below_the_module_line_is_found(self):
        self.write("modules/upper/upper.cpp",
                   "module;\n#include <string>\n\nmodule millrace.upper;\n\n#include <vector>\n")
        self.expect("file-order", "modules/upper/upper.cpp", 6)

    def test_module_unit_that_does_not_begin_with_module_is_found(self):
        self.write("modules/upper/upper.cpp", "#include <string>\n\nmodule millrace.upper;\n")
        self.expect("file-order", "modules/upper/upper.cpp", 1, "module;")

    def test_interface_without_a_module_is_found(self):
        self.write("modules/upper/upper.cppm", "// Nothing here.\nvoid work();\n")
        self.expect("file-order", "modules/upper/upper.cppm", 1)

    # third-party-headers

    def test_third_party_header_in_an_interface_is_found(self):
        self.write("modules/upper/upper.cppm",
                   "module;\n#include <zstd.h>\n\nexport module millrace.upper;\n")
        self.expect("third-party-headers", "modules/upper/upper.cppm", 2, "zstd.h")

    def test_third_party_header_in_a_source_file_is_fine(self):
        self.write("modules/upper/upper.cpp",
                   "module;\n#include <zstd.h>\n\nmodule millrace.upper;\n")
        self.expect_clean()

    # layering

    def test_import_of_a_higher_module_is_found(self):
        self.write("modules/base/base.cpp", "module millrace.base;\n\nimport millrace.upper;\n")
        self.expect("layering", "modules/base/base.cpp", 3, "millrace.upper")

    def test_import_of_an_unknown_module_is_found(self):
        self.write("modules/upper/upper.cpp", "module millrace.upper;\n\nimport millrace.lower;\n")
        self.expect("layering", "modules/upper/upper.cpp", 3, "millrace.lower")

    def test_module_not_named_by_its_folder_is_found(self):
        self.write("modules/upper/upper.cppm", "export module millrace.top;\n")
        self.expect("layering", "modules/upper/upper.cppm", 1, "millrace.upper")

    def test_folder_outside_the_list_is_found(self):
        self.write("modules/other/README.md", README)
        self.write("modules/other/CMakeLists.txt", "sources(other.cpp other_test.cpp)\n")
        self.write("modules/other/other.cpp", "module millrace.other;\n")
        self.write("modules/other/other_test.cpp", "// Proves nothing yet.\n")
        self.expect("layering", "modules/other/other.cpp", 1)

    def test_generated_modules_of_a_folder_are_known(self):
        self.write("tools/layers.txt",
                   "modules/base   millrace.base{,.made}\nmodules/upper  millrace.upper\n")
        self.write("modules/upper/upper.cpp",
                   "module millrace.upper;\n\nimport millrace.base.made;\n")
        self.expect_clean()

    # naming

    def test_file_name_in_camel_case_is_found(self):
        self.write("modules/upper/CMakeLists.txt",
                   "sources(upper.cppm upper.cpp upper_test.cpp Upper_part.cpp)\n")
        self.write("modules/upper/Upper_part.cpp", "module millrace.upper;\n")
        self.write("modules/upper/Upper_test.cpp", "import millrace.upper;\n")
        done = self.tidy("--only", "naming")
        self.assertIn("modules/upper/Upper_part.cpp:1: ", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_test_not_named_after_a_behaviour_is_found(self):
        self.write("modules/upper/upper_test.cpp",
                   "import millrace.upper;\n\nTEST(Upper, WorksFine) {}\n")
        self.expect("naming", "modules/upper/upper_test.cpp", 3, "WorksFine")

    # lengths

    def test_line_above_100_columns_is_found(self):
        self.append("modules/base/CMakeLists.txt", "# " + "x" * 98 + "\n# " + "x" * 99 + "\n")
        self.expect("line-length", "modules/base/CMakeLists.txt", 3, "101")

    def test_line_length_counts_letters_and_not_bytes(self):
        self.append("modules/base/CMakeLists.txt", "# " + "ä" * 98 + "\n")
        self.expect_clean()

    def test_file_above_600_lines_is_found(self):
        self.append("modules/base/CMakeLists.txt", "# line\n" * 600)
        self.expect("file-length", "modules/base/CMakeLists.txt", 601)

    def test_file_above_300_lines_is_only_warned_of(self):
        self.append("modules/base/CMakeLists.txt", "# line\n" * 300)
        done = self.tidy()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("modules/base/CMakeLists.txt:301: warning: ", done.stdout)

    def test_data_table_may_be_long(self):
        self.write("modules/base/CMakeLists.txt", "# tidy: data table\n"
                   "sources(base.cppm base.cpp base_test.cpp)\n" + "# line\n" * 600)
        self.expect_clean()

    def test_function_above_70_lines_is_found(self):
        self.append("modules/base/base.cpp", "\n" + function_of(71))
        self.expect("function-length", "modules/base/base.cpp", 10, "f has 71 lines")

    def test_function_of_70_lines_is_fine(self):
        self.append("modules/base/base.cpp", "\n" + function_of(70))
        self.expect_clean()

    def test_long_member_function_is_found_behind_its_initialisers(self):
        self.append("modules/base/base.cpp", "\nstruct Thing {\n"
                    "  explicit Thing(int x) : value{x}, other(x) {\n" + "    value += 1;\n" * 70
                    + "  }\n  int value;\n  int other;\n};\n")
        self.expect("function-length", "modules/base/base.cpp", 11, "Thing has 72 lines")

    def test_braces_in_strings_and_comments_do_not_count(self):
        self.append("modules/base/base.cpp", "\nint g() {\n  // {{{\n"
                    "  const char* text = \"{{{\";\n  const char brace = '{';\n"
                    "  const auto* raw = R\"({)\";\n  return text[0] + brace + raw[0] + 1'000;\n"
                    "}\n\n" + function_of(71))
        self.expect("function-length", "modules/base/base.cpp", 18, "f has 71 lines")

    def test_function_that_is_a_data_table_may_be_long(self):
        self.append("modules/base/base.cpp", "\n// tidy: data table\n" + function_of(71))
        self.expect_clean()

    def test_long_python_function_is_found(self):
        self.write("tools/README.md", README + "\nlong.py\n")
        self.write("tools/long.py", "def f():\n" + "    pass\n" * 70)
        self.expect("function-length", "tools/long.py", 1, "f has 71 lines")

    def test_long_shell_function_is_found(self):
        self.write("tools/README.md", README + "\nlong.sh\n")
        self.write("tools/long.sh", "f() {\n" + "  true\n" * 70 + "}\n")
        self.expect("function-length", "tools/long.sh", 1, "f has 72 lines")

    # headers, namespaces, output, words

    def test_header_without_pragma_once_is_found(self):
        self.write("modules/base/base_wrapper.h", "#include <string>\n")
        self.expect("pragma-once", "modules/base/base_wrapper.h", 1)

    def test_using_namespace_at_namespace_scope_is_found(self):
        self.append("modules/base/base.cpp", "\nnamespace {\nusing namespace std;\n}\n")
        self.expect("using-namespace", "modules/base/base.cpp", 11)

    def test_using_namespace_in_a_function_is_fine(self):
        self.append("modules/base/base.cpp",
                    "\nvoid h() {\n  using namespace std::literals;\n}\n")
        self.expect_clean()

    def test_console_output_in_a_module_is_found(self):
        self.write("modules/upper/upper.cpp", "module;\n#include <iostream>\n\n"
                   "module millrace.upper;\n\nvoid work() { std::cout << 1; }\n")
        self.expect("console-output", "modules/upper/upper.cpp", 6)

    def test_console_output_in_a_comment_is_fine(self):
        self.append("modules/upper/upper.cpp", "\n// Unlike std::cout.\n")
        self.expect_clean()

    def test_unfinished_word_is_found_anywhere(self):
        self.append("modules/base/README.md", f"\n{UNFINISHED}: say more\n")
        self.expect("unfinished-words", "modules/base/README.md", 7)

    # what belongs together

    def test_unit_without_a_test_is_found(self):
        self.write("modules/upper/CMakeLists.txt",
                   "sources(upper.cppm upper.cpp upper_test.cpp lonely.cpp)\n")
        self.write("modules/upper/lonely.cpp", "module millrace.upper;\n\nvoid alone() {}\n")
        self.expect("unit-tests", "modules/upper/lonely.cpp", 1, "lonely_test.cpp")

    def test_part_of_a_tested_unit_needs_no_test_of_its_own(self):
        self.write("modules/upper/CMakeLists.txt",
                   "sources(upper.cppm upper.cpp upper_test.cpp upper_fast.cpp)\n")
        self.write("modules/upper/upper_fast.cpp", "module millrace.upper;\n\nvoid fast() {}\n")
        self.expect_clean()

    def test_source_that_cmake_does_not_name_is_found(self):
        self.write("modules/upper/upper_fast.cpp", "module millrace.upper;\n\nvoid fast() {}\n")
        self.append("modules/upper/CMakeLists.txt", "# upper_fast.cpp in a comment is no mention\n")
        self.expect("cmake-sources", "modules/upper/upper_fast.cpp", 1)

    def test_glob_of_sources_is_found(self):
        self.append("modules/upper/CMakeLists.txt", "\nfile(GLOB found CONFIGURE_DEPENDS *.cpp)\n")
        self.expect("cmake-sources", "modules/upper/CMakeLists.txt", 3)

    def test_glob_of_generator_input_must_see_new_files(self):
        self.append("modules/upper/CMakeLists.txt", "\nfile(GLOB found *.schema)\n")
        self.expect("cmake-sources", "modules/upper/CMakeLists.txt", 3, "CONFIGURE_DEPENDS")

    def test_script_that_nothing_mentions_is_found(self):
        self.write("tools/README.md", README)
        self.write("tools/forgotten.py", "print(1)\n")
        self.expect("dead-files", "tools/forgotten.py", 1)

    def test_header_that_nothing_includes_is_found(self):
        self.write("modules/base/base_wrapper.h", "#pragma once\n")
        self.write("modules/base/base_test.cpp", "import millrace.base;\n")
        self.write("modules/base/CMakeLists.txt", "sources(base.cppm base.cpp base_test.cpp)\n")
        self.expect("dead-files", "modules/base/base_wrapper.h", 1)

    def test_schema_of_an_unknown_family_is_found(self):
        self.write("modules/protocol/CMakeLists.txt", "set(families fetch)\n")
        self.write("modules/protocol/schema/README.md", README)
        self.write("modules/protocol/schema/fetch/a.schema", "request A\n")
        self.write("modules/protocol/schema/lost/b.schema", "request B\n")
        self.expect("dead-files", "modules/protocol/schema/lost/b.schema", 1, "lost")

    def test_data_folder_that_no_test_names_is_found(self):
        self.write("modules/base/data/used/a.bin", "a")
        self.write("modules/base/data/unused/b.bin", "b")
        self.append("modules/base/base_test.cpp",
                    "\nconst char* path = \"modules/base/data/used\";\n")
        self.expect("dead-files", "modules/base/data/unused/b.bin", 1)

    def test_folder_without_a_readme_is_found(self):
        (self.root / "modules/upper/README.md").unlink()
        self.expect("readmes", "modules/upper/upper.cpp", 1, "modules/upper")

    def test_empty_readme_is_found(self):
        self.write("modules/upper/README.md", "# Upper\n")
        self.expect("readmes", "modules/upper/README.md", 1)

    def test_link_to_nowhere_is_found(self):
        self.append("modules/base/README.md", "\nSee [this](base.cppm) and [that](gone.cppm).\n")
        self.expect("doc-links", "modules/base/README.md", 7, "gone.cppm")

    # scripts

    def test_script_that_does_not_stop_at_failures_is_found(self):
        self.write("tools/README.md", README + "\nrun-it\n")
        self.write("tools/run-it", "#!/usr/bin/env bash\ntrue\n", executable=True)
        self.expect("scripts", "tools/run-it", 1, "pipefail")

    def test_script_that_is_not_executable_is_found(self):
        self.write("tools/README.md", README + "\nrun-it\n")
        self.write("tools/run-it", "#!/usr/bin/env bash\nset -euo pipefail\n")
        self.expect("scripts", "tools/run-it", 1, "executable")

    def test_script_with_wrong_syntax_is_found(self):
        self.write("tools/README.md", README + "\nbroken.sh\n")
        self.write("tools/broken.sh", "if true; then\n")
        self.expect("scripts", "tools/broken.sh", 1, "bash cannot read it")

    # machine-leaks

    def test_path_of_one_machine_is_found(self):
        self.append("modules/base/README.md", f"\nBuilt in {MACHINE_PATH}.\n")
        self.expect("machine-leaks", "modules/base/README.md", 7)

    def test_address_of_a_package_server_is_found(self):
        self.append("modules/base/CMakeLists.txt", f"\n# from {PACKAGE_SERVER}\n")
        self.expect("machine-leaks", "modules/base/CMakeLists.txt", 3)

    # exceptions

    def test_exception_with_a_reason_is_respected(self):
        self.write("modules/upper/upper.cppm",
                   "module;\n#include <zstd.h>\n\nexport module millrace.upper;\n")
        self.write("tools/tidy/exceptions.txt",
                   "third-party-headers modules/upper/*.cppm wraps it for everybody\n")
        self.expect_clean()

    def test_exception_without_a_reason_is_found(self):
        self.write("tools/tidy/exceptions.txt", "third-party-headers modules/upper/upper.cppm\n")
        self.expect("exceptions", "tools/tidy/exceptions.txt", 1, "reason")

    def test_exception_that_excepts_nothing_is_found(self):
        self.write("tools/tidy/exceptions.txt", "format modules/upper/upper.cpp because\n")
        self.expect("exceptions", "tools/tidy/exceptions.txt", 1, "drop the line")


if __name__ == "__main__":
    unittest.main()
