# SPDX-License-Identifier: Apache-2.0
"""Heads and neurons that are pruned: the smaller model loads in ONNX Runtime and computes there what the
original computes with the rows of what was removed set to zero, in the same blocks and no others."""
import json

import numpy as np
import onnx
from harness import Checks, Program, arguments, batches, model_path, ort_run, ort_session
from onnx import numpy_helper

CLOSE = 1e-4  # largest difference of outputs as a share of max(1, largest output)
OPTIONS = {
    "prune_heads": [{"ratio": 0.25}, {"ratio": 0.5, "scope": '"layer"'}],
    "prune_neurons": [{"ratio": 0.3}, {"ratio": 0.5, "scope": '"layer"', "multiple_of": 16}],
}
# (model, pass) -> why: none at present.
REFUSED = {}


def compress(program, path, name, options):
    recipe = program.folder / "recipe.toml"
    lines = "".join(f"{key} = {value}\n" for key, value in options.items())
    recipe.write_text(f'schema = 1\n[[pass]]\nname = "{name}"\n{lines}', encoding="utf8")
    out = program.folder / "pruned.onnx"
    document = program.document("compress", path, "-o", out, "--recipe", recipe, "-f")
    return out, document["passes"][-1]


def constants(model):
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found


def weight_bytes(model):
    return sum(numpy_helper.to_array(tensor).nbytes for tensor in constants(model).values())


def stored(model, name, found):
    """The initializer behind Identity and Transpose, and whether it is turned."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    turned = False
    while name not in found and name in made_by and made_by[name].op_type in ("Identity", "Transpose"):
        turned ^= made_by[name].op_type == "Transpose"
        name = made_by[name].input[0]
    return (name, turned) if name in found else (None, turned)


def reader_weights(model):
    """For each product with a stored matrix: output -> (initializer, axis of its rows)."""
    found, products = constants(model), {}
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Gemm"):
            continue
        name, turned = stored(model, node.input[1], found)
        if name is None or len(found[name].dims) != 2:
            continue
        turned ^= any(a.name == "transB" and a.i for a in node.attribute)
        products[node.output[0]] = (name, 1 if turned else 0)
    return products


def zeroed(original, pruned):
    """The original with the rows that the pruned model no longer has set to zero: those of a matrix whose
    columns are all there. Returns the model and how many rows were zeroed."""
    model = onnx.ModelProto()
    model.CopyFrom(original)
    before, after = constants(model), constants(pruned)
    small = reader_weights(pruned)
    rows = 0
    done = set()
    for output, (name, axis) in reader_weights(model).items():
        if output not in small or name in done:
            continue
        whole = numpy_helper.to_array(before[name])
        kept = numpy_helper.to_array(after[small[output][0]])
        if whole.shape[axis] == kept.shape[axis] or whole.shape[1 - axis] != kept.shape[1 - axis]:
            continue
        whole, kept = (whole, kept) if axis == 0 else (whole.T, kept.T)
        left = {row.tobytes() for row in np.ascontiguousarray(kept)}
        gone = [i for i, row in enumerate(np.ascontiguousarray(whole)) if row.tobytes() not in left]
        assert len(gone) == len(whole) - len(kept), f"{name}: rows of the pruned weight are not the original's"
        whole = np.array(whole)
        whole[gone] = 0
        tensor = numpy_helper.from_array(np.ascontiguousarray(whole if axis == 0 else whole.T), before[name].name)
        before[name].CopyFrom(tensor)
        done.add(name)
        rows += len(gone)
    return model, rows


def main():
    args = arguments("a model of the zoo, or a bundled one")
    path = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    original = onnx.load(path)
    for name, cases in OPTIONS.items():
        for options in cases:
            label = f"{args.model} {name} {json.dumps(options)}"
            if (args.model, name) in REFUSED:
                try:
                    compress(program, path, name, options)
                    checks.that(False, f"{label}: was not refused")
                except RuntimeError as error:
                    checks.that(REFUSED[(args.model, name)] in str(error), f"{label}: refused")
                continue
            out, _ = compress(program, path, name, options)
            pruned = onnx.load(out)
            onnx.checker.check_model(pruned)
            reference, rows = zeroed(original, pruned)
            checks.that(rows > 0, f"{label}: {rows} rows went")
            checks.that(out.stat().st_size < path.stat().st_size,
                        f"{label}: a file of {out.stat().st_size} bytes instead of {path.stat().st_size}")
            checks.that(weight_bytes(pruned) < weight_bytes(original),
                        f"{label}: {weight_bytes(pruned)} bytes of weights instead of {weight_bytes(original)}")
            onnx.save(reference, program.folder / "zeroed.onnx")
            small, zero = ort_session(out), ort_session(program.folder / "zeroed.onnx")
            worst, changed = 0.0, 0.0
            for count, inputs in enumerate(batches(program, args.model, path)):
                if count == 4:
                    break
                ours, theirs = ort_run(small, inputs), ort_run(zero, inputs)
                whole = ort_run(ort_session(path), inputs) if count == 0 else {}
                for key, value in theirs.items():
                    largest = max(1.0, float(np.abs(value).max()))
                    worst = max(worst, float(np.abs(value - ours[key]).max()) / largest)
                    if key in whole:
                        changed = max(changed, float(np.abs(value - whole[key]).max()) / largest)
            checks.that(worst <= CLOSE, f"{label}: outputs differ by {worst:.1e} from the zeroed model's")
            checks.that(changed > CLOSE, f"{label}: and by {changed:.1e} from the whole model's")
    checks.finish()


if __name__ == "__main__":
    main()
