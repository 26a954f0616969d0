# SPDX-License-Identifier: Apache-2.0
"""Presets int8 and int8-dynamic become integer products in ONNX Runtime: its optimized graph has no
DequantizeLinear before a product but for those that `check --target ort-cpu` warned of."""
import numpy as np
import onnx
import onnxruntime as ort
from harness import ROOT, Checks, Program, arguments, model_path, ort_run, ort_session, sentence_batches

INTEGER = {"MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm"}


def optimized(path, scratch):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(scratch / "optimized.onnx")
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath).graph


def products(graph):
    """(integer products, products with a DequantizeLinear before them)"""
    made = {output: node.op_type for node in graph.node for output in node.output}
    integer = [n for n in graph.node if n.op_type in INTEGER]
    unpacked = [n for n in graph.node if n.op_type in ("MatMul", "Gemm", "FusedMatMul", "FusedGemm")
                and any(made.get(v) == "DequantizeLinear" for v in n.input)]
    return integer, unpacked


def judge(checks, program, name, original, preset, target):
    path = program.folder / f"{preset}-{target}.onnx"
    data = ["--data", ROOT / "models/sst2-minilm-l3/dev.tsv", "--samples", 64, "--no-eval"] if preset == "int8" else []
    document = program.document("compress", original, "-o", path, "--preset", preset, "--target", target, *data)
    units = sum(unit["decision"] == "change" for p in document["passes"]
                if p["pass"] in ("quantize_static", "quantize_dynamic") for unit in p["units"])
    findings = program.document("check", path, "--target", "ort-cpu")["descriptions"][0]["findings"]
    warned = [f for f in findings if "stays a float product" in f]
    integer, unpacked = products(optimized(path, program.folder))
    what = f"{name} {preset} for {target}"
    checks.that(len(integer) == units - len(warned),
                f"{what}: {len(integer)} integer products of {units} units, {len(warned)} warned of")
    checks.that(len(unpacked) == len(warned), f"{what}: {len(unpacked)} with a DequantizeLinear left, "
                f"{len(warned)} warned of: {warned}")
    if target == "ort-cpu-avx2":
        narrow = program.document("check", path, "--target", target)["descriptions"][0]["findings"]
        checks.that("saturate" not in str(narrow), f"{what}: no pair of weights can saturate")
    same, rows = 0, 0
    session = ort_session(path)
    for _, inputs in list(sentence_batches(program, original.parent))[::4]:
        theirs = next(iter(ort_run(session, inputs).values()))
        ours = next(iter(program.run(path, inputs).values()))
        same += int((theirs.argmax(-1) == ours.argmax(-1)).sum())
        rows += len(theirs)
    checks.that(same >= np.floor(0.99 * rows), f"{what}: {same} of {rows} predictions as in our executor")


def main():
    args = arguments("a bundled or shared classifier of sentences")
    original = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    for preset in ("int8", "int8-dynamic"):
        for target in ("ort-cpu", "ort-cpu-avx2"):
            judge(checks, program, args.model, original, preset, target)
    checks.finish()


if __name__ == "__main__":
    main()
