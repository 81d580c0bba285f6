"""Nothing in the repository knows the machine that it was written on: no path of it, no address of
a package server. What is needed is derived from the machine at hand.
"""

import re

from tree import Finding

NAME = "machine-leaks"
# Written apart, so that this file does not find itself.
PATHS = ("/wo" "rk/", "/fa" "rm/", "bash_" "jobs", r"\.lib" "rary/", "/ho" r"me/\w", "/ro" "ot/")
HOSTS = ("deb" "ian", "py" "pi", "pythonho" "sted", "ma" "ven", "npm" "js", "go" "lang",
         "cra" "tes")
XML_NAMESPACE = r"(?!ma" r"ven\.apache\.org/(?:POM|xsd)/)"  # a name, not a server that is asked
PATTERN = re.compile(
    r"(?<![\w.})$])(?:" + "|".join(PATHS) + r")"
    r"|(?:https?|ftp)://" + XML_NAMESPACE + r"[\w.-]*(?:" + "|".join(HOSTS) + r")[\w.-]*",
    re.IGNORECASE)


def findings(tree):
    for file in tree.text_files():
        if not PATTERN.search(file.text):
            continue
        for number, line in enumerate(file.lines, 1):
            if match := PATTERN.search(line):
                yield Finding(file.path, number,
                              f"'{match[0]}' belongs to one machine or one mirror")
