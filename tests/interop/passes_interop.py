#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every preset on every model of the zoo: ONNX Runtime loads the result and computes what it should.

usage: passes_interop.py --onnxpress BINARY --shared DIR [--only TEXT]

lossless: outputs bit-identical to the original's. fp16, int8-weights, int8-dynamic: the signal-to-noise ratio of the
outputs (the models' weights are random and tiny, so int8 has few values to average over). Also: compressing twice
gives the same bytes, with one thread and with two, and compressing the result again changes nothing or is refused as
already quantized. Prints one line per model and preset, and fails if one of them fails.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime as ort

MIN_SQNR_DB = {"fp16": 35.0, "int8-weights": 15.0, "int8-dynamic": 10.0}
PRESETS = ["lossless", *MIN_SQNR_DB]
ALREADY_QUANTIZED = 4  # exit code


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def cases(folder, only):
    for name in sorted(json.load(open(os.path.join(folder, "zoo.json"), encoding="utf8"))):
        if only in name:
            yield name, os.path.join(folder, name + ".onnx"), np.load(os.path.join(folder, name + ".npz"))


def inputs(npz):
    """The first case's inputs: `0/in/NAME`."""
    return {key[len("0/in/"):]: npz[key] for key in npz.files if key.startswith("0/in/")}


def sqnr_db(reference, actual):
    noise = float(((reference.astype("f8") - actual.astype("f8")) ** 2).sum())
    signal = float((reference.astype("f8") ** 2).sum())
    return math.inf if noise == 0 else 10 * math.log10(max(signal, 1e-300) / noise)


def compress(binary, source, target, preset, threads):
    command = [binary, "compress", source, "-o", target, "--preset", preset, "--force", "--threads", str(threads)]
    return subprocess.run(command, capture_output=True, text=True)


def check(binary, model, npz, preset, folder):
    """What is wrong, or the figures to print."""
    out, again, twice = (os.path.join(folder, name) for name in ("out.onnx", "again.onnx", "twice.onnx"))
    run = compress(binary, model, out, preset, 1)
    if run.returncode != 0:
        return False, f"exit code {run.returncode}: {run.stderr.strip()}"
    compress(binary, model, again, preset, 2)
    if open(out, "rb").read() != open(again, "rb").read():
        return False, "other bytes with two threads"
    feed = inputs(npz)
    before, after = session(model), session(out)
    described = lambda values: [(v.name, v.type) for v in values]
    if described(before.get_inputs()) != described(after.get_inputs()) or described(before.get_outputs()) != described(after.get_outputs()):
        return False, "inputs or outputs have other names or types"
    wanted, got = before.run(None, feed), after.run(None, feed)
    ratio = os.path.getsize(model) / os.path.getsize(out)
    if preset == "lossless":
        same = all(a.tobytes() == b.tobytes() for a, b in zip(wanted, got))
        if not same or ratio < 1:
            return False, f"bit-identical: {same}, ratio {ratio:.3f}"
        figures = f"bit-identical, ratio {ratio:.2f}"
    else:
        worst = min(sqnr_db(a, b) for a, b in zip(wanted, got) if a.dtype.kind == "f")
        figures = f"SQNR {worst:.1f} dB, ratio {ratio:.2f}"
        if not worst >= MIN_SQNR_DB[preset]:
            return False, figures
    run = compress(binary, out, twice, preset, 1)
    if run.returncode == ALREADY_QUANTIZED and preset.startswith("int8"):
        return True, figures
    if run.returncode != 0:
        return False, f"{figures}; a second time: exit code {run.returncode}: {run.stderr.strip()}"
    session(twice)
    if os.path.getsize(twice) > os.path.getsize(out) + 4096:
        return False, f"{figures}; grew from {os.path.getsize(out)} to {os.path.getsize(twice)} bytes the second time"
    return True, figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--onnxpress", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    zoo = os.path.join(arguments.shared, "models", "zoo")
    if not os.path.isdir(zoo):
        print(f"skipped: {zoo} is absent")
        return 77
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, model, npz in cases(zoo, arguments.only):
            for preset in PRESETS:
                try:
                    ok, figures = check(arguments.onnxpress, model, npz, preset, folder)
                except Exception as error:  # ONNX Runtime's own: the file does not load or run
                    ok, figures = False, f"{type(error).__name__}: {str(error)[:300]}"
                passed, failed = passed + ok, failed + (not ok)
                print(f"{'ok    ' if ok else 'FAILED'} {name:22} {preset:13} {figures}", flush=True)
    print(f"ONNX Runtime {ort.__version__}: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
