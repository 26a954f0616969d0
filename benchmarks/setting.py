# SPDX-License-Identifier: Apache-2.0
"""What every comparison states: machine, versions, command; and how its result file is written."""
import os
import pathlib
import platform
import subprocess
import time

import numpy as np
import onnxruntime as ort
from harness import ROOT, Program

THREADS = 2
DEV = ROOT / "models/sst2-minilm-l3/dev.tsv"


def program():
    return Program(pathlib.Path(os.environ.get("ONNXPRESS", ROOT / "build/release/onnxpress")))


def machine():
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf8")
    line = next((x for x in cpuinfo.splitlines() if x.startswith("model name")), "unknown: unknown")
    return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"


def timed(work):
    """(seconds, result)"""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def refusal(error):
    """What onnxpress said, of the RuntimeError of a call that failed."""
    return next((line for line in str(error).splitlines() if line.startswith("error[")), str(error)[:120])


def whole_process(command, environment=None):
    """(seconds, peak resident bytes)"""
    start = time.perf_counter()
    with subprocess.Popen([str(w) for w in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=environment) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command} ended with {child.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def write_result(name, title, lines, document):
    """Prints the result and writes benchmarks/results/NAME.md."""
    host = document["host"]
    text = "\n".join([
        f"# {title}", "",
        f"- machine: {machine()}; onnxpress used {host['instruction_set']}, {THREADS} threads",
        f"- onnxpress {document['tool']['version']} ({document['tool']['commit']}), "
        f"ONNX Runtime {ort.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}",
        f"- date: {time.strftime('%Y-%m-%d')}",
        f"- command: `benchmarks/run_all {name}`", "", *lines, ""])
    print(text)
    (ROOT / "benchmarks/results").mkdir(exist_ok=True)
    (ROOT / f"benchmarks/results/{name}.md").write_text(text, encoding="utf8")
