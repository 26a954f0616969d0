# SPDX-License-Identifier: Apache-2.0
"""A model that was raised to opset 21 computes what it did, in ONNX Runtime and in our executor; its weights
stored in blocks (INT4 behind DequantizeLinear, which needs that opset; 2 bits in MatMulNBits) load in ONNX Runtime
and agree."""
import numpy as np
import onnx
from harness import Checks, Program, arguments, batches, model_path, ort_run, ort_session

STEP = 8  # of the 872 sentences' batches, every eighth
# Logits of both engines as a share of max(1, std). In ONNX Runtime the raised model is fused in another way.
CLOSE = 1e-4
SAME_PREDICTIONS = 0.995
UPGRADE = 'schema = 1\n[[pass]]\nname = "upgrade_opset"\n'
# Form: its options, and the opset that it needs. MatMulNBits, of 2 bits here, needs none.
FORMS = {"int4 sym": ({"storage": "qdq"}, 21), "int4 asym": ({"storage": "qdq", "symmetric": "false"}, 21),
         "int2": ({"storage": "matmul_nbits", "bits": "2"}, 0)}


def opset(path):
    model = onnx.load(path, load_external_data=False)
    return next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))


def difference(a, b):
    return max(float(np.abs(a[k] - b[k]).max(initial=0.0)) / max(1.0, float(b[k].std())) for k in b)


def upgraded(checks, program, name, original, inputs_list):
    recipe = program.folder / "upgrade.toml"
    recipe.write_text(UPGRADE, encoding="utf8")
    out = program.folder / "upgraded.onnx"
    program.call("compress", original, "-o", out, "--recipe", recipe, "-f", "--no-eval")
    checks.that(opset(out) == 21, f"{name}: opset {opset(original)} became {opset(out)}")
    onnx.checker.check_model(str(out))
    before, after = ort_session(original), ort_session(out)
    theirs = ours = 0.0
    identical = True
    for inputs in inputs_list:
        a, b = ort_run(before, inputs), ort_run(after, inputs)
        theirs = max(theirs, difference(b, a))
        identical &= all(a[k].tobytes() == b[k].tobytes() for k in a)
        ours = max(ours, difference(program.run(out, inputs), program.run(original, inputs)))
    checks.that(theirs <= 1e-6, f"{name}: raised, ONNX Runtime's outputs differ by {theirs:.1e} x max(1, std)"
                + (", not in a single bit" if identical else ""))
    checks.that(ours <= 1e-6, f"{name}: raised, ours differ by {ours:.1e} x max(1, std)")


def blocks(checks, program, name, original, inputs_list):
    for form, (options, needed) in FORMS.items():
        out = program.folder / "blocks.onnx"
        settings = [word for key, value in options.items() for word in ("--set", f"quantize_weights.{key}={value}")]
        program.call("compress", original, "-o", out, "--preset", "int4", "-f", "--no-eval", *settings)
        checks.that(opset(out) == max(needed, opset(original)), f"{name} {form}: opset {opset(out)}")
        session = ort_session(out)
        rows, same, worst = 0, 0, 0.0
        for inputs in inputs_list:
            theirs, ours = ort_run(session, inputs), program.run(out, inputs)
            worst = max(worst, difference(ours, theirs))
            for key, value in theirs.items():
                rows += value[..., 0].size
                same += int((value.argmax(-1) == ours[key].argmax(-1)).sum())
        checks.that(same >= SAME_PREDICTIONS * rows and worst <= CLOSE,
                    f"{name} {form}: {100 * same / rows:.2f} % of {rows} predictions as in ONNX Runtime, "
                    f"largest difference {worst:.1e} x max(1, std)")


def main():
    args = arguments("bundled or shared model, e.g. vit-digits or zoo/bert-legacy")
    original = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    inputs_list = list(batches(program, args.model, original))
    if "sst2" in args.model:
        inputs_list = inputs_list[::STEP]
    if opset(original) < 21:
        upgraded(checks, program, args.model, original, inputs_list)
    blocks(checks, program, args.model, original, inputs_list)
    checks.finish()


if __name__ == "__main__":
    main()
