#!/usr/bin/env python3
"""Compressed data by other programs than ours, into tests/golden/data/compression.

Needs requirements.txt. Writes one file a case and cases.tsv: file, codec, and what is in it: the
name of a text below, or "refused" and the fault that reading it ends with.
"""
import gzip
import io
import pathlib
import struct

import kafka.codec
import lz4.frame
import snappy
import zstandard

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "compression"


def noise(size):
    """Cannot be compressed: xorshift of 32 bits, the low byte of each state."""
    state, out = 1, bytearray()
    for _ in range(size):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        out.append(state & 0xFF)
    return bytes(out)


LINES = "".join(f"{i // 50} jumps over the lazy dog {i % 3}\n" for i in range(6000)).encode()
TEXTS = {
    "empty": b"",
    "short": b"a record",
    "lines": LINES,
    "noise": noise(3000),
    "mixed": noise(1000) + LINES[:70000] + noise(1000),
}


def gzip_file(data, level, name=""):
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", level, out, mtime=1700000000) as file:
        file.write(data)
    return out.getvalue()


def gzip_with_all_fields(data):
    """Extra field, name, comment and header checksum: flags that gzip.GzipFile does not write."""
    member = gzip_file(data, 6)
    fields = struct.pack("<H", 4) + b"abcd" + b"name\0" + b"comment\0"
    header = b"\x1f\x8b\x08\x1e" + member[4:10] + fields
    crc = gzip.zlib.crc32(header) & 0xFFFF
    return header + struct.pack("<H", crc) + member[10:]


def lz4_frame(data, **options):
    options.setdefault("block_linked", False)
    options.setdefault("store_size", False)
    return lz4.frame.compress(data, **options)


def zstd_stream(data, **parameters):
    """As a writer that does not know the size beforehand: the frame does not name it."""
    chosen = zstandard.ZstdCompressionParameters.from_level(
        3, write_content_size=False, **parameters)
    compressor = zstandard.ZstdCompressor(compression_params=chosen).compressobj()
    return compressor.compress(data) + compressor.flush()


def xerial(data):
    return kafka.codec.snappy_encode(data)


def cases():
    for name, data in TEXTS.items():
        yield "gzip", f"{name}-1", gzip_file(data, 1), name
        yield "gzip", f"{name}-9", gzip_file(data, 9, "file.log"), name
        yield "snappy", f"{name}-raw", snappy.compress(data), name
        yield "snappy", f"{name}-xerial", xerial(data), name
        yield "lz4", f"{name}", lz4_frame(data), name
        yield "zstd", f"{name}-3", zstandard.ZstdCompressor(level=3).compress(data), name
        yield "zstd", f"{name}-stream", zstd_stream(data), name

    lines, short = TEXTS["lines"], TEXTS["short"]
    yield "gzip", "all-header-fields", gzip_with_all_fields(short), "short"
    members = [gzip_file(part, 6) for part in (lines[:50000], b"", lines[50000:])]
    yield "gzip", "members", b"".join(members), "lines"
    yield "gzip", "trailing", gzip_file(short, 6) + b"\0\0\0", "refused trailing_bytes"
    yield "gzip", "zlib-wrapper", gzip.zlib.compress(short), "refused header_invalid"

    yield "snappy", "streams", xerial(lines[:50000]) + xerial(lines[50000:]), "lines"
    small_blocks = kafka.codec.snappy_encode(lines, xerial_blocksize=1000)
    yield "snappy", "small-blocks", small_blocks, "lines"
    google = snappy.StreamCompressor().compress(short)
    yield "snappy", "google-framing", google, "refused data_invalid"

    for size, name in ((5, "256k"), (6, "1m"), (7, "4m")):
        yield "lz4", f"blocks-{name}", lz4_frame(lines, block_size=size), "lines"
    yield "lz4", "all-fields", lz4_frame(
        lines, store_size=True, content_checksum=True, block_checksum=True, block_size=4), "lines"
    yield "lz4", "noise-all-fields", lz4_frame(
        TEXTS["noise"], store_size=True, content_checksum=True, block_checksum=True), "noise"
    yield "lz4", "level-12", lz4_frame(lines, compression_level=12), "lines"
    linked = lz4_frame(lines, block_linked=True, block_size=4)
    yield "lz4", "linked", linked, "refused linked_blocks"
    yield "lz4", "two-frames", lz4_frame(short) + lz4_frame(short), "refused trailing_bytes"
    old = kafka.codec.lz4_encode_old_kafka(short)
    yield "lz4", "old-kafka", old, "refused header_checksum_mismatch"

    yield "zstd", "level-minus-5", zstandard.ZstdCompressor(level=-5).compress(lines), "lines"
    yield "zstd", "level-22", zstandard.ZstdCompressor(level=22).compress(lines), "lines"
    checked = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(lines)
    yield "zstd", "checksum", checked, "lines"
    yield "zstd", "window-128m", zstd_stream(lines, window_log=27), "lines"
    yield "zstd", "window-256m", zstd_stream(lines, window_log=28), "refused window_too_large"
    parts = (lines[:50000], lines[50000:])
    frames = [zstandard.ZstdCompressor(level=3).compress(part) for part in parts]
    yield "zstd", "frames", frames[0] + frames[1], "lines"
    skippable = struct.pack("<II", 0x184D2A53, 5) + b"hello"
    yield "zstd", "skippable", skippable + skippable.join(frames) + skippable, "lines"
    dictionary = zstandard.ZstdCompressionDict(
        lines[:20000], dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    samples = [lines[i:i + 500] for i in range(0, len(lines), 500)]
    trained = zstandard.train_dictionary(2000, samples)
    with_trained = zstandard.ZstdCompressor(dict_data=trained).compress(short)
    yield "zstd", "dictionary", with_trained, "refused dictionary_needed"
    with_raw = zstandard.ZstdCompressor(dict_data=dictionary).compress(lines[:2000])
    yield "zstd", "raw-dictionary", with_raw, "refused data_invalid"
    yield "zstd", "trailing", frames[0] + b"\0", "refused trailing_bytes"


def main():
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for old in OUTPUT.glob("*.bin"):
        old.unlink()
    rows = []
    for codec, name, data, content in cases():
        file = f"{codec}-{name}.bin"
        (OUTPUT / file).write_bytes(data)
        rows.append(f"{file}\t{codec}\t{content}\n")
    (OUTPUT / "cases.tsv").write_text("".join(rows))


if __name__ == "__main__":
    main()
