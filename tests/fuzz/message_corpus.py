#!/usr/bin/env python3
"""Makes the seed corpus of message_fuzz from the golden vectors: one file for each message, at its
highest version, with every field set and, where the version is flexible, unknown tags.

    message_corpus.py        writes corpus/message beside this file

To be run again when a message is added: the first byte of a seed is the message's place among all.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "modules" / "protocol" / "schema"
VECTORS = HERE.parent / "golden" / "data" / "messages"
SEED_BYTES_MAX = 512


def lowest_version(schema: Path) -> int:
    words = schema.read_text().split()
    versions = next(word for word in words if word.startswith("versions="))
    return int(versions.removeprefix("versions=").split("-")[0])


def seed(vectors: Path) -> tuple[int, bytes]:
    """The version and the bytes of the richest vector that is not too long."""
    found = {}
    for line in vectors.read_text().splitlines():
        version, label, digits, _ = line.split("\t", 3)
        if len(digits) <= 2 * SEED_BYTES_MAX:
            found[int(version), label] = bytes.fromhex(digits)
    highest = max(version for version, _ in found)
    for label in ("unknown-tags", "full-2", "mixed-1", "default"):
        if (highest, label) in found:
            return highest, found[highest, label]
    raise SystemExit(f"{vectors}: no vector fit for a seed")


def main() -> None:
    corpus = HERE / "corpus" / "message"
    corpus.mkdir(parents=True, exist_ok=True)
    for old in corpus.iterdir():
        old.unlink()
    for place, schema in enumerate(sorted(SCHEMA.glob("*/*.schema"))):
        version, message = seed(VECTORS / f"{schema.stem}.tsv")
        head = bytes([place, version - lowest_version(schema)])
        (corpus / schema.stem).write_bytes(head + message)


if __name__ == "__main__":
    main()
