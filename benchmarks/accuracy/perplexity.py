# SPDX-License-Identifier: Apache-2.0
"""INT8 and INT4 on the language models and the image classifier: RTN, AWQ and GPTQ on the same grid."""
import dataclasses

from harness import ROOT, SHARED, metric
from forms import ROUND_TO_NEAREST
from setting import program, refusal, write_result

EMBEDDINGS_STAY = ("--set", "quantize_embeddings.min_saving=1")
INT4 = ("--preset", "int4-gptq", *EMBEDDINGS_STAY)
AWQ = ("--preset", "int4-awq", *EMBEDDINGS_STAY)
# Without what the presets add to the method.
AS_PUBLISHED = ("--set", "quantize_weights.refit=false", "--set", "quantize_weights.bias_correction=false")
# (method, arguments, needs data)
METHODS = (
    ("int8-weights", ("--preset", "int8-weights"), False),
    ("int8-dynamic", ("--preset", "int8-dynamic"), True),
    ("int8-dynamic, no data", ("--preset", "int8-dynamic"), False),
    ("int8", ("--preset", "int8"), True),
    ("int4 RTN", (*INT4, *ROUND_TO_NEAREST), False),
    ("int4 AWQ", (*AWQ, *AS_PUBLISHED), True),
    ("int4-awq", AWQ, True),
    ("int4 GPTQ", (*INT4, *AS_PUBLISHED), True),
    ("int4-gptq", INT4, True),
)
INT8 = ("int8-weights", "int8-dynamic", "int8")


@dataclasses.dataclass(frozen=True)
class Model:
    folder: object
    calibration: object
    evaluation: object
    arguments: tuple = ()
    samples: int = 0  # to evaluate on; 0: what is usual
    head: str = ""  # its name, where it is no embedding table, which stays float already


def models(scratch):
    gpt = ROOT / "models/gpt-shakespeare"
    text = (SHARED / "data/text/tinyshakespeare.txt").read_text(encoding="utf8")
    (scratch / "train.txt").write_text(text[:int(0.9 * len(text))], encoding="utf8")
    vit = ROOT / "models/vit-digits"
    found = {"gpt-shakespeare": Model(gpt, scratch / "train.txt", gpt / "held-out.txt",
                                      ("--window", 128, "--tokenizer", gpt / "vocab.json"), samples=800),
             "vit-digits": Model(vit, vit / "calibration.npz", vit / "test.npz",
                                 head="*classifier")}
    for name in ("stories260K", "zh-poem"):
        folder = SHARED / "models" / name
        if folder.is_dir():
            found[name] = Model(folder, folder / "calibration.npz", folder / "evaluation.npz")
    return found


def loss(ours, model, path):
    """(what the metric is, FP32's, the file's); perplexity, or accuracy in %."""
    samples = ("--samples", model.samples) if model.samples else ()
    document = ours.document("bench", model.folder / "model.onnx", path, "--data", model.evaluation,
                             "--runs", 1, "--seconds", 0, *samples, *model.arguments)
    before, after = (m["metrics"] for m in document["models"])
    if metric(before, "perplexity") is not None:
        return "perplexity", metric(before, "perplexity"), metric(after, "perplexity")
    return "accuracy", 100 * metric(before, "accuracy"), 100 * metric(after, "accuracy")


def judged(method, what, before, after, increases):
    if what == "accuracy":
        return "" if method not in INT8 else "≤ 0.3 points: " + ("ok" if before - after <= 0.3 else "missed")
    if method in INT8:
        return "≤ 0.3 %: " + ("ok" if after / before - 1 <= 0.003 else "missed")
    if method == "int4-gptq":
        ratio = increases[method] / increases["int4 RTN"]
        line = f"{ratio:.2f} of RTN's, asked ≤ 0.5: " + ("ok" if ratio <= 0.5 else "missed")
        for awq in ("int4 AWQ", "int4-awq"):
            if awq in increases:
                line += f"; not above {awq}'s: " + ("ok" if increases[method] <= increases[awq] else "missed")
        return line
    return ""


def measured_line(ours, name, model, method, arguments, data, increases):
    out = ours.folder / "out.onnx"
    if model.head and method not in INT8:
        arguments += ("--exclude", model.head)
    if data:
        arguments += ("--data", model.calibration, *model.arguments)
    try:
        ours.call("compress", model.folder / "model.onnx", "-o", out, "-f", "-q", "--no-eval", *arguments)
    except RuntimeError as error:
        return f"| {name} | {method} | | | | | {refusal(error)} |"
    what, before, after = loss(ours, model, out)
    increases[method] = after / before - 1
    change = f"{after - before:+.2f} points" if what == "accuracy" else f"{100 * increases[method]:+.2f} %"
    return (f"| {name} | {method} | {out.stat().st_size / 1e6:.2f} | {what} {before:.5g} | {after:.5g} | "
            f"{change} | {judged(method, what, before, after, increases)} |")


def main():
    ours = program()
    lines = []
    for name, model in models(ours.folder).items():
        increases = {}
        for method, arguments, data in METHODS:
            lines.append(measured_line(ours, name, model, method, arguments, data, increases))
            print(lines[-1], flush=True)
    write_result("perplexity", "Perplexity and accuracy of the small models", [
        "INT4: all linear units but the output head, groups of 32, zero points; embeddings stay float. "
        "Calibration data are apart from those that are measured. AWQ and GPTQ: the methods alone; int4-awq and "
        "int4-gptq: our presets, which refit weights to the original's outputs where held-out data say so.", "",
        "| model | method | MB | FP32 | compressed | change | asked |", "|---|---|---|---|---|---|---|",
        *lines], ours.document("doctor"))


if __name__ == "__main__":
    main()
