# SPDX-License-Identifier: Apache-2.0
"""What each preset saves and costs on every model that has data."""
from setting import DEV, ROOT, THREADS, program, write_result
from harness import PRESETS, SHARED, metric

DATA = {"sst2-minilm-l3": ["--data", DEV, "--max-length", 128],
        "gpt-shakespeare": ["--data", ROOT / "models/gpt-shakespeare/held-out.txt", "--window", 128],
        "vit-digits": ["--data", ROOT / "models/vit-digits/test.npz"],
        "minilm-l6-sst2": ["--data", DEV, "--max-length", 128],
        "stories260K": ["--data", SHARED / "models/stories260K/evaluation.npz"]}


def quality(metrics):
    accuracy = metric(metrics, "accuracy")
    if accuracy is not None:
        return f"{100 * accuracy:.2f} %"
    perplexity = metric(metrics, "perplexity")
    return "" if perplexity is None else f"perplexity {perplexity:.4g}"


def main():
    ours = program()
    lines = ["Latency: one sample (text: 128 tokens), median. Agreement: same top-1 as the original.", "",
             "| model | preset | size | smaller | quality before, after | agreement | latency before, after |",
             "|---|---|---|---|---|---|---|"]
    for name, words in DATA.items():
        folder = ROOT / "models" / name
        if not folder.is_dir():
            folder = SHARED / "models" / name
        if not folder.is_dir():
            print(f"{name}: not there, left out")
            continue
        for preset in PRESETS:
            document = ours.document("compress", folder, "-o", ours.folder / f"{name}-{preset}.onnx",
                                     "--preset", preset, "--threads", THREADS, *words)
            before, after = document["models"]
            agreement = metric(document["agreement"][0]["metrics"], "agreement")
            lines.append(
                f"| {name} | {preset} | {after['bytes'] / 1e6:.2f} MB | "
                f"{before['bytes'] / after['bytes']:.2f}x | "
                f"{quality(before['metrics'])}, {quality(after['metrics'])} | {100 * agreement:.2f} % | "
                f"{before['latency']['p50_ms']:.2f}, {after['latency']['p50_ms']:.2f} ms |")
    write_result("presets", "Presets on real models", lines, document)


if __name__ == "__main__":
    main()
