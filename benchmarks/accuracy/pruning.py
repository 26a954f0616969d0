# SPDX-License-Identifier: Apache-2.0
"""Heads and neurons cut out: accuracy by score, with and without refit; then quantized; the small models."""
import dataclasses

import numpy as np
from calibration import sentences_file
from classifier import Classifier, in_onnxpress
from harness import Program
from perplexity import loss, models
from setting import DEV, THREADS, program, refusal, write_result

SEEDS = (1, 2, 3)
SENTENCES = 512
MANY_SENTENCES = 4096
SCORES = ("norm", "obs", "ablation")
INT8 = '[[pass]]\nname = "quantize_embeddings"\n[[pass]]\nname = "quantize_weights"\n'
INT4 = ('[[pass]]\nname = "quantize_embeddings"\nbits = 4\ngroup = 32\nsymmetric = false\n'
        '[[pass]]\nname = "quantize_weights"\nbits = 4\ngroup = 32\nsymmetric = false\nstorage = "matmul_nbits"\n')


@dataclasses.dataclass(frozen=True)
class Cut:
    name: str
    heads: int = 0        # of 72
    neurons: float = 0    # share
    behind: str = ""      # passes
    kl: float = 1         # at most
    drop: float = 100     # of accuracy: at most, points
    agreement: float = 0  # at least, %
    megabytes: float = 91
    sentences: int = SENTENCES
    side_by_side: bool = True

    def recipe(self, scores="auto", refit=True):
        text = 'schema = 1\n[[pass]]\nname = "fold_constants"\n[[pass]]\nname = "deduplicate"\n'
        for name, amount in (("prune_heads", f"count = {self.heads}" if self.heads else ""),
                             ("prune_neurons", f"ratio = {self.neurons}" if self.neurons else "")):
            if amount:
                text += (f'[[pass]]\nname = "{name}"\n{amount}\nscores = "{scores}"\n'
                         f'refit = {str(refit).lower()}\n')
        if self.behind or self.heads and self.neurons and refit:
            text += '[[pass]]\nname = "fit_head"\n'
        return text + self.behind


CUTS = (
    Cut("14 of 72 heads", heads=14, kl=0.006, drop=0.3),
    Cut("36 of 72 heads", heads=36, drop=0.7, side_by_side=False),
    Cut("25 % of neurons", neurons=0.25, kl=0.004, agreement=99),
    Cut("14 heads, 25 % of neurons", heads=14, neurons=0.25, kl=0.008, drop=0.3),
    Cut("… and INT8", heads=14, neurons=0.25, behind=INT8, drop=0.4, megabytes=21.4, side_by_side=False),
    Cut("… and INT4", heads=14, neurons=0.25, behind=INT4, kl=0.0085, drop=0.5, megabytes=13.9,
        side_by_side=False),
    Cut("14 heads, 25 % of neurons", heads=14, neurons=0.25, kl=0.008, drop=0.3, sentences=MANY_SENTENCES,
        side_by_side=False),
    Cut("… and INT4", heads=14, neurons=0.25, behind=INT4, kl=0.0085, drop=0.5, megabytes=13.9,
        sentences=MANY_SENTENCES, side_by_side=False),
)


class Bench:
    def __init__(self):
        self.classifier = Classifier(program())
        self.ours = self.classifier.program
        self.original = 100 * self.classifier.in_onnxruntime(self.classifier.path).accuracy

    def compress(self, name, text, sentences=SENTENCES, seed=SEEDS[0]):
        """(file, its scores in our executor, the run document)"""
        recipe = self.ours.folder / "recipe.toml"
        recipe.write_text(text, encoding="utf8")
        table = sentences_file(self.ours, self.classifier.vocabulary, self.ours.folder, sentences, seed)[0]
        out = self.ours.folder / f"{name}.onnx"
        document = self.ours.document(
            "compress", self.classifier.path, "-o", out, "-f", "-q", "--recipe", recipe, "--tokenizer",
            self.classifier.vocabulary, "--max-length", 128, "--data", table, "--samples", sentences,
            "--eval-data", DEV, "--threads", THREADS)
        return out, in_onnxpress(document), document

    def wanted_line(self, cut):
        runs = [self.compress("cut", cut.recipe(), cut.sentences, seed) for seed in SEEDS]
        scores = [run[1] for run in runs]
        kl, accuracy, agreement = (float(np.median([getattr(s, f) for s in scores]))
                                   for f in ("kl", "accuracy", "agreement"))
        size = max(s.bytes for s in scores) / 1e6
        missed = [what for what, wrong in (
            ("KL", kl > cut.kl), ("drop", self.original - 100 * accuracy > cut.drop + 0.005),
            ("agreement", 100 * agreement < cut.agreement), ("size", size > cut.megabytes + 0.05)) if wrong]
        asked = [text for text, there in ((f"KL ≤ {cut.kl:g}", cut.kl < 1), (f"drop ≤ {cut.drop:g}", cut.drop < 100),
                                          (f"≥ {cut.agreement:g} %", cut.agreement),
                                          (f"≤ {cut.megabytes:g} MB", cut.megabytes < 91)) if there]
        return (f"| {cut.name} | {cut.sentences:,} | {size:.2f} | {kl:.2g} ({', '.join(f'{s.kl:.2g}' for s in scores)}) | "
                f"{100 * agreement:.2f} | {100 * accuracy:.2f} | {', '.join(asked)} | "
                f"{'missed: ' + ', '.join(missed) if missed else 'ok'} |")

    def side_by_side_lines(self, cut):
        for scores in SCORES:
            cells = []
            for refit in (False, True):
                one = self.compress("cut", cut.recipe(scores, refit))[1]
                cells.append(f"{one.kl:.2g} | {100 * one.agreement:.2f} | {100 * one.accuracy:.2f}")
            yield f"| {cut.name} | {scores} | {' | '.join(cells)} |"


def p50_of(ours: Program, before, after):
    document = ours.document("bench", before, after, "--threads", THREADS, "--seconds", 3)
    return [m["latency"]["p50_ms"] for m in document["models"]]


def other_line(ours, name, model, preset):
    out = ours.folder / "out.onnx"
    path = model.folder / "model.onnx"
    try:
        ours.call("compress", path, "-o", out, "-f", "-q", "--no-eval", "--preset", preset, "--data",
                  model.calibration, *model.arguments)
    except RuntimeError as error:
        return f"| {name} | {preset} | | | | | {refusal(error)} |"
    what, before, after = loss(ours, model, out)
    change = f"{after - before:+.2f} points" if what == "accuracy" else f"{100 * (after / before - 1):+.2f} %"
    times = p50_of(ours, path, out)
    return (f"| {name} | {preset} | {path.stat().st_size / 1e6:.2f} | {out.stat().st_size / 1e6:.2f} | "
            f"{what} {before:.5g} | {after:.5g} | {change} | {times[0] / times[1]:.2f} |")


def main():
    bench = Bench()
    wanted, sides, others = [], [], []
    for cut in CUTS:
        try:
            wanted.append(bench.wanted_line(cut))
            print(wanted[-1], flush=True)
            for line in bench.side_by_side_lines(cut) if cut.side_by_side else ():
                sides.append(line)
                print(line, flush=True)
        except RuntimeError as error:
            wanted.append(f"| {cut.name} | | | | | | | {refusal(error)} |")
            print(wanted[-1], flush=True)
    for name, model in models(bench.ours.folder).items():
        for preset in ("prune", "tiny"):
            others.append(other_line(bench.ours, name, model, preset))
            print(others[-1], flush=True)
    write_result("pruning", "Structured pruning", [
        f"minilm-l6-sst2, FP32: 91.0 MB, accuracy {bench.original:.2f} %. 872 development sentences in our executor; "
        "medians of three draws of calibration sentences (each draw's KL in brackets).", "",
        "| cut | sentences | MB | KL | agreement, % | accuracy, % | asked | judged |", "|" + "---|" * 8, *wanted, "",
        "Scores side by side, first draw:", "",
        "| cut | scores | KL without refit | agreement, % | accuracy, % | KL with refit | agreement, % | "
        "accuracy, % |", "|" + "---|" * 8, *sides, "",
        "The small models, calibrated on other data than those that are measured; times as fast: batch 1, 128 tokens "
        "where the input has tokens:", "",
        "| model | preset | MB before | MB | FP32 | compressed | change | times as fast |", "|" + "---|" * 8,
        *others],
        bench.ours.document("doctor"))


if __name__ == "__main__":
    main()
