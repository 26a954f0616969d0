# SPDX-License-Identifier: Apache-2.0
"""Low rank: held-out errors of single layers; INT4 with corrections; what is said where low rank cannot pay.

Layers are measured by passes_tests of build/dev, or of the build folder that ONNXPRESS_BUILD names.
"""
import os
import pathlib
import re
import subprocess

from calibration import sentences_file
from classifier import Classifier, in_onnxpress
from harness import ROOT
from setting import DEV, THREADS, program, write_result

TESTS = pathlib.Path(os.environ.get("ONNXPRESS_BUILD", ROOT / "build/dev")) / "tests/passes/passes_tests"
LAYERS = {256: "LayerErrors.LowRankAndSparseWeightsOfASentimentClassifier",
          1024: "LayerErrors.LowRankOfASentimentClassifierWithRowsEnough"}
SENTENCES = 256
ASKED = {"low rank": 0.6, "rtn": 0.75, "gptq in turn": 0.94}
HEAD = 'schema = 1\n[[pass]]\nname = "fold_constants"\n[[pass]]\n'
INT4 = (HEAD + 'name = "quantize_weights"\nmethod = "gptq"\nbits = 4\ngroup = 32\nsymmetric = false\n'
        'storage = "matmul_nbits"\n')
FORMS = {
    "int4 gptq": INT4,
    "… corrected with rank 8": INT4 + "low_rank_correction = 8\ncorrection_rounds = 0\n",
    "… in turn": INT4 + "low_rank_correction = 8\n",
}


def layer_lines(sentences):
    command = [TESTS, f"--gtest_filter={LAYERS[sentences]}"]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    line = r"^(.+): (\d+) units, geometric mean ([\d.]+), worst ([\d.]+)$"
    for name, units, mean, worst in re.findall(line, out, re.MULTILINE):
        asked = ASKED.get(name.split(", ")[0])
        judged = " | " if asked is None else f"≤ {asked:g} | " + ("ok" if float(mean) <= asked else "missed")
        yield f"| {sentences} | {name} | {units} | {mean} | {worst} | {judged} |"


class Bench:
    def __init__(self):
        self.classifier = Classifier(program())
        self.ours = self.classifier.program
        self.sentences = sentences_file(self.ours, self.classifier.vocabulary, self.ours.folder, SENTENCES)[0]

    def compress(self, text):
        recipe = self.ours.folder / "recipe.toml"
        recipe.write_text(text, encoding="utf8")
        return self.ours.document(
            "compress", self.classifier.path, "-o", self.ours.folder / "out.onnx", "-f", "-q", "--recipe", recipe,
            "--tokenizer", self.classifier.vocabulary, "--max-length", 128, "--data", self.sentences, "--samples",
            SENTENCES, "--eval-data", DEV, "--threads", THREADS)

    def form_line(self, name):
        scores = in_onnxpress(self.compress(FORMS[name]))
        return (f"| {name} | {scores.bytes / 1e6:.2f} | {scores.kl:.3g} | {scores.median:.2g} | "
                f"{100 * scores.agreement:.2f} | {100 * scores.accuracy:.2f} |")

    def refusal_lines(self):
        document = self.compress(HEAD + 'name = "low_rank"\nby = "error"\nmax_error = 0.01\n')
        units = next(p for p in document["passes"] if p["pass"] == "low_rank")["units"]
        changed = sum(unit["decision"] == "change" for unit in units)
        yield f"`low_rank` by a held-out error of 0.01: {changed} of {len(units)} units changed."
        yield from (f"Warning: {warning['message']}." for warning in document["warnings"]
                   if warning["message"].startswith("low_rank"))


def main():
    bench = Bench()
    layers = [line for sentences in LAYERS for line in layer_lines(sentences)]
    print("\n".join(layers), flush=True)
    forms = []
    for name in FORMS:
        forms.append(bench.form_line(name))
        print(forms[-1], flush=True)
    write_result("low_rank", "Low rank", [
        "Layers of minilm-l6-sst2, each with the original's inputs of 256 or 1024 training sentences; a quarter of "
        "them is held out, and errors are ‖X(W − W')‖ / ‖XW‖ on it. Ratios, geometric means over units: of "
        "whitened to plain SVD at the same rank, without biases, at shares of the break-even number of weights; of "
        "INT4 (group 32) with an INT8 "
        "correction to without (in turn: codes are solved again twice); of sparse weights to the least magnitudes.", "",
        "| sentences | what | units | ratio | worst unit | asked | judged |", "|" + "---|" * 7, *layers, "",
        "The whole model, 872 development sentences:", "",
        "| form | MB | KL | median KL | agreement, % | accuracy, % |", "|---|---|---|---|---|---|", *forms, "",
        *bench.refusal_lines()], bench.ours.document("doctor"))


if __name__ == "__main__":
    main()
