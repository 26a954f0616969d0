# SPDX-License-Identifier: Apache-2.0
"""What each preset saves and costs on every model that has data."""
import pathlib

from calibration import TRAIN
from harness import ROOT, SHARED, metric
from perplexity import Model, models
from setting import DEV, THREADS, program, refusal, write_result

SENTENCES = ("--max-length", 128)
CALIBRATION = ("--samples", 512)


def all_models(scratch: pathlib.Path):
    found = {}
    for name, folder in (("sst2-minilm-l3", ROOT / "models"), ("minilm-l6-sst2", SHARED / "models")):
        found[name] = Model(folder / name, TRAIN, DEV, SENTENCES)
    return {name: model for name, model in (found | models(scratch)).items() if model.folder.is_dir()}


def quality(metrics):
    accuracy = metric(metrics, "accuracy")
    if accuracy is not None:
        return f"{100 * accuracy:.2f} %"
    perplexity = metric(metrics, "perplexity")
    return "" if perplexity is None else f"perplexity {perplexity:.4g}"


def main():
    ours = program()
    lines = ["Calibrated on at most 512 samples that are not those measured on. Latency: one sample (text: 128 tokens), "
             "median. Agreement: same top-1 as the original.", "",
             "| model | preset | size | smaller | quality before, after | agreement | latency before, after |",
             "|" + "---|" * 7]
    presets = [preset["name"] for preset in ours.document("passes")["preset_list"]]
    for name, model in all_models(ours.folder).items():
        for preset in presets:
            try:
                document = ours.document("compress", model.folder, "-o", ours.folder / "out.onnx", "-f", "--preset",
                                         preset, "--threads", THREADS, "--data", model.calibration, *CALIBRATION,
                                         "--eval-data", model.evaluation, *model.arguments)
            except RuntimeError as error:
                lines.append(f"| {name} | {preset} | {refusal(error)} | | | | |")
                continue
            before, after = document["models"]
            agreement = metric(document["agreement"][0]["metrics"], "agreement")
            lines.append(
                f"| {name} | {preset} | {after['bytes'] / 1e6:.2f} MB | "
                f"{before['bytes'] / after['bytes']:.2f}x | "
                f"{quality(before['metrics'])}, {quality(after['metrics'])} | {100 * agreement:.2f} % | "
                f"{before['latency']['p50_ms']:.2f}, {after['latency']['p50_ms']:.2f} ms |")
            print(lines[-1], flush=True)
    write_result("presets", "Presets on real models", lines, ours.document("doctor"))


if __name__ == "__main__":
    main()
