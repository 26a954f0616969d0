# SPDX-License-Identifier: Apache-2.0
"""Low-rank weights, low-rank corrections and sparse weights load in ONNX Runtime and compute there what they
compute in our executor: all of them multiply in float32."""
import numpy as np
from harness import Checks, Program, arguments, batches, calibration_words, difference_to_ort, model_path

RECIPES = {
    "low rank by bytes": ("low_rank", {"by": '"bytes"', "ratio": 0.7}),
    "low rank by energy": ("low_rank", {"energy": 0.9}),
    "2:4": ("prune_weights", {"pattern": '"2:4"'}),
    "half zeros": ("prune_weights", {}),
    "INT4, INT8 correction": ("quantize_weights", {"bits": 4, "group": 32, "symmetric": "false",
                                                   "low_rank_correction": 8}),
    "INT4 qdq, float16 correction": ("quantize_weights", {"method": '"rtn"', "bits": 4, "group": 32, "storage": '"qdq"',
                                                          "low_rank_correction": 8, "correction_type": '"float16"'}),
}
CLOSE = 1e-4  # largest difference as a share of max(1, std)
MUST_CHANGE = ("2:4", "half zeros", "low rank by bytes")


def main():
    args = arguments("bundled or shared model, e.g. vit-digits or zoo/bert-legacy")
    original = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    data = calibration_words(program, args.model, original)
    if args.model.startswith("zoo/"):  # one sample leaves none to judge by
        with np.load(data[1]) as stored:
            more = {k: np.concatenate([np.roll(v, n, -1) for n in range(8)]) for k, v in stored.items()}
        np.savez(data[1], **more)
    inputs_list = list(batches(program, args.model, original))[:3]
    for name, (one, options) in RECIPES.items():
        recipe = program.folder / "recipe.toml"
        recipe.write_text(f'schema = 1\n[[pass]]\nname = "{one}"\n'
                          + "".join(f"{key} = {value}\n" for key, value in options.items()), encoding="utf8")
        out = program.folder / "out.onnx"
        document = program.document("compress", original, "-o", out, "--recipe", recipe, "-f", "--no-eval", *data)
        units = [u for u in document["passes"][-1]["units"] if u["decision"] == "change"]
        if name in MUST_CHANGE:
            checks.that(bool(units), f"{args.model} {name}: {len(units)} units changed")
        worst = difference_to_ort(program, out, inputs_list)
        checks.that(worst <= CLOSE, f"{args.model} {name}: {len(units)} units, largest difference to ONNX Runtime "
                    f"{worst:.1e} x max(1, std), at most {CLOSE}")
    checks.finish()


if __name__ == "__main__":
    main()
