# SPDX-License-Identifier: Apache-2.0
"""Calibration files from outside: the same bytes however they are made, and nothing lost."""
import re
import struct

import harness
from harness import MODELS, CliTest, sha256

SST2 = MODELS / "sst2-minilm-l3"
VIT = MODELS / "vit-digits"


class Calibrate(CliTest):
    def calibrate(self, output, *arguments):
        return self.succeed("calibrate", VIT, "--data", VIT / "calibration.npz", "--samples", "300", "-o", output,
                            "--json", *arguments).document

    def test_says_what_was_collected(self):
        document = self.succeed("calibrate", SST2, "--data", SST2 / "dev.tsv", "--samples", "300", "--no-gram",
                                "-o", "a.calib", "--json").document
        calibration = document["calibration"]
        self.assertEqual((calibration["samples"], calibration["skipped_samples"]), (300, 0))
        self.assertEqual((calibration["chunks"], calibration["chunk_count"]), (3, 3))
        self.assertFalse(calibration["random"])
        self.assertGreater(calibration["tokens"], 300)
        self.assertEqual(len({tensor["name"] for tensor in calibration["tensors"]}), len(calibration["tensors"]))
        self.assertGreater(len(calibration["tensors"]), 12)
        for tensor in calibration["tensors"]:
            self.assertLess(tensor["min"], tensor["max"])
            self.assertIn(tensor["rows"], (300, calibration["tokens"]))
        self.assertEqual(document["output"]["sha256"], sha256(self.folder / "a.calib"))

    def test_threads_and_shards_change_no_byte(self):
        options = ("--keep-rows", "16")
        self.calibrate("whole.calib", *options, "--threads", "1")
        self.calibrate("again.calib", *options, "--threads", "2")
        self.assertEqual(sha256(self.folder / "whole.calib"), sha256(self.folder / "again.calib"))
        parts = []
        for part in (2, 1):
            document = self.calibrate(f"{part}.calib", *options, "--shard", f"{part}/2")
            parts.append(document["calibration"])
        self.assertEqual(sum(part["samples"] for part in parts), 300)
        merged = self.succeed("calibrate", "--merge", "2.calib", "1.calib", "-o", "merged.calib", "--json").document
        self.assertEqual(sha256(self.folder / "whole.calib"), sha256(self.folder / "merged.calib"))
        self.assertEqual(merged["calibration"]["samples"], 300)
        self.fail_with(3, "E0508", "calibrate", "--merge", "1.calib", "1.calib", "-o", "x.calib")
        self.fail_with(5, "E0204", "calibrate", "--merge", "2.calib", "1.calib", "-o", "merged.calib")
        self.fail_with(2, "E0005", "calibrate", "--merge", "2.calib", "1.calib", "-o", "1.calib", "--force")

    def test_damaged_files_are_refused(self):
        self.calibrate("a.calib", "--no-gram", "--no-histogram")
        good = (self.folder / "a.calib").read_bytes()
        for name, contents in {"cut": good[:-10], "flipped": good[:500] + bytes([good[500] ^ 1]) + good[501:],
                               "version": good[:8] + struct.pack("<I", 9) + good[12:], "other": b"x" * 200}.items():
            (self.folder / f"{name}.calib").write_bytes(contents)
            result = self.fail_with(3, "E0507", "calibrate", "--merge", f"{name}.calib", "-o", "x.calib")
            self.assertIn(f"{name}.calib", result.err)

    def test_compress_takes_the_file_for_data(self):
        self.calibrate("a.calib")
        for preset in "int8", "int4-gptq":
            document = self.succeed("compress", VIT, "-o", f"{preset}.onnx", "--preset", preset,
                                    "--calibration", "a.calib", "--json").document
            self.assertTrue(any(entry["path"] == "a.calib" for entry in document["inputs"]))
            units = document["passes"][-1]["units"]
            changed = [unit for unit in units if unit["decision"] == "change"]
            self.assertGreater(len(changed), 10)
            for unit in changed:
                self.assertIn("calibration file", unit["reason"])
                self.assertLess(unit["figures"]["output_error"], unit["figures"]["rtn.output_error"] * 1.0001)
        (self.folder / "r.toml").write_text('schema = 1\n[data]\ncalibration = "a.calib"\n'
                                            '[[pass]]\nname = "quantize_weights"\nmethod = "gptq"\n')
        self.succeed("compress", VIT, "-o", "r.onnx", "--recipe", "r.toml")

    def test_compress_refuses_a_file_that_does_not_fit(self):
        self.calibrate("a.calib", "--no-gram")
        self.fail_with(3, "E0508", "compress", SST2, "-o", "x.onnx", "--preset", "int8", "--calibration", "a.calib")
        self.fail_with(3, "E0508", "compress", SST2, "--dry-run", "--preset", "int8", "--calibration", "a.calib")
        self.fail_with(5, "E0201", "compress", VIT, "-o", "x.onnx", "--preset", "int8", "--calibration", "no.calib")
        result = self.fail_with(2, "E0006", "compress", VIT, "-o", "x.onnx", "--preset", "int4-gptq",
                                "--calibration", "a.calib")
        self.assertIn("--no-gram", result.err)
        self.fail_with(2, "E0005", "compress", VIT, "-o", "a.calib", "--force", "--calibration", "a.calib")
        good = (self.folder / "a.calib").read_bytes()
        (self.folder / "cut.calib").write_bytes(good[:-10])
        self.fail_with(3, "E0507", "compress", VIT, "-o", "x.onnx", "--preset", "int8", "--calibration", "cut.calib")

    def test_existing_files_stay_unless_forced(self):
        self.calibrate("a.calib", "--no-gram")
        (self.folder / "kept.calib").write_text("precious")
        arguments = ("calibrate", VIT, "--data", VIT / "calibration.npz", "--no-gram")
        self.fail_with(5, "E0204", *arguments, "-o", "kept.calib")
        self.succeed(*arguments, "-o", "kept.calib", "--force")
        self.assertNotEqual((self.folder / "kept.calib").read_bytes(), b"precious")
        model = self.copy(VIT / "model.onnx")
        self.fail_with(2, "E0005", "calibrate", model, "--data", VIT / "calibration.npz", "-o", model, "--force")

    def test_a_full_disk_leaves_nothing(self):
        self.fail_with(5, "E0206", "calibrate", VIT, "--data", VIT / "calibration.npz", "-o", "a.calib",
                       limit_file_size=100_000)

    def test_random_inputs_only_if_asked_for(self):
        self.fail_with(2, "E0006", "calibrate", VIT, "-o", "a.calib")
        document = self.succeed("calibrate", VIT, "-o", "a.calib", "--allow-random-calibration", "--json").document
        self.assertTrue(document["calibration"]["random"])
        self.assertIn("W0302", [warning["code"] for warning in document["warnings"]])
        # With data the flag changes nothing.
        document = self.succeed("calibrate", VIT, "-o", "b.calib", "--allow-random-calibration", "--json",
                                "--data", VIT / "calibration.npz").document
        self.assertFalse(document["calibration"]["random"])

    def test_usage(self):
        data = ("--data", SST2 / "dev.tsv")
        for shard in ("0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"):
            self.fail_with(2, "E0003", "calibrate", SST2, *data, "-o", "a.calib", f"--shard={shard}")
        self.fail_with(2, "E0003", "calibrate", SST2, *data, "-o", "a.calib", "--samples", "100", "--shard", "1/2")
        self.fail_with(2, "E0001", "calibrate", SST2, VIT, *data, "-o", "a.calib")
        self.fail_with(2, "E0001", "calibrate", SST2, *data)
        self.fail_with(2, "E0001", "calibrate", "-o", "a.calib")
        self.fail_with(2, "E0001", "calibrate", "--merge", "-o", "a.calib")
        self.fail_with(2, "E0002", "calibrate", SST2, "--eval-data", SST2 / "dev.tsv", "-o", "a.calib")
        self.fail_with(5, "E0201", "calibrate", "--merge", "missing.calib", "-o", "a.calib")

    def test_the_table_is_short_unless_verbose(self):
        arguments = ("calibrate", VIT, "--data", VIT / "calibration.npz", "--no-gram", "-o", "a.calib", "--force")
        self.assertLess(len(self.succeed(*arguments).out.splitlines()), 8)
        self.assertGreater(len(re.findall(r"^  \S.* 96 ", self.succeed(*arguments, "-v").out, re.MULTILINE)), 8)


if __name__ == "__main__":
    harness.main()
