# SPDX-License-Identifier: Apache-2.0
"""The FP32 model gives the same through our executor as through ONNX Runtime.

Logits differ by at most 1e-4 times their standard deviation (at least 1), predictions not at all, and
accuracy or perplexity over the whole evaluation set is that of shared/models/reference.json.
"""
import json

import numpy as np
from harness import (ROOT, SHARED, Checks, Program, arguments, batches, metric, model_path,
                     ort_run, ort_session)

TOLERANCE = 1e-4


def worst_difference(got, expected):
    """max |difference| as a share of what is allowed."""
    worst = 0.0
    for name, want in expected.items():
        if got[name].shape != want.shape:
            return float("inf")
        allowed = TOLERANCE * max(1.0, float(want.std()))
        worst = max(worst, float(np.abs(got[name] - want).max(initial=0.0)) / allowed)
    return worst


def same_outputs(checks, program, name, path):
    session = ort_session(path)
    worst, rows, differing = 0.0, 0, 0
    for inputs in batches(program, name, path):
        expected = ort_run(session, inputs)
        got = program.run(path, inputs)
        worst = max(worst, worst_difference(got, expected))
        for key, want in expected.items():
            predicted = got[key].argmax(-1)
            rows += predicted.size
            differing += int((predicted != want.argmax(-1)).sum())
    checks.that(worst <= 1, f"{name}: largest difference from ONNX Runtime "
                            f"{worst * TOLERANCE:.2e} x max(1, std), at most {TOLERANCE:.0e}")
    # On a set of made-up weights ties can be near; on real models not one prediction may differ.
    checks.that(differing == 0, f"{name}: {differing} of {rows} predictions differ")


def same_as_stored(checks, program, name, path):
    stored = np.load(path.with_suffix(".npz"))
    worst = 0.0
    for case in sorted({key.split("/")[0] for key in stored}):
        inputs = {k.split("/")[-1]: stored[k] for k in stored if k.startswith(f"{case}/in/")}
        wanted = {k.split("/")[-1]: stored[k] for k in stored if k.startswith(f"{case}/out/")}
        worst = max(worst, worst_difference(program.run(path, inputs), wanted))
    checks.that(worst <= 1, f"{name}: largest difference from the stored outputs "
                            f"{worst * TOLERANCE:.2e} x max(1, std)")


def same_quality(checks, program, name, path):
    data = {"gpt-shakespeare": ["--data", ROOT / "models/gpt-shakespeare/held-out.txt", "--window", 128],
            "vit-digits": ["--data", path.parent / "test.npz"],
            "stories260K": ["--data", path.parent / "evaluation.npz"],
            "zh-poem": ["--data", path.parent / "evaluation.npz"]}
    words = data.get(name, ["--data", ROOT / "models/sst2-minilm-l3/dev.tsv", "--max-length", 128])
    figures = program.document("bench", path.parent, *words, "--runs", 1, "--seconds", 0.01)
    measured = figures["models"][0]["metrics"]
    reference = json.loads((SHARED / "models/reference.json").read_text(encoding="utf8"))
    wanted = reference.get(name) or reference[f"bundle/{name}"]
    if wanted["metric"] == "accuracy":
        got = metric(measured, "accuracy")
        checks.that(abs(got - wanted["accuracy"]) < 1e-9,
                    f"{name}: accuracy {got:.6f}, ONNX Runtime {wanted['accuracy']:.6f}")
    else:
        got = metric(measured, "perplexity")
        checks.that(f"{got:.4g}" == f"{wanted['perplexity']:.4g}",
                    f"{name}: perplexity {got:.6f}, ONNX Runtime {wanted['perplexity']:.6f}")


def main():
    args = arguments("bundled or shared model, e.g. vit-digits or zoo/bert-legacy")
    path = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    same_outputs(checks, program, args.model, path)
    if args.model.startswith("zoo/"):
        same_as_stored(checks, program, args.model, path)
    elif SHARED.is_dir():
        same_quality(checks, program, args.model, path)
    checks.finish()


if __name__ == "__main__":
    main()
