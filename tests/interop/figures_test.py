# SPDX-License-Identifier: Apache-2.0
"""What int8-dynamic and fp16 cost and save on the sentiment classifiers: 872 sentences, batches of 32."""
from harness import ROOT, Checks, Program, arguments, metric, model_path

LIMITS = {"int8-dynamic": {"ratio": 3.9, "agreement": 0.975, "accuracy_drop": 0.008},
          "fp16": {"ratio": 1.98, "agreement": 0.998, "accuracy_drop": 0.008}}


def main():
    args = arguments("sst2-minilm-l3 or minilm-l6-sst2")
    path = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    for preset, limits in LIMITS.items():
        document = program.document(
            "compress", path.parent, "-o", program.folder / f"{preset}.onnx", "--preset", preset,
            "--data", ROOT / "models/sst2-minilm-l3/dev.tsv", "--max-length", 128)
        before, after = document["models"]
        ratio = before["bytes"] / after["bytes"]
        agreement = metric(document["agreement"][0]["metrics"], "agreement")
        drop = metric(before["metrics"], "accuracy") - metric(after["metrics"], "accuracy")
        what = f"{args.model} {preset}"
        checks.that(document["evaluation"]["samples"] == 872, f"{what}: measured on 872 sentences")
        checks.that(ratio >= limits["ratio"],
                    f"{what}: {before['bytes']} to {after['bytes']} bytes, {ratio:.3f} x smaller, "
                    f"at least {limits['ratio']}")
        checks.that(agreement >= limits["agreement"],
                    f"{what}: agreement {100 * agreement:.2f} %, at least {100 * limits['agreement']:.1f}")
        checks.that(drop <= limits["accuracy_drop"],
                    f"{what}: accuracy {100 * metric(before['metrics'], 'accuracy'):.2f} to "
                    f"{100 * metric(after['metrics'], 'accuracy'):.2f} %, drop {100 * drop:.2f} points, "
                    f"at most {100 * limits['accuracy_drop']:.1f}")
    checks.finish()


if __name__ == "__main__":
    main()
