# SPDX-License-Identifier: Apache-2.0
"""Files of the Python tools and ours: same model, same 256 sentences, same grids, scored in ONNX Runtime."""
import re

from calibration import sentences_file
from classifier import Classifier, paired_interval
from forms import make
from made_by import KEPT, made_by
from setting import ROOT, program, refusal, write_result

# (the tool's recipe, our forms of the same grid)
PAIRS = (
    ("fp16", ("fp16",)),
    ("nncf-weights-sym", ("int8-weights",)),
    ("nncf-weights-asym", ("int8-weights",)),
    ("ort-dynamic", ("int8-dynamic per tensor", "int8-dynamic per tensor, no data")),
    ("ort-dynamic-per-channel", ("int8-dynamic, one scale a table", "int8-dynamic, one scale a table, no data")),
    ("ort-static", ("int8",)),
    ("ort-static-matmul", ("int8",)),
    ("nncf-int8", ("int8",)),
    ("ort-rtn-sym", ("int4 symmetric, float embeddings", "int4 symmetric, float embeddings, no data")),
    ("ort-rtn-asym", ("int4, float embeddings", "int4, float embeddings, no data")),
    ("ort-hqq", ("int4, float embeddings", "int4, float embeddings, no data")),
    ("ort-k-quant", ("int4, float embeddings", "int4, float embeddings, no data")),
    ("ort-gptq-sym", ("int4 symmetric, float embeddings",)),
    ("ort-gptq-asym", ("int4, float embeddings",)),
    ("nncf-int4-sym", ("int4 symmetric", "int4 symmetric, no data")),
    ("nncf-int4-asym", ("int4", "int4, no data")),
    ("nncf-int4-sym-data", ("int4 symmetric",)),
    ("nncf-int4-asym-data", ("int4",)),
    ("ort-rtn-gather-sym", ("int4 symmetric, int4 embeddings in groups of 32",)),
    ("ort-rtn-gather-asym", ("int4, int4 embeddings in groups of 32",)),
    ("ort-rtn-gather-words-sym",
     ("int4 symmetric, int4 embeddings in groups of 32", "int4 symmetric, int4 embeddings, no data")),
    ("ort-rtn-gather-words-asym", ("int4, int4 embeddings", "int4, int4 embeddings, no data")),
)


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
        self.verdicts = []

    def ours(self, name):
        if name not in self.made:
            try:
                path = make(name, self.classifier, self.classifier.program.folder, self.table)
                self.made[name] = self.classifier.in_onnxruntime(path)
            except RuntimeError as error:
                self.made[name] = refusal(error)
        return self.made[name]

    def lines(self, recipe, names):
        try:
            theirs = self.classifier.in_onnxruntime(made_by(recipe, self.classifier.path, self.tokens))
        except Exception as error:  # the tool, or ONNX Runtime on its file
            yield f"| {recipe} | fails: {str(error)[:120]} |" + " |" * 10
            return
        for name in names:
            ours = self.ours(name)
            if isinstance(ours, str):
                yield f"| {recipe} | {figures(theirs)} | {name} | {ours} |" + " |" * 5
                continue
            low, high = paired_interval(ours, theirs)
            self.verdicts.append(judged(ours, theirs))
            yield (f"| {recipe} | {figures(theirs)} | {name} | {figures(ours)} | {low:.2g} to {high:.2g} | "
                   f"{self.verdicts[-1]} |")


def main():
    comparison = Comparison()
    lines = []
    for recipe, names in PAIRS:
        for line in comparison.lines(recipe, names):
            print(line, flush=True)
            lines.append(line)
    write_result("python_tools", "The Python tools' files of minilm-l6-sst2 and ours", [
        f"Tools: {versions()}.", "",
        "Same model, the same 256 training sentences (`--samples 256 --seed 1`), groups of 32 for INT4; "
        "each tool as its documentation shows it (`benchmarks/against_python_tools/recipes.py`). 872 "
        "development sentences in ONNX Runtime, batches of 32 sorted by length, products with dequantized "
        "weights in float32. The difference of the KLs: 95 % bootstrap interval, sentences drawn in pairs. "
        "Better: lower KL at equal or smaller size.", "",
        "| tool's recipe | bytes | KL | agreement, % | accuracy, % | onnxpress | bytes | KL | agreement, % | "
        "accuracy, % | our KL − its | better |", "|" + "---|" * 12, *lines, "",
        f"Ours is better in {comparison.verdicts.count('yes')} of {len(comparison.verdicts)} rows."],
        comparison.classifier.program.document("doctor"))


if __name__ == "__main__":
    main()
