# SPDX-License-Identifier: Apache-2.0
"""Files of the Python tools and ours: same model, same 256 sentences, same grids, scored in ONNX Runtime."""
import re

from calibration import sentences_file
from classifier import Classifier, paired_interval
from forms import make
from made_by import KEPT, made_by
from setting import ROOT, program, refusal, write_result

# (the tool's recipe, our form of the same grid)
PAIRS = (
    ("fp16", "fp16"),
    ("nncf-weights-sym", "int8-weights"),
    ("nncf-weights-asym", "int8-weights"),
    ("ort-dynamic", "int8-dynamic per tensor"),
    ("ort-dynamic-per-channel", "int8-dynamic, one scale a table"),
    ("ort-static", "int8"),
    ("ort-static-matmul", "int8"),
    ("nncf-int8", "int8"),
    ("ort-rtn-sym", "int4 symmetric, float embeddings"),
    ("ort-rtn-asym", "int4, float embeddings"),
    ("ort-hqq", "int4, float embeddings"),
    ("ort-k-quant", "int4, float embeddings"),
    ("ort-gptq-sym", "int4 symmetric, float embeddings"),
    ("ort-gptq-asym", "int4, float embeddings"),
    ("nncf-int4-sym", "int4 symmetric"),
    ("nncf-int4-asym", "int4"),
    ("nncf-int4-sym-data", "int4 symmetric"),
    ("nncf-int4-asym-data", "int4"),
    ("ort-rtn-gather-sym", "int4 symmetric, int4 embeddings in groups of 32"),
    ("ort-rtn-gather-asym", "int4, int4 embeddings in groups of 32"),
    ("ort-rtn-gather-words-sym", "int4 symmetric, int4 embeddings in groups of 32"),
    ("ort-rtn-gather-words-asym", "int4, int4 embeddings"),
)
# The same where onnxpress, too, gets no data.
PAIRS_WITHOUT_DATA = (
    ("ort-dynamic", "int8-dynamic per tensor, no data"),
    ("ort-dynamic-per-channel", "int8-dynamic, one scale a table, no data"),
    ("ort-rtn-sym", "int4 symmetric, float embeddings, no data"),
    ("ort-rtn-asym", "int4, float embeddings, no data"),
    ("ort-hqq", "int4, float embeddings, no data"),
    ("ort-k-quant", "int4, float embeddings, no data"),
    ("nncf-int4-sym", "int4 symmetric, no data"),
    ("nncf-int4-asym", "int4, no data"),
    ("ort-rtn-gather-words-sym", "int4 symmetric, int4 embeddings in groups of 32, no data"),
    ("ort-rtn-gather-words-asym", "int4, int4 embeddings in groups of 32, no data"),
)
HEAD = ("| tool's recipe | bytes | KL | agreement, % | accuracy, % | onnxpress | bytes | KL | agreement, % | "
        "accuracy, % | our KL − its | better |", "|" + "---|" * 12)


def figures(scores):
    return (f"{scores.bytes:,} | {scores.kl:.2g} | {100 * scores.agreement:.2f} | "
            f"{100 * scores.accuracy:.2f}")


def judged(ours, theirs):
    wrong = [what for what, worse in (("KL", ours.kl >= theirs.kl), ("size", ours.bytes > theirs.bytes))
             if worse]
    return "no: " + " and ".join(wrong) if wrong else "yes"


def versions():
    text = (ROOT / "benchmarks/against_python_tools/requirements.txt").read_text(encoding="utf8")
    text += (ROOT / "benchmarks/against_python_tools/requirements-torch.txt").read_text(encoding="utf8")
    return ", ".join(" ".join(found) for found in re.findall(r"^([\w-]+)==(.*)$", text, re.M))


class Comparison:
    def __init__(self):
        self.classifier = Classifier(program())
        KEPT.mkdir(parents=True, exist_ok=True)
        self.table, self.tokens = sentences_file(self.classifier.program, self.classifier.vocabulary, KEPT)
        self.made = {}  # our scores by form, or what onnxpress said
        self.theirs = {}

    def ours(self, name):
        if name not in self.made:
            try:
                path = make(name, self.classifier, self.classifier.program.folder, self.table)
                self.made[name] = self.classifier.in_onnxruntime(path)
            except RuntimeError as error:
                self.made[name] = refusal(error)
        return self.made[name]

    def tool(self, recipe):
        if recipe not in self.theirs:
            path = made_by(recipe, self.classifier.path, self.tokens)
            self.theirs[recipe] = self.classifier.in_onnxruntime(path)
        return self.theirs[recipe]

    def line(self, recipe, name):
        """(the line of the table, whether ours is better)"""
        try:
            theirs = self.tool(recipe)
        except Exception as error:  # the tool, or ONNX Runtime on its file
            return f"| {recipe} | fails: {str(error)[:120]} |" + " |" * 10, False
        ours = self.ours(name)
        if isinstance(ours, str):
            return f"| {recipe} | {figures(theirs)} | {name} | {ours} |" + " |" * 5, False
        low, high = paired_interval(ours, theirs)
        verdict = judged(ours, theirs)
        return (f"| {recipe} | {figures(theirs)} | {name} | {figures(ours)} | {low:.2g} to {high:.2g} | "
                f"{verdict} |", verdict == "yes")

    def lines(self, pairs):
        lines, better = [], 0
        for recipe, name in pairs:
            line, wins = self.line(recipe, name)
            print(line, flush=True)
            lines.append(line)
            better += wins
        return [*HEAD, *lines, "", f"Ours is better in {better} of {len(pairs)} rows.", ""]


def main():
    comparison = Comparison()
    write_result("python_tools", "The Python tools' files of minilm-l6-sst2 and ours", [
        f"Tools: {versions()}.", "",
        "Same model, the same 256 training sentences (`--samples 256 --seed 1`), groups of 32 for INT4; "
        "each tool as its documentation shows it (`benchmarks/against_python_tools/recipes.py`). 872 "
        "development sentences in ONNX Runtime, batches of 32 sorted by length, products with dequantized "
        "weights in float32. The difference of the KLs: 95 % bootstrap interval, sentences drawn in pairs. "
        "Better: lower KL at equal or smaller size.", "",
        *comparison.lines(PAIRS),
        "And where onnxpress gets no data, either (the tools' recipes that take none):", "",
        *comparison.lines(PAIRS_WITHOUT_DATA)],
        comparison.classifier.program.document("doctor"))


if __name__ == "__main__":
    main()
