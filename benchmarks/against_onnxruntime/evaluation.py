# SPDX-License-Identifier: Apache-2.0
"""Time to evaluate 872 sentences on minilm-l6-sst2, and INT8 against FP32 on one of 128 tokens.

Both engines get the same batches of 32, sorted by length, and the same number of threads, and take
turns. ONNX Runtime's time has the model run and the padding of batches; ours, in addition, the metrics.
Neither has loading and tokenization.
"""
import statistics

import numpy as np
from setting import DEV, THREADS, program, timed, write_result
from harness import model_path, ort_session, sentence_batches, sentences

ROUNDS = 3


def evaluate_with_ort(session, ids_by_batch):
    right = 0
    labels = sentences()[1]
    for chunk, inputs in ids_by_batch:
        right += int((session.run(None, inputs)[0].argmax(1) == labels[chunk]).sum())
    return right / len(labels)


def main():
    ours, path = program(), model_path("minilm-l6-sst2")
    small = ours.folder / "int8.onnx"
    ours.call("compress", path, "-o", small, "--preset", "int8-dynamic")
    lines = ["872 sentences, median of 3 turns:", "",
             "| model | onnxpress | ONNX Runtime (Python) | onnxpress / ONNX Runtime | accuracy (both) |",
             "|---|---|---|---|---|"]
    prepared = list(sentence_batches(ours, path.parent))
    for what, model in (("FP32", path), ("INT8 (int8-dynamic)", small)):
        session = ort_session(model, THREADS)
        session.run(None, prepared[-1][1])  # warm
        our_times, ort_times = [], []
        for _ in range(ROUNDS):
            document = ours.document(
                "bench", model, "--data", DEV, "--tokenizer", path.parent / "vocab.txt",
                "--max-length", 128, "--threads", THREADS, "--runs", 1, "--seconds", 0.01)
            figures = document["models"][0]
            our_times.append(872 / figures["samples_per_second"])
            seconds, accuracy = timed(lambda: evaluate_with_ort(session, prepared))
            ort_times.append(seconds)
        mine, theirs = statistics.median(our_times), statistics.median(ort_times)
        our_accuracy = next(m["value"] for m in figures["metrics"] if m["name"] == "accuracy")
        lines.append(f"| {what} | {mine:.2f} s | {theirs:.2f} s | {mine / theirs:.2f} | "
                     f"{100 * our_accuracy:.2f} %, {100 * accuracy:.2f} % |")

    document = ours.document("bench", path, small, "--threads", THREADS, "--latency-batch", 1,
                             "--sequence", 128, "--runs", 40, "--seconds", 3)
    rng = np.random.default_rng(1)
    shape = (1, 128)
    inputs = {"input_ids": rng.integers(5, 2000, shape), "attention_mask": np.ones(shape, np.int64),
              "token_type_ids": np.zeros(shape, np.int64)}
    lines += ["", f"One sentence of 128 tokens, median, {THREADS} threads:", "",
              "| model | onnxpress | ONNX Runtime |", "|---|---|---|"]
    latencies = []
    for what, model, figures in zip(("FP32", "INT8"), (path, small), document["models"]):
        session = ort_session(model, THREADS)
        times = [timed(lambda: session.run(None, inputs))[0] for _ in range(45)][5:]
        latencies.append(figures["latency"]["p50_ms"])
        lines.append(f"| {what} | {latencies[-1]:.2f} ms | {1e3 * statistics.median(times):.2f} ms |")
    lines += ["", f"INT8 is {latencies[0] / latencies[1]:.2f} times as fast as FP32 in onnxpress."]
    write_result("evaluation", "Evaluating minilm-l6-sst2", lines, document)


if __name__ == "__main__":
    main()
