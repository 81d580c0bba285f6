"""Kafka's DumpLogSegments reads what we write, and what Kafka wrote; planted damage is found.

Needs JDK 17, Maven and Maven Central. MILLRACE_WRITE_LOG names the program write_log.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]

import dump_log_segments  # noqa: E402
import packages  # noqa: E402


class DumpLogSegments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tool = packages.java(dump_log_segments.TOOL)
        cls.folder = tempfile.TemporaryDirectory()
        cls.ours = pathlib.Path(cls.folder.name) / "ours"
        cls.ours.mkdir()
        written = subprocess.run([os.environ["MILLRACE_WRITE_LOG"], str(cls.ours)], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        # For each partition, what the tool must show.
        cls.expected = {}
        for line in written.splitlines():
            if line.startswith(("log ", "compacted ")):
                kind, name = line.split(" ")
                expected = cls.expected.setdefault(name, (kind == "compacted", []))[1]
            else:
                expected.append(line.rstrip())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def complaints(self, directory, gaps=False):
        return dump_log_segments.check_directory(self.tool, directory, gaps)

    def test_has_no_complaint_about_what_we_write(self):
        for name, (compacted, _) in self.expected.items():
            self.assertEqual(self.complaints(self.ours / name, gaps=compacted), [])
        files = dump_log_segments.files_of(self.ours)
        for suffix in (".log", ".index", ".timeindex", ".txnindex", ".snapshot"):
            self.assertTrue(any(path.suffix == suffix and path.stat().st_size > 0
                                for path in files), f"no {suffix} was written")

    def test_shows_what_we_wrote(self):
        self.maxDiff = 2000
        for name, (compacted, expected) in self.expected.items():
            with self.subTest(name):
                self.assertGreater(len(expected), 30)
                self.assertEqual(
                    dump_log_segments.shown(self.tool, self.ours / name, compacted), expected)

    def test_finds_gaps_in_what_was_compacted(self):
        complaints = self.complaints(self.ours / "compacted-0")
        self.assertTrue(any("is followed by" in complaint for complaint in complaints), complaints)

    def test_writes_each_kind_of_log(self):
        kinds = " ".join(line for _, lines in self.expected.values() for line in lines)
        for kind in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.assertIn(f"compresscodec: {kind} ", kinds)
        for kind in ("LogAppendTime: ", "endTxnMarker: ABORT", "endTxnMarker: COMMIT",
                     "version: 0 producerId", "currentTxnFirstOffset: OptionalLong[",
                     "partitionLeaderEpoch: 2 ", "keySize: -1 ", "keySize: 0 ", "valueSize: -1 ",
                     "valueSize: 0 ", "headerKeys: [trace,none]"):
            self.assertIn(kind, kinds)
        for name in self.expected:
            logs = [path for path in (self.ours / name).iterdir() if path.suffix == ".log"]
            self.assertTrue(len(logs) > 2 or name == "large-0", f"{name}: {len(logs)} segments")

    def test_has_no_complaint_about_what_kafka_writes(self):
        with tempfile.TemporaryDirectory() as folder:
            archive = ROOT / "tests" / "golden" / "data" / "kafka-log" / "clean.tar.gz"
            with tarfile.open(archive) as packed:
                packed.extractall(folder)
            # Of a batch that Kafka's cleaner emptied, its own tool misses the timestamp.
            complaints = [complaint for complaint in self.complaints(folder, gaps=True)
                          if "compact-now-0" not in complaint
                          and not complaint.endswith("log timestamp: -1")]
            self.assertEqual(complaints, [])

    def check_damage(self, suffix, damage):
        """The damage to one file of that kind, which has entries, makes the tool complain of it."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "transactions-0"
            shutil.copytree(self.ours / "transactions-0", copy)
            largest = max((path for path in copy.iterdir() if path.suffix == suffix),
                          key=lambda path: path.stat().st_size)
            contents = bytearray(largest.read_bytes())
            damage(contents)
            largest.write_bytes(contents)
            complaints = self.complaints(copy)
            # What is wrong with a log may show at its indexes, which are read with it.
            self.assertTrue(any(largest.stem in complaint for complaint in complaints),
                            f"{largest.name}: {complaints}")

    def test_misses_a_batch_that_is_lost_whole(self):
        """The files fit each other then: only what was written tells."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "cut-0"
            shutil.copytree(self.ours / "cut-0", copy)
            last = max(path for path in copy.iterdir() if path.suffix == ".log")
            printed, _, _ = dump_log_segments.run_tool(self.tool, [last])
            sizes = [int(batch[1]) for batch in map(dump_log_segments.BATCH.match,
                                                    printed[str(last)]) if batch]
            os.truncate(last, last.stat().st_size - sizes[-1])
            shown = dump_log_segments.shown(self.tool, copy)
            self.assertNotEqual(shown, self.expected["cut-0"][1])
            self.assertEqual(shown, self.expected["cut-0"][1][:len(shown)])

    def test_misses_an_aborted_transaction_that_is_another_producers(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "transactions-0"
            shutil.copytree(self.ours / "transactions-0", copy)
            index = min(path for path in copy.iterdir() if path.suffix == ".txnindex")
            contents = bytearray(index.read_bytes())
            contents[9] ^= 1
            index.write_bytes(contents)
            shown = dump_log_segments.shown(self.tool, copy)
            self.assertNotEqual(shown, self.expected["transactions-0"][1])

    def test_finds_a_flipped_bit_in_a_record(self):
        def flip(contents):
            contents[100] ^= 1
        self.check_damage(".log", flip)

    def test_finds_a_log_that_is_cut_off(self):
        def cut(contents):
            del contents[-5:]
        self.check_damage(".log", cut)

    def test_finds_an_index_entry_with_another_offset(self):
        def change(contents):
            contents[3] ^= 1
        self.check_damage(".index", change)

    def test_finds_an_index_entry_with_another_position(self):
        def change(contents):
            contents[7] ^= 1
        self.check_damage(".index", change)

    def test_finds_a_part_of_an_index_entry(self):
        def cut(contents):
            del contents[-3:]
        self.check_damage(".index", cut)

    def test_finds_zeros_in_an_index(self):
        def grow(contents):
            contents.extend(bytes(80))
        self.check_damage(".index", grow)

    def test_finds_a_wrong_timestamp(self):
        def change(contents):
            contents[7] ^= 1
        self.check_damage(".timeindex", change)

    def test_finds_timestamps_out_of_order(self):
        def swap(contents):
            contents[:24] = contents[12:24] + contents[:12]
        self.check_damage(".timeindex", swap)

    def test_finds_a_damaged_snapshot(self):
        def flip(contents):
            contents[-1] ^= 1
        self.check_damage(".snapshot", flip)


if __name__ == "__main__":
    unittest.main()
