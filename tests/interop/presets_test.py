# SPDX-License-Identifier: Apache-2.0
"""Every preset's file loads in ONNX Runtime and computes there what it computes in our executor, or the
model is refused with a reason.

The presets are those that the program lists, with data where they need them. `lossless` gives bit-identical
outputs in ONNX Runtime; the others keep a signal-to-noise ratio. All presets keep the model's inputs and
outputs, give the same bytes for one thread and for two, and leave their own results alone.
"""
import math
import subprocess

import numpy as np
from harness import (Checks, Program, arguments, batches, calibration_words, has_vnni, model_path, ort_run,
                     ort_session)

# Batches of the 872 sentences that are compared: every one, or every fourth.
STEPS = {"int8-dynamic": 1}
# Largest difference of logits as a share of max(1, std), where both compute in float32.
CLOSE = {"lossless": 1e-4, "int8-weights": 1e-4, "int4": 1e-4, "int4-gptq": 1e-4, "int4-awq": 1e-4}
# Share of predictions that must be the same in both engines. Float sums in another order move an
# activation at the border between two codes to either side; in a language model with large outliers
# such flips spread (ONNX Runtime's own optimization levels differ from each other as much), so there
# the engines need only agree better than quantization agrees with the original.
SAME_PREDICTIONS = {"lossless": 1.0, "int8-weights": 1.0}
# Products of integers: their sums may saturate in ONNX Runtime (u8 x s8 without VNNI).
INTEGER = ("int8-dynamic", "int8")
# Least signal-to-noise ratio of the outputs in dB. The zoo's weights are random and its rows short, so its
# INT8 scales fit worse than a trained model's.
SQNR_DB = {"lossless": math.inf, "fp16": 35.0, "int8-weights": 15.0, "int8-dynamic": 10.0}
LEAST_SQNR_DB = 3.0  # of others: four bits of random weights, or ranges of three samples
LARGEST = "minilm-l6-sst2"  # takes minutes to solve by one thread; smaller models show the same
UNSUPPORTED = 4  # exit code


def sqnr_db(reference, actual):
    noise = float(((reference.astype("f8") - actual.astype("f8")) ** 2).sum())
    signal = float((reference.astype("f8") ** 2).sum())
    return math.inf if noise == 0 else 10 * math.log10(max(signal, 1e-300) / noise)


def described(session):
    """Names and types of a model's inputs and outputs."""
    return [(v.name, v.type) for v in [*session.get_inputs(), *session.get_outputs()]]


def compare(checks, program, name, preset, original, path, inputs_list):
    session, reference = ort_session(path), ort_session(original)
    checks.that(described(session) == described(reference),
                f"{name} {preset}: inputs and outputs keep their names and types")
    rows, same, like_original, worst, least_db = 0, 0, 0, 0.0, math.inf
    identical = True
    for inputs in inputs_list:
        before = ort_run(reference, inputs)
        theirs = ort_run(session, inputs)
        ours = program.run(path, inputs)
        for key, value in theirs.items():
            rows += value[..., 0].size
            same += int((value.argmax(-1) == ours[key].argmax(-1)).sum())
            like_original += int((value.argmax(-1) == before[key].argmax(-1)).sum())
            worst = max(worst, float(np.abs(value - ours[key]).max(initial=0.0)) /
                        max(1.0, float(value.std())))
            least_db = min(least_db, sqnr_db(before[key], value))
            identical &= before[key].tobytes() == value.tobytes()
    share = same / rows
    needed = SAME_PREDICTIONS.get(preset, 0.995)
    if preset in INTEGER and "sst2" not in name:
        needed = min(needed, like_original / rows)
    # A few rows say nothing about half a percent: one near tie may fall to the other side.
    enough = share >= needed or (rows < 200 and rows - same <= 1)
    close = worst <= CLOSE.get(preset, float("inf"))
    judged = preset not in INTEGER or has_vnni()
    checks.that((enough and close) or not judged,
                f"{name} {preset}: {100 * share:.2f} % of {rows} predictions as in ONNX Runtime, "
                f"at least {100 * needed:.2f} %; largest difference {worst:.1e} x max(1, std)"
                + ("" if judged else " (not judged: this CPU has no VNNI)"))
    wanted_db = SQNR_DB.get(preset, LEAST_SQNR_DB)
    checks.that(least_db >= wanted_db, f"{name} {preset}: at least {least_db:.1f} dB, "
                f"wanted {wanted_db:.1f}")
    if preset == "lossless":
        checks.that(identical, f"{name} lossless: bit-identical to the original in ONNX Runtime")


def compress(program, path, out, preset, *words):
    return subprocess.run([str(program.path), "compress", str(path), "-o", str(out), "--preset", preset, "-f",
                           *map(str, words)], capture_output=True, text=True, check=False)


def told(run):
    """What a failed run said."""
    return "" if run.returncode == 0 else "\n" + run.stderr[-500:]


def compress_again(checks, program, name, preset, path, words):
    """A second run finds nothing to do: it changes nothing that counts, and says so if it is strict."""
    twice = program.folder / "twice.onnx"
    run = compress(program, path, twice, preset, *words)
    grown = twice.stat().st_size - path.stat().st_size if run.returncode == 0 else 0
    if run.returncode == UNSUPPORTED and "error[E0404]" in run.stderr:  # codes can't be cut
        checks.that("prune" in run.stderr, f"{name} {preset}: a second time refused, {run.stderr.splitlines()[0]}")
        return
    checks.that(run.returncode == 0 and grown <= 4096,
                f"{name} {preset}: a second time, exit code {run.returncode}, {grown:+} bytes"
                + told(run))
    if run.returncode == 0 and "nothing is left to quantize" in run.stderr:
        strict = compress(program, path, twice, preset, "--strict", *words)
        checks.that(strict.returncode == UNSUPPORTED and "error[E0404]" in strict.stderr,
                    f"{name} {preset}: a second time with --strict, exit code {strict.returncode}")


def judge(checks, program, name, original, preset, words, inputs_list):
    out, again = program.folder / f"{preset}.onnx", program.folder / f"{preset}-again.onnx"
    run = compress(program, original, out, preset, "--threads", 2, *words)
    if run.returncode == UNSUPPORTED and "error[E04" in run.stderr:
        checks.that(True, f"{name} {preset}: refused, {run.stderr.splitlines()[0]}")
        return
    if not checks.that(run.returncode == 0, f"{name} {preset}: exit code {run.returncode}{told(run)}"):
        return
    if not (words and name == LARGEST):
        compress(program, original, again, preset, "--threads", 1, *words)
        checks.that(out.read_bytes() == again.read_bytes(),
                    f"{name} {preset}: same bytes for one thread and for two")
    before, after = original.stat().st_size, out.stat().st_size
    checks.that(after <= before, f"{name} {preset}: {before} to {after} bytes")
    compare(checks, program, name, preset, original, out,
            inputs_list[::STEPS.get(preset, 4)] if "sst2" in name else inputs_list)
    if not (preset in ("prune", "tiny") and name == LARGEST):  # a minute each
        compress_again(checks, program, name, preset, out, words)


def main():
    args = arguments("bundled or shared model, e.g. vit-digits or zoo/bert-legacy")
    original = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    inputs_list = list(batches(program, args.model, original))
    data = calibration_words(program, args.model, original)
    for preset in program.document("passes")["preset_list"]:
        name = preset["name"]
        if not preset["needs_data"]:
            judge(checks, program, args.model, original, name, [], inputs_list)
        if preset["needs_data"] or name == "int8-dynamic":  # which smooths where it has data
            judge(checks, program, args.model, original, name, [*data, "--no-eval"], inputs_list)
    checks.finish()


if __name__ == "__main__":
    main()
