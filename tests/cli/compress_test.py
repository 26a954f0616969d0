# SPDX-License-Identifier: Apache-2.0
"""The main job through the real program: sizes, figures, gates, documents, signals."""
import os
import signal
import subprocess
import time

import harness
from harness import MODELS, CliTest, sha256

VIT = MODELS / "vit-digits"
SST2 = MODELS / "sst2-minilm-l3"
GPT = MODELS / "gpt-shakespeare"


def metric(metrics, name):
    return next(m for m in metrics if m["name"] == name)


def first_lines(path, count, target):
    with open(path) as source:
        target.write_text("".join(line for _, line in zip(range(count), source)))
    return target


class Compress(CliTest):
    def test_without_data_prints_the_size_and_nothing_unmeasured(self):
        before = sha256(VIT / "model.onnx")
        result = self.succeed("compress", VIT, "-o", "small.onnx", "--preset", "int8-weights")
        self.assertIn("size", result.out)
        self.assertNotIn("accuracy", result.out)
        self.assertNotIn("latency", result.out)
        self.assertTrue(result.out.rstrip().endswith("wrote small.onnx"), result.out)
        self.assertEqual([p.name for p in self.files()], ["small.onnx"])
        self.assertEqual(sha256(VIT / "model.onnx"), before)
        self.assertLess((self.folder / "small.onnx").stat().st_size, 0.4 * (VIT / "model.onnx").stat().st_size)

    def test_with_data_measures_before_and_after(self):
        data = first_lines(SST2 / "dev.tsv", 101, self.folder / "dev.tsv")
        document = self.succeed("compress", SST2, "-o", "small.onnx", "--preset", "int8-dynamic", "--data", data,
                                "--json").document
        self.assertEqual(document["evaluation"], {"task": "classification", "samples": 100,
                                                  "tokens": document["evaluation"]["tokens"]})
        before, after = document["models"]
        accuracy = metric(after["metrics"], "accuracy")
        self.assertEqual(accuracy["n"], 100)
        self.assertGreater(accuracy["value"], 0.75)
        self.assertLess(accuracy["interval"][0], accuracy["value"])
        self.assertGreater(metric(document["agreement"][0]["metrics"], "agreement")["value"], 0.95)
        self.assertEqual(before["bytes"], (SST2 / "model.onnx").stat().st_size)
        self.assertEqual(after["bytes"], (self.folder / "small.onnx").stat().st_size)
        self.assertEqual(document["output"]["sha256"], sha256(self.folder / "small.onnx"))
        self.assertEqual(document["inputs"][0]["sha256"], sha256(SST2 / "model.onnx"))
        latency = after["latency"]
        self.assertEqual((latency["batch"], latency["sequence"], latency["engine"]), (1, 128, "onnxpress"))
        self.assertGreater(metric(document["changes"], "ratio")["value"], 3)
        self.assertTrue(document["published"])
        self.assertEqual(document["exit_code"], 0)

    def test_perplexity_of_a_stream_of_text(self):
        text = self.folder / "text.txt"
        text.write_text((GPT / "held-out.txt").read_text()[:5000])
        document = self.succeed("compress", GPT, "-o", "small.onnx", "--preset", "int8-weights", "--data", text,
                                "--window", "128", "--json").document
        self.assertEqual(document["evaluation"]["task"], "language_model")
        before = metric(document["models"][0]["metrics"], "perplexity")
        after = metric(document["models"][1]["metrics"], "perplexity")
        self.assertEqual(before["n"], 4999)
        self.assertTrue(4 < before["value"] < 8, before)
        self.assertLess(abs(after["value"] / before["value"] - 1), 0.02)

    def test_dry_run_predicts_the_size_to_the_byte(self):
        for preset in ("lossless", "fp16", "int8-weights", "int8-dynamic"):
            with self.subTest(preset):
                plan = self.succeed("compress", SST2, "--dry-run", "--preset", preset, "-o", "out.onnx",
                                    "--json").document
                self.assertEqual(self.files(), [])
                self.assertFalse(plan["published"])
                self.succeed("compress", SST2, "-o", "out.onnx", "--preset", preset)
                self.assertEqual(plan["models"][1]["bytes"], (self.folder / "out.onnx").stat().st_size)
                (self.folder / "out.onnx").unlink()

    def test_same_bytes_for_any_number_of_threads_and_twice(self):
        hashes = set()
        for i, threads in enumerate((1, 2, 2)):
            self.succeed("compress", VIT, "-o", f"{i}.onnx", "--preset", "int8-dynamic", "--threads", threads)
            hashes.add(sha256(self.folder / f"{i}.onnx"))
        self.assertEqual(len(hashes), 1)

    def test_result_passes_check_and_runs(self):
        self.succeed("compress", VIT, "-o", "small.onnx", "--preset", "int8-dynamic")
        self.assertIn("ok", self.succeed("check", "small.onnx").out)
        result = self.succeed("bench", "small.onnx", VIT, "--data", VIT / "test.npz", "--seconds", "0.05", "--json")
        self.assertGreater(metric(result.document["models"][0]["metrics"], "accuracy")["value"], 0.95)
        self.assertGreater(result.document["models"][0]["peak_memory_bytes"], 1_000_000)


class Gates(CliTest):
    def test_failed_gate_publishes_nothing(self):
        result = self.run_program("compress", VIT, "-o", "small.onnx", "--fail-if", "ratio < 100")
        self.assertEqual(result.code, 1, result.err)
        self.assertEqual(self.files(), [])
        self.assertIn("not published", result.out)
        self.assertNotIn("error[", result.err)

    def test_rejected_result_is_kept_on_request(self):
        result = self.run_program("compress", VIT, "-o", "small.onnx", "--fail-if", "ratio < 100", "--keep-rejected",
                                  "--json")
        self.assertEqual(result.code, 1)
        self.assertEqual([p.name for p in self.files()], ["small.rejected.onnx"])
        document = result.document
        self.assertEqual((document["exit_code"], document["published"]), (1, False))
        self.assertTrue(document["gates"][0]["failed"])

    def test_gates_that_hold(self):
        self.succeed("compress", VIT, "-o", "small.onnx", "--preset", "int8-weights", "--data", VIT / "test.npz",
                     "--fail-if", "ratio < 2", "--fail-if", "accuracy_drop > 1%", "--fail-if", "agreement < 98%",
                     "--fail-if", "size > 50%", "--fail-if", "kl_mean > 0.1", "--fail-if", "speedup < 0.01x")

    def test_gate_on_the_prediction_of_a_dry_run(self):
        result = self.run_program("compress", VIT, "--dry-run", "--fail-if", "size > 1KB")
        self.assertEqual(result.code, 1)


class Documents(CliTest):
    def test_json_to_a_file_leaves_the_table_on_stdout(self):
        result = self.succeed("compress", VIT, "-o", "small.onnx", "--json", "run.json")
        self.assertIn("wrote small.onnx", result.out)
        self.assertIn('"onnxpress.run/1.0"', (self.folder / "run.json").read_text())
        self.succeed("inspect", VIT, "--report", "run.json")  # our own report may be replaced

    def test_json_before_the_model_is_no_file(self):
        self.assertEqual(self.succeed("inspect", "--json", VIT / "model.onnx").document["verb"], "inspect")

    def test_every_verb_gives_one_document(self):
        self.succeed("compress", VIT, "-o", "small.onnx")
        for arguments in (["inspect", VIT, "--explain"], ["check", VIT, "--target", "ort-cpu"], ["passes"],
                          ["passes", "quantize_weights"], ["doctor"], ["compare", VIT, "small.onnx"],
                          ["bench", VIT, "--seconds", "0.05", "--runs", "5"]):
            with self.subTest(arguments[0]):
                document = self.succeed(*arguments, "--json").document
                self.assertEqual(document["verb"], arguments[0])
                self.assertEqual(document["exit_code"], 0)
                self.assertNotIn("error", document)

    def test_markdown_and_csv(self):
        self.assertIn("|---", self.succeed("inspect", VIT, "--format", "md").out)
        rows = self.succeed("bench", VIT, "--seconds", "0.05", "--format", "csv").out.splitlines()
        self.assertEqual(rows[0], "model,metric,value,low,high,n,unit")
        self.assertTrue(any(",latency_p50," in row for row in rows))

    def test_quiet_and_colour(self):
        self.assertEqual(self.succeed("compress", VIT, "-o", "a.onnx", "-q").err, "")
        plain = self.succeed("compress", VIT, "-o", "b.onnx")
        self.assertNotIn("\x1b", plain.out + plain.err)
        self.assertNotIn("\r", plain.err)
        self.assertIn("\x1b[32m", self.succeed("compress", VIT, "-o", "c.onnx", "--color", "always").out)


class Signals(CliTest):
    def test_interrupted_run_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for delay in (0.05, 0.3, 0.8):
                with self.subTest(number=number, delay=delay):
                    process = subprocess.Popen(
                        [harness.PROGRAM, "compress", SST2, "-o", "small.onnx", "--data", SST2 / "dev.tsv"],
                        cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                    time.sleep(delay)
                    process.send_signal(number)
                    _, err = process.communicate(timeout=20)
                    self.assertEqual(process.returncode, -number, err)
                    self.assertNotIn("error[", err)
                    self.assertEqual(list(self.folder.iterdir()), [])


class Run(CliTest):
    def test_outputs_by_name(self):
        (self.folder / "x.npz").write_bytes((VIT / "test.npz").read_bytes())
        result = self.run_program("run", VIT, "--data", "x.npz", "-o", "y.npz")
        # The file also holds labels, which are no input of the model.
        self.assertEqual(result.code, 3, result.err)


if __name__ == "__main__":
    harness.main()
