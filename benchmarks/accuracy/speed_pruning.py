# SPDX-License-Identifier: Apache-2.0
"""What pruned models save in time; what the preset prune takes."""
from calibration import sentences_file
from pruning import CUTS, INT8, SENTENCES, Bench, p50_of
from setting import THREADS, whole_process, write_result

MORE_SENTENCES = 2048
SECONDS = 60  # at most
FASTER = 1.2  # INT8, at least


def preset_line(bench, samples):
    table = sentences_file(bench.ours, bench.classifier.vocabulary, bench.ours.folder, samples)[0]
    seconds, peak = whole_process((
        bench.ours.path, "compress", bench.classifier.path, "-o", bench.ours.folder / "out.onnx", "-f", "--preset",
        "prune", "--tokenizer", bench.classifier.vocabulary, "--max-length", 128, "--data", table, "--samples",
        samples, "--no-eval", "--threads", THREADS))
    judged = f"≤ {SECONDS} s: {'ok' if seconds <= SECONDS else 'missed'}" if samples == SENTENCES else ""
    return f"| {samples} | {seconds:.1f} | {peak / 1e6:.0f} | {judged} |"


def speed_line(bench, name, before, cut, asked=0.0):
    after = bench.compress("after", cut.recipe())[0]
    old, new = p50_of(bench.ours, before, after)
    judged = f"≥ {asked}: {'ok' if old / new >= asked else 'missed'}" if asked else ""
    return f"| {name} | {old:.2f} | {new:.2f} | {old / new:.2f} | {judged} |"


def main():
    bench = Bench()
    times = [preset_line(bench, samples) for samples in (SENTENCES, MORE_SENTENCES)]
    print(*times, sep="\n", flush=True)
    float32 = bench.classifier.path
    int8 = bench.compress("int8", "schema = 1\n" + INT8)[0]
    lines = []
    for cut, before, name, asked in (
            (CUTS[0], float32, "FP32, without 14 heads", 0), (CUTS[1], float32, "FP32, without 36 heads", 0),
            (CUTS[3], float32, "FP32, without 14 heads and 25 % of neurons", 0),
            (CUTS[4], int8, "INT8 weights, the same", FASTER)):
        lines.append(speed_line(bench, name, before, cut, asked))
        print(lines[-1], flush=True)
    write_result("speed_pruning", "Structured pruning of minilm-l6-sst2: time", [
        "Preset prune, whole process without evaluation:", "",
        "| sentences | seconds | peak MB | asked |", "|---|---|---|---|", *times, "",
        "Latency, batch 1, 128 tokens, our executor, interleaved (ms, median):", "",
        "| what | before | after | times as fast | asked |", "|---|---|---|---|---|", *lines],
        bench.ours.document("doctor"))


if __name__ == "__main__":
    main()
