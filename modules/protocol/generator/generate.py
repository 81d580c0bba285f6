#!/usr/bin/env python3
"""Makes C++ from the schema files. Run by the build:

    generate.py family SCHEMA_DIR FAMILY OUT_DIR [MODULE]
                                                    FAMILY.cppm and FAMILY.cpp
    generate.py api SCHEMA_DIR OUT_DIR              keys.cppm and error_codes.cppm
    generate.py json SCHEMA_DIR FAMILY OUT_DIR      FAMILY_codecs.cpp, used by tests only
    generate.py printers SCHEMA_DIR FAMILY OUT_DIR MODULE
                                                    FAMILY_printers.cpp, a unit of the module

A file is written only if its content changes, so that nothing is compiled again without need.
"""

import sys
from pathlib import Path

from emit_api import emit_error_codes, emit_keys
from emit_json import emit_codecs, emit_printers
from emit_messages import emit_bodies, emit_interface
from schema import SchemaError, read_family


def write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def families(schema: Path) -> list[str]:
    return sorted(folder.name for folder in schema.iterdir() if folder.is_dir())


def main(arguments: list[str]) -> int:
    match arguments:
        case ["family", schema, family, out, *module]:
            messages = read_family(Path(schema) / family)
            interface = emit_interface(family, messages, *module)
            write_if_changed(Path(out) / f"{family}.cppm", interface)
            write_if_changed(Path(out) / f"{family}.cpp", emit_bodies(family, messages, *module))
        case ["api", schema, out]:
            messages = [
                m for family in families(Path(schema)) for m in read_family(Path(schema) / family)
            ]
            write_if_changed(Path(out) / "keys.cppm", emit_keys(messages))
            write_if_changed(
                Path(out) / "error_codes.cppm", emit_error_codes(Path(schema) / "error_codes.list")
            )
        case ["json", schema, family, out]:
            messages = read_family(Path(schema) / family)
            write_if_changed(Path(out) / f"{family}_codecs.cpp", emit_codecs(family, messages))
        case ["printers", schema, family, out, module]:
            messages = read_family(Path(schema) / family)
            write_if_changed(
                Path(out) / f"{family}_printers.cpp", emit_printers(family, messages, module)
            )
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SchemaError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
