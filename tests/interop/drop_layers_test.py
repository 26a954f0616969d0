# SPDX-License-Identifier: Apache-2.0
"""Whole layers that go: the smaller model loads in ONNX Runtime and computes there what it computes here; and norms
and heads that are refitted after quantization."""
import numpy as np
import onnx
from harness import Checks, Program, arguments, batches, calibration_words, model_path, ort_run, ort_session

CLOSE = 1e-4  # largest difference of outputs as a share of max(1, largest output)
# model -> why its first layer can't go: it computes the position bias of all layers
FIRST_STAYS = {"zoo/t5-encoder-legacy": "inner values are read elsewhere"}
QUANTIZE = '[[pass]]\nname = "quantize_weights"\nbits = 4\ngroup = 32\nmethod = "rtn"\n'


def compress(program, path, passes, *words):
    recipe = program.folder / "recipe.toml"
    recipe.write_text("schema = 1\n" + passes, encoding="utf8")
    out = program.folder / "small.onnx"
    return out, program.document("compress", path, "-o", out, "--recipe", recipe, "-f", "--no-eval", *words)


def difference(expected, actual):
    worst = 0.0
    for key, value in expected.items():
        largest = max(1.0, float(np.abs(value).max()))
        worst = max(worst, float(np.abs(value - actual[key]).max()) / largest)
    return worst


def products(path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    return sum(node.op_type in ("MatMul", "Gemm", "Attention") for node in model.graph.node)


def main():
    args = arguments("a model of the zoo, or a bundled one")
    path = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    inputs = next(iter(batches(program, args.model, path)))
    whole = ort_run(ort_session(path), inputs)
    data = calibration_words(program, args.model, path)
    cases = {"the first": ("layers = [0]", ()), "the cheapest": ("count = 1", data)}
    if args.model in FIRST_STAYS:
        try:
            compress(program, path, '[[pass]]\nname = "drop_layers"\nlayers = [0]\n')
            checks.that(False, f"{args.model}: the first layer was not refused")
        except RuntimeError as error:
            checks.that(FIRST_STAYS[args.model] in str(error), f"{args.model}: the first layer stays")
        del cases["the first"]
    for label, (options, words) in cases.items():
        out, document = compress(program, path, f'[[pass]]\nname = "drop_layers"\n{options}\n', *words)
        gone = [unit["unit"] for unit in document["passes"][-1]["units"] if unit["decision"] == "change"]
        checks.that(len(gone) == 1, f"{args.model}: {label} of {len(document['passes'][-1]['units'])}: {gone}")
        checks.that(out.stat().st_size < path.stat().st_size,
                    f"{args.model} without {gone}: {out.stat().st_size} bytes instead of {path.stat().st_size}")
        checks.that(products(out) < products(path), f"{args.model}: {products(out)} products, {products(path)} before")
        small = ort_run(ort_session(out), inputs)
        worst = difference(small, program.run(out, inputs))
        checks.that(worst <= CLOSE, f"{args.model} without {gone}: engines differ by {worst:.1e}")
        changed = difference(whole, small)
        checks.that(changed > CLOSE, f"{args.model} without {gone}: {changed:.1e} from the whole model")
    out, document = compress(program, path, QUANTIZE + '[[pass]]\nname = "fit_norms"\n[[pass]]\nname = "fit_head"\n', *data)
    for unit in (u for record in document["passes"][-2:] for u in record["units"] if u["decision"] == "change"):
        figures = unit["figures"]
        checks.that(figures["output_error"] < figures["before.output_error"], f"{unit['unit']}: {unit['reason']}")
    worst = difference(ort_run(ort_session(out), inputs), program.run(out, inputs))
    checks.that(worst <= CLOSE, f"{args.model}, INT4 and refitted: engines differ by {worst:.1e}")
    checks.finish()


if __name__ == "__main__":
    main()
