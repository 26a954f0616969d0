# SPDX-License-Identifier: Apache-2.0
"""Time and memory to make minilm-l6-sst2 (91 MB) INT8: whole processes, in turns."""
import os
import statistics
import sys
import tempfile

from setting import THREADS, program, whole_process, write_result
from harness import model_path

ROUNDS = 3
ORT_SCRIPT = """
import sys
from onnxruntime.quantization import QuantType, quantize_dynamic
quantize_dynamic(sys.argv[1], sys.argv[2], per_channel=True, weight_type=QuantType.QInt8)
"""


def main():
    ours, path = program(), model_path("minilm-l6-sst2")
    size = path.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        out, their_out = f"{folder}/ours.onnx", f"{folder}/theirs.onnx"
        commands = {
            "onnxpress": [ours.path, "compress", path, "-o", out, "-f", "--preset", "int8-dynamic",
                          "--threads", THREADS],
            "ONNX Runtime": [sys.executable, "-c", ORT_SCRIPT, path, their_out]}
        runs = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                runs[name].append(whole_process(command))
        sizes = {"onnxpress": os.path.getsize(out), "ONNX Runtime": os.path.getsize(their_out)}
    lines = [f"Input: {size:,} bytes. Preset `int8-dynamic` and `quantize_dynamic` (per channel, QInt8); "
             f"median of {ROUNDS} runs in turns, start of the process to its end.", "",
             "| program | seconds | peak memory | peak / file size | output bytes | smaller |",
             "|---|---|---|---|---|---|"]
    median = {}
    for name, results in runs.items():
        median[name] = statistics.median(seconds for seconds, _ in results)
        peak = max(bytes_ for _, bytes_ in results)
        lines.append(f"| {name} | {median[name]:.2f} | {peak / 1e6:.0f} MB | {peak / size:.2f} | "
                     f"{sizes[name]:,} | {size / sizes[name]:.2f}x |")
    ratio = median["ONNX Runtime"] / median["onnxpress"]
    lines += ["", f"onnxpress is {ratio:.1f} times as fast."]
    document = ours.document("doctor")
    write_result("compression", "Compressing minilm-l6-sst2 to INT8", lines, document)


if __name__ == "__main__":
    main()
