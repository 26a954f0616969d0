# SPDX-License-Identifier: Apache-2.0
"""What `check --target ort-cpu` says is what ONNX Runtime 1.32 does, pattern by pattern, and
docs/targets.md has exactly these rows."""
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
from harness import ROOT, SKIPPED, Checks, Program, arguments
from target_models import cases

VERSION = "1.32"
# Become weights in blocks; check says that they become no integer product.
MEANT_AS_INTEGER = {"static: Mul behind the input's DequantizeLinear", "static: u16 input"}
INTEGER = {"MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm"}
NUMPY = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}


def feeds(session):
    for value in session.get_inputs():
        dims = [3 if isinstance(d, str) else d for d in value.shape]
        yield value.name, np.ones(dims, NUMPY[value.type])


def in_runtime(model, scratch):
    """"refused", or what became of the products: "integer", "blocks", "float"; "runs" where there are none."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(scratch / "optimized.onnx")
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        session.run(None, dict(feeds(session)))
    except Exception:  # noqa: BLE001; the runtime has many classes for it
        return "refused"
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    made = {output: node for node in nodes for output in node.output}

    def unpacks(value, depth=0):
        before = made.get(value)
        if before is None or depth > 2:
            return False
        return before.op_type == "DequantizeLinear" or any(unpacks(v, depth + 1) for v in before.input[:2])
    for node in nodes:
        if node.op_type in ("MatMul", "FusedMatMul", "Gemm", "Gather") and any(unpacks(v) for v in node.input[:2]):
            return "float"
    types = {node.op_type for node in nodes}
    return "integer" if types & INTEGER else "blocks" if "MatMulNBits" in types else "runs"


def as_checked(program, model):
    """What onnxpress says: "refused", "float", or "" where it has nothing against the model."""
    path = program.folder / "case.onnx"
    path.write_bytes(model)
    run = subprocess.run([str(program.path), "check", str(path), "--target", "ort-cpu", "--format", "json"],
                         capture_output=True, text=True, check=False)
    if run.returncode not in (0, 4):
        return f"exit code {run.returncode}: {run.stderr}"
    findings = json.loads(run.stdout)["descriptions"][0]["findings"]
    if run.returncode == 4:
        return "refused"
    slow = [f for f in findings if "unpacked in every run" in f or "no integer product" in f]
    return "float" if slow else ""


def documented():
    text = (ROOT / "docs/targets.md").read_text(encoding="utf8")
    return dict(re.findall(r"^\| (.+?) \| (refused|integer|blocks|float|runs) \|", text, re.M))


def main():
    args = arguments(**{"--print": {"action": "store_true", "help": "print the table, check nothing"}})
    if not ort.__version__.startswith(VERSION):
        print(f"skipped: the table is for ONNX Runtime {VERSION}, this is {ort.__version__}")
        sys.exit(SKIPPED)
    checks, program = Checks(), Program(args.onnxpress)
    found = {name: in_runtime(model, program.folder) for name, model in cases().items()}
    if args.print:
        print("".join(f"| {name} | {outcome} |\n" for name, outcome in found.items()))
        return
    for name, model in cases().items():
        said = as_checked(program, model)
        wanted = found[name] if found[name] in ("refused", "float") else ""
        if name in MEANT_AS_INTEGER:
            wanted = "float"
        checks.that(said == wanted, f"{name}: {found[name]} in ONNX Runtime, check says {said or 'nothing'}")
    checks.that(documented() == found, "docs/targets.md has these rows" +
                "".join(f"\n    {k}: {documented().get(k)} there, {found.get(k)} here"
                        for k in {**documented(), **found} if documented().get(k) != found.get(k)))
    checks.finish()


if __name__ == "__main__":
    main()
