"""A link in the documentation leads somewhere: every relative link of a Markdown page names a file
or folder.
"""

import re

from tree import Finding

NAME = "doc-links"
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE_SPAN = re.compile(r"`[^`]*`")


def findings(tree):
    for file in tree.files:
        if file.suffix != ".md" or file.text is None:
            continue
        in_code_block = False
        for number, line in enumerate(file.lines, 1):
            if line.lstrip().startswith("```"):
                in_code_block = not in_code_block
            if in_code_block:
                continue
            for match in LINK.finditer(CODE_SPAN.sub("", line)):
                target = match[1].partition("#")[0]
                if not target or "://" in target or target.startswith("mailto:"):
                    continue
                if not (tree.root / file.folder / target).exists():
                    yield Finding(file.path, number, f"the link to {match[1]} leads nowhere")
