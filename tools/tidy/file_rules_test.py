"""Plants violations of the rules about files and sees that each check names file and line."""

import unittest

from planted_tree import README, PlantedTree

# Written apart, so that the checks do not find them here.
MACHINE_PATH = "/wo" "rk/main"
PACKAGE_SERVER = "http://deb.deb" "ian.org/deb" "ian"


class FileRulesTest(PlantedTree):

    def test_totals_count_passed_and_failed_checks(self):
        self.append("modules/base/base.cpp", "// " + "x" * 98 + "\n")
        self.tidy("--totals", str(self.root / "totals"))
        passed, failed = map(int, (self.root / "totals").read_text().split())
        self.assertEqual(failed, 1)
        self.assertGreater(passed, 15)

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

    def test_test_may_name_further_units_that_it_proves(self):
        self.write("modules/upper/CMakeLists.txt",
                   "sources(upper.cppm upper.cpp upper_test.cpp fast.cpp slow.cppm)\n")
        self.write("modules/upper/fast.cpp", "module millrace.upper;\n\nvoid fast() {}\n")
        self.write("modules/upper/slow.cppm", "export module millrace.upper:slow;\nvoid slow();\n")
        self.write("modules/upper/upper_test.cpp",
                   "// Also proves fast.cpp and\n// slow.cppm. Nothing else.\n"
                   "import millrace.upper;\n")
        self.expect_clean()

    def test_test_cannot_prove_a_unit_that_is_not_there(self):
        self.write("modules/upper/upper_test.cpp",
                   "// Also proves fast.cpp.\nimport millrace.upper;\n")
        self.expect("unit-tests", "modules/upper/upper_test.cpp", 1, "fast.cpp")

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

    def test_readme_above_may_speak_for_a_small_folder_of_tests(self):
        self.write("tests/README.md", README)
        self.write("tests/one/run.py", "print(1)\n")
        self.append("tests/README.md", "run.py does it\n")
        self.expect("readmes", "tests/one/run.py", 1)
        self.append("tests/README.md", "- `one/`: the first\n")
        self.expect_clean()

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
