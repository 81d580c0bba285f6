"""keep.py LOGS LIVE FILES OUT: writes OUT.tar.gz, the log directory, and OUT.tsv, its manifest.

The manifest has, partition by partition, what the running node answered (LIVE) and then what
Kafka's classes read in its files (FILES).
"""

import gzip
import io
import pathlib
import sys
import tarfile


def sections(path):
    """The lines of each partition, without the line that begins it."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("partition\t"):
            lines = found.setdefault(line.split("\t")[1], [])
        else:
            lines.append(line)
    return found


def pack(logs):
    """The directory as a ustar archive that depends on names and contents only."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(logs.rglob("*")):
            entry = tarfile.TarInfo(path.relative_to(logs).as_posix())
            entry.mode = 0o755 if path.is_dir() else 0o644
            if path.is_dir():
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                contents = path.read_bytes()
                entry.size = len(contents)
                archive.addfile(entry, io.BytesIO(contents))
    return gzip.compress(packed.getvalue(), mtime=0)


def main():
    logs, live, files, out = (pathlib.Path(argument) for argument in sys.argv[1:])
    answers = sections(live)
    lines = []
    for partition, found in sections(files).items():
        lines += ["partition\t" + partition, *answers.pop(partition, []), *found]
    if answers:
        sys.exit(f"the directory lacks {', '.join(answers)}")
    out.with_suffix(".tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    packed = pack(logs)
    out.with_suffix(".tar.gz").write_bytes(packed)
    print(f"{out.name}: {len(packed)} bytes, {len(lines)} lines of manifest")


main()
