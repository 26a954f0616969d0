# SPDX-License-Identifier: Apache-2.0
"""Files of the Python tools, each made once and kept in build/python_tools."""
import os
import subprocess

from setting import ROOT

PYTHON = ROOT / "build/tools-venv/bin/python"
KEPT = ROOT / "build/python_tools"
NEEDS_TORCH = {"ort-hqq", "ort-gptq-sym", "ort-gptq-asym"}


def command(recipe, model, tokens, out):
    return [str(x) for x in (PYTHON, "-B", ROOT / "benchmarks/against_python_tools/recipes.py", recipe, model,
                             tokens, out)]


def environment(recipe):
    more = {"PYTHONPATH": str(ROOT / "build/tools-torch")} if recipe in NEEDS_TORCH else {}
    without = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return {**without, **more, "OMP_NUM_THREADS": "2"}


def made_by(recipe, model, tokens):
    """The recipe's file. Throws RuntimeError with the tool's last line where it fails."""
    KEPT.mkdir(parents=True, exist_ok=True)
    out = KEPT / f"{tokens.stem}-{recipe}.onnx"
    if not out.exists():
        part = out.with_suffix(".part.onnx")
        run = subprocess.run(command(recipe, model, tokens, part), env=environment(recipe), cwd=KEPT,
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{recipe}: {(run.stderr.strip().splitlines() or ['?'])[-1]}")
        part.rename(out)
    return out
