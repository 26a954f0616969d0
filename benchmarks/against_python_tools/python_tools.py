# SPDX-License-Identifier: Apache-2.0
"""Files of the Python tools and ours: same model, same 256 sentences, same grids, scored in ONNX Runtime."""
import re

from calibration import sentences_file
from classifier import Classifier, paired_interval
from forms import make
from made_by import KEPT, made_by
from setting import ROOT, program, write_result

# (the tool's recipe, our forms of the same grid)
PAIRS = (
    ("fp16", ("fp16",)),
    ("nncf-weights-sym", ("int8-weights",)),
    ("nncf-weights-asym", ("int8-weights",)),
    ("ort-dynamic", ("int8-dynamic", "int8-dynamic, no data")),
    ("ort-dynamic-per-channel", ("int8-dynamic", "int8-dynamic, no data")),
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


def main():
    classifier = Classifier(program())
    KEPT.mkdir(parents=True, exist_ok=True)
    table, tokens = sentences_file(classifier.program, classifier.vocabulary, KEPT)
    ours, lines, verdicts = {}, [], []
    for recipe, names in PAIRS:
        try:
            theirs = classifier.in_onnxruntime(made_by(recipe, classifier.path, tokens))
        except Exception as error:  # pylint: disable=broad-exception-caught
            lines.append(f"| {recipe} | fails: {str(error)[:120]} | | | | | | | | | | |")
            continue
        for name in names:
            if name not in ours:
                path = make(name, classifier, classifier.program.folder, table)
                ours[name] = classifier.in_onnxruntime(path)
            low, high = paired_interval(ours[name], theirs)
            verdicts.append(judged(ours[name], theirs))
            lines.append(f"| {recipe} | {figures(theirs)} | {name} | {figures(ours[name])} | "
                         f"{low:.2g} to {high:.2g} | {verdicts[-1]} |")
            print(lines[-1], flush=True)
    write_result("python_tools", "The Python tools' files of minilm-l6-sst2 and ours", [
        f"Tools: {versions()}.", "",
        "Same model, the same 256 training sentences (`--samples 256 --seed 1`), groups of 32 for INT4; "
        "each tool as its documentation shows it (`benchmarks/against_python_tools/recipes.py`). 872 "
        "development sentences in ONNX Runtime, batches of 32 sorted by length, products with dequantized "
        "weights in float32. The difference of the KLs: 95 % bootstrap interval, sentences drawn in pairs. "
        "Better: lower KL at equal or smaller size.", "",
        "| tool's recipe | bytes | KL | agreement, % | accuracy, % | onnxpress | bytes | KL | agreement, % | "
        "accuracy, % | our KL − its | better |", "|" + "---|" * 12, *lines, "",
        f"Ours is better in {verdicts.count('yes')} of {len(verdicts)} rows."],
        classifier.program.document("doctor"))


if __name__ == "__main__":
    main()
