"""The library as a stranger finds it: installed into an empty prefix, then used by programs outside
the tree, with pkg-config and find_package, g++ 12 and clang, headers and modules.

The programs are in sdk/examples/installed.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from exports_test import expect_public, names

CMAKE = os.environ["MILLRACE_CMAKE"]
BUILD = pathlib.Path(os.environ["MILLRACE_BUILD"])
CLANG = os.environ["MILLRACE_CLANG"]
GCC = "g++-12"
MOCKS_SAY = "mocks: hello, hello; the mock has no topic greeting\n"
PROGRAMS = pathlib.Path(__file__).resolve().parents[2] / "examples/installed"


def run(*command, **options):
    """Gives what the command printed; fails with all that it said."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


class InstallationTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-installed-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        # A path that is no default of anything, and moved once: nothing may remember the first.
        first = cls.directory / "first"
        run(CMAKE, "--install", BUILD, "--component", "sdk", "--prefix", first)
        cls.prefix = first.rename(cls.directory / "a prefix")
        cls.libraries = next(cls.prefix.glob("**/libmillrace.so")).parent
        cls.pkg_config = dict(os.environ, PKG_CONFIG_PATH=str(cls.libraries / "pkgconfig"))

    def flags(self, *arguments, package="millrace"):
        # pkg-config writes a space as "\ ".
        words = run("pkg-config", *arguments, package, env=self.pkg_config).strip()
        return [word.replace("\0", " ") for word in words.replace("\\ ", "\0").split()]

    def build_with_cmake(self, name, *arguments):
        """Configures and builds the programs; gives the folder that they are in."""
        build = self.directory / name
        run(CMAKE, "-S", PROGRAMS, "-B", build, "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={self.prefix}", *arguments)
        run(CMAKE, "--build", build)
        return build

    def build_header_door_with_pkg_config(self, compiler, program):
        run(compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", PROGRAMS / "header_door.cpp",
            *self.flags("--cflags", "--libs"), "-o", program)
        printed = run(program, env=dict(os.environ, LD_LIBRARY_PATH=str(self.libraries)))
        self.assertIn("header door: ", printed)

    def test_gcc_builds_with_pkg_config(self):
        self.build_header_door_with_pkg_config(GCC, self.directory / "by_pkg_config")

    def test_clang_builds_with_pkg_config(self):
        self.build_header_door_with_pkg_config(CLANG, self.directory / "by_pkg_config_clang")

    def test_gcc_builds_mocks_with_pkg_config(self):
        program = self.directory / "mocks_by_pkg_config"
        run(GCC, "-std=c++20", "-Wall", "-Wextra", "-Werror", PROGRAMS / "mocks.cpp",
            *self.flags("--cflags", "--libs", package="millrace-mock"), "-o", program)
        printed = run(program, env=dict(os.environ, LD_LIBRARY_PATH=str(self.libraries)))
        self.assertEqual(printed, MOCKS_SAY)

    def test_gcc_builds_with_the_static_library(self):
        program = self.directory / "by_static"
        needs = [flag for flag in self.flags("--static", "--libs") if flag != "-lmillrace"]
        run(GCC, "-std=c++20", PROGRAMS / "header_door.cpp", *self.flags("--cflags"),
            self.libraries / "libmillrace.a", *needs, "-o", program)
        self.assertIn("header door: ", run(program))

    def test_static_library_leaves_public_names_only(self):
        expect_public(self, names(self.libraries / "libmillrace.a"))
        expect_public(self, names(self.libraries / "libmillrace_mock.a"),
                      {"millrace::v1::mock::Cluster::bootstrap"})

    def test_gcc_builds_with_find_package(self):
        build = self.build_with_cmake("gcc", f"-DCMAKE_CXX_COMPILER={GCC}", "-DDOORS=header")
        self.assertIn("header door: ", run(build / "header_door"))
        self.assertIn("header door: ", run(build / "header_door_static"))
        self.assertEqual(run(build / "mocks"), MOCKS_SAY)
        self.assertEqual(run(build / "mocks_static"), MOCKS_SAY)

    def test_clang_builds_with_modules_and_mixes_the_doors(self):
        build = self.build_with_cmake("clang", f"-DCMAKE_CXX_COMPILER={CLANG}", "-DDOORS=both")
        self.assertIn("header door: ", run(build / "header_door"))
        self.assertIn("module door: ", run(build / "module_door"))
        self.assertEqual(run(build / "mocks"), MOCKS_SAY)
        self.assertEqual(run(build / "two_doors"), "two doors: closed\n")


if __name__ == "__main__":
    unittest.main()
