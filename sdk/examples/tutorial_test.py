"""docs/sdk/tutorial.md: the pieces on it are those of tutorial.cpp, which runs."""

import os
import pathlib
import re
import subprocess
import textwrap
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/sdk/tutorial.md"
PATIENCE_SECONDS = 120


class TutorialTest(unittest.TestCase):

    def test_the_pieces_of_the_page_are_those_that_are_compiled(self):
        text = (HERE / "tutorial.cpp").read_text(encoding="utf-8")
        compiled = [textwrap.dedent(piece) for piece in
                    re.findall(r"^ *// snippet\n(.*?)^ *// end\n", text, re.MULTILINE | re.DOTALL)]
        shown = re.findall(r"^```cpp\n(.*?)^```", PAGE.read_text(encoding="utf-8"),
                           re.MULTILINE | re.DOTALL)
        self.assertGreater(len(compiled), 5)
        self.assertEqual(shown, compiled)

    def test_the_pieces_run(self):
        program = pathlib.Path(os.environ["MILLRACE_EXAMPLES"]) / "tutorial"
        done = subprocess.run([program], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.splitlines(), ["0@0", "handled", "copied", "watched"])


if __name__ == "__main__":
    unittest.main()
