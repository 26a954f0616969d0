# SPDX-License-Identifier: Apache-2.0
"""What the comparisons with ONNX Runtime share: models and their data, both engines, and checks that
print the figures they judge."""
import argparse
import functools
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime as ort

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE here


def arguments(*models_help, **extra):
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--onnxpress", required=True, type=pathlib.Path)
    if models_help:
        parser.add_argument("model", help=models_help[0])
    for name, options in extra.items():
        parser.add_argument(name, **options)
    return parser.parse_args()


def model_path(name):
    """A model's file: bundled ones from models/, others from shared/models/. Ends the test as skipped
    where it is absent."""
    folder = ROOT / "models" / name
    if not folder.is_dir():
        folder = SHARED / "models" / name
    path = folder / "model.onnx" if folder.is_dir() else folder.with_suffix(".onnx")
    if not path.exists():
        print(f"skipped: {path} is not there")
        sys.exit(SKIPPED)
    return path


def has_vnni():
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf8")
    return "avx512_vnni" in flags or "avx_vnni" in flags


class Checks:
    """Prints each figure with its limit; `finish` ends the process with 0 if all held."""

    def __init__(self):
        self.failed = 0

    def that(self, holds, figure):
        print(("ok      " if holds else "FAILED  ") + figure, flush=True)
        self.failed += not holds
        return holds

    def finish(self):
        sys.exit(1 if self.failed else 0)


class Program:
    """The onnxpress binary."""

    def __init__(self, path):
        self.path = path
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)

    def call(self, *words):
        run = subprocess.run([str(self.path), *map(str, words)], capture_output=True, text=True,
                             check=False)
        if run.returncode != 0:
            raise RuntimeError(f"onnxpress {' '.join(map(str, words))}\n"
                               f"exit code {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout

    def document(self, *words):
        return json.loads(self.call(*words, "--format", "json"))

    def run(self, model, inputs):
        """Outputs by name."""
        np.savez(self.folder / "in.npz", **inputs)
        self.call("run", model, "--data", self.folder / "in.npz", "-o", self.folder / "out.npz", "-f")
        with np.load(self.folder / "out.npz") as outputs:
            return dict(outputs)

    def tokenize(self, tokenizer, texts, max_length):
        source = self.folder / "text.jsonl"
        source.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf8")
        lines = self.call("tokenize", "--tokenizer", tokenizer, "--max-length", max_length, source)
        return [json.loads(line)["ids"] for line in lines.splitlines()]


def ort_session(path, threads=2, accuracy_level="0"):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # By default ONNX Runtime rounds the activations of products with dequantized weights to 8 bits; we
    # compare what the file says, which is float32.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", accuracy_level)
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def ort_run(session, inputs):
    wanted = [i.name for i in session.get_inputs()]
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {n: inputs[n] for n in wanted})))


def sentences():
    """SST-2's development set: texts and labels."""
    path = ROOT / "models/sst2-minilm-l3/dev.tsv"
    rows = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf8").splitlines()[1:]]
    return [text for text, _ in rows], np.array([int(label) for _, label in rows])


@functools.lru_cache(maxsize=None)
def _tokens(binary, tokenizer):
    return Program(binary).tokenize(tokenizer, sentences()[0], 128)


def sentence_batches(program, folder, batch=32):
    """The sentences sorted by length: (indices, inputs) for each batch."""
    ids = _tokens(program.path, folder / "vocab.txt")
    order = sorted(range(len(ids)), key=lambda k: len(ids[k]))
    for start in range(0, len(order), batch):
        chunk = order[start:start + batch]
        width = max(len(ids[k]) for k in chunk)
        x = np.zeros((len(chunk), width), np.int64)
        mask = np.zeros_like(x)
        for row, k in enumerate(chunk):
            x[row, :len(ids[k])] = ids[k]
            mask[row, :len(ids[k])] = 1
        yield chunk, {"input_ids": x, "attention_mask": mask, "token_type_ids": np.zeros_like(x)}


def shakespeare_windows(window=128):
    folder = ROOT / "models/gpt-shakespeare"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf8"))
    ids = [vocabulary[c] for c in (folder / "held-out.txt").read_text(encoding="utf8")]
    count = (len(ids) - 1) // window
    return np.array(ids[:count * window], np.int64).reshape(count, window)


def batches(program, name, path):
    """Real inputs of a model, in batches; of a zoo model, the stored ones."""
    folder = path.parent
    if name.startswith("zoo/"):
        stored = np.load(path.with_suffix(".npz"))
        for case in sorted({key.split("/")[0] for key in stored}):
            yield {k.split("/")[-1]: stored[k] for k in stored if k.startswith(f"{case}/in/")}
    elif "sst2" in name:
        yield from (inputs for _, inputs in sentence_batches(program, folder))
    elif name == "gpt-shakespeare":
        ids = shakespeare_windows()[:64]
        yield from ({"input_ids": ids[k:k + 16]} for k in range(0, len(ids), 16))
    elif name == "vit-digits":
        yield {"pixel_values": np.load(folder / "test.npz")["pixel_values"]}
    else:
        ids = np.load(folder / "evaluation.npz")["input_ids"][:64]
        yield from ({"input_ids": ids[k:k + 16]} for k in range(0, len(ids), 16))


def calibration_words(program, name, path, samples=16):
    """What to add to a command so that it calibrates on a few real samples of a model."""
    few = ["--samples", samples]
    if name.startswith("zoo/"):
        stored = np.load(path.with_suffix(".npz"))
        last = max(key.split("/")[0] for key in stored)
        arrays = program.folder / "calibration.npz"
        np.savez(arrays, **{k.split("/")[-1]: stored[k] for k in stored if k.startswith(f"{last}/in/")})
        return ["--data", arrays, *few]
    if "sst2" in name:
        return ["--data", ROOT / "models/sst2-minilm-l3/dev.tsv", "--tokenizer", path.parent / "vocab.txt",
                "--max-length", 128, *few]
    if name == "gpt-shakespeare":
        return ["--data", path.parent / "held-out.txt", "--tokenizer", path.parent / "vocab.json", "--window", 64,
                *few]
    return ["--data", path.parent / "calibration.npz", *few]


def difference_to_ort(program, path, inputs_list):
    """The largest difference between our outputs and ONNX Runtime's, as a share of max(1, std)."""
    session, worst = ort_session(path), 0.0
    for inputs in inputs_list:
        ours = program.run(path, inputs)
        for key, value in ort_run(session, inputs).items():
            worst = max(worst, float(np.abs(value - ours[key]).max(initial=0.0)) / max(1.0, float(value.std())))
    return worst


def metric(metrics, name):
    return next((m["value"] for m in metrics if m["name"] == name), None)
