"""Plants violations of the rules about code and sees that each check names file and line."""

import unittest

from planted_tree import README, PlantedTree

# Written apart, so that the checks do not find it here.
UNFINISHED = "TO" "DO"


def function_of(lines):
    """A C++ function of exactly so many lines."""
    return "int f(int x) {\n" + "  x += 1;\n" * (lines - 3) + "  return x;\n}\n"


class CodeRulesTest(PlantedTree):

    def test_clean_tree_is_clean(self):
        done = self.tidy()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotRegex(done.stdout, r"\]\n")

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

    def test_test_program_may_open_our_namespaces_and_literals_but_not_std(self):
        self.append("modules/base/base_test.cpp", "\nusing namespace millrace;\n"
                    "using namespace std::chrono_literals;\nusing namespace std;\n")
        self.expect("using-namespace", "modules/base/base_test.cpp", 11, "namespace std ")
        self.assertEqual(len(self.findings()), 1)

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


if __name__ == "__main__":
    unittest.main()
