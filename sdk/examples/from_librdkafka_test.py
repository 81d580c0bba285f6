"""docs/sdk/from-librdkafka.md: our pieces on it are those of from_librdkafka.cpp, which runs; the
settings that it names are those that there are."""

import os
import pathlib
import re
import subprocess
import textwrap
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent / "from_librdkafka.cpp"
DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs/sdk"
PATIENCE_SECONDS = 120


class FromLibrdkafkaTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.page = (DOCS / "from-librdkafka.md").read_text(encoding="utf-8")

    def test_our_pieces_are_those_that_are_compiled(self):
        text = SOURCE.read_text(encoding="utf-8")
        compiled = [textwrap.dedent(piece) for piece in
                    re.findall(r"^ *// snippet\n(.*?)^ *// end\n", text, re.MULTILINE | re.DOTALL)]
        shown = re.findall(r"^```cpp\n// Millrace\n(.*?)^```", self.page, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(compiled), 5)
        self.assertEqual(shown, compiled)

    def test_the_pieces_run(self):
        program = pathlib.Path(os.environ["MILLRACE_EXAMPLES"]) / "from_librdkafka"
        done = subprocess.run([program], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")

    def test_settings_of_ours_are_there(self):
        known = set(re.findall(r"^\| `([\w.]+)` \|", (DOCS / "reference/settings.md").read_text(
            encoding="utf-8"), re.MULTILINE))
        rows = re.findall(r"^\| [^|]* \| ([^|]*) \|[^|]*\|$",
                          self.page.partition("## Settings that differ")[2], re.MULTILINE)
        named = {name for cell in rows for name in re.findall(r"`([a-z]+(?:\.[a-z]+)+)`", cell)}
        self.assertGreater(len(named), 10)
        self.assertEqual(named - known, set())


if __name__ == "__main__":
    unittest.main()
