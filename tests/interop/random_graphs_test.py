# SPDX-License-Identifier: Apache-2.0
"""Random small graphs through every preset: ONNX Runtime loads what is written and computes what our executor
computes, and both stay close to the original."""
import math

import numpy as np
import onnx
from harness import Checks, Program, arguments, has_vnni, ort_run, ort_session
from onnx import TensorProto, helper, numpy_helper

GRAPHS = 8
LEAST_SQNR_DB = {"lossless": 100, "fp16": 45, "int8-weights": 28, "int8-dynamic": 20, "int8": 16}
CUT_HEADS = ("prune", "tiny")  # refused: these graphs have no attention
FOUR_BITS_DB = 7  # presets that are not named
CLOSE_DB = 30  # our outputs to ONNX Runtime's: integer products may differ by a code of an activation
SATURATING = ("int8-dynamic", "int8")  # without VNNI


def random_graph(seed):
    """Units in the forms that exporters write, of sizes 1 to 70."""
    random = np.random.default_rng(seed)
    nodes, tensors = [], []

    def constant(*dims):
        name = f"c{len(tensors)}"
        tensors.append(numpy_helper.from_array(random.uniform(-0.3, 0.3, dims).astype("f4"), name))
        return name

    def add(op, inputs, **attributes):
        nodes.append(helper.make_node(op, inputs, [f"v{len(nodes)}"], name=f"n{len(nodes)}", **attributes))
        return nodes[-1].output[0]

    x, width = "x", int(random.integers(1, 71))
    size = width
    for _ in range(random.integers(1, 4)):
        out = int(random.integers(1, 71))
        turned = bool(random.integers(2))
        weight = constant(out, size) if turned else constant(size, out)
        if random.integers(2):
            bias = [constant(out)] if random.integers(2) else []
            x = add("Gemm", [x, weight, *bias], transB=int(turned), alpha=float(random.choice([1, 0.5])),
                    beta=float(random.choice([1, -2])))
        else:
            x = add("MatMul", [x, add("Transpose", [weight], perm=[1, 0]) if turned else weight])
            if random.integers(2):
                x = add("Add", [constant(out), x])
        x, size = add(str(random.choice(["Relu", "Tanh", "Identity"])), [x]), out
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", size])], tensors)
    opset = int(random.choice([13, 17, 21]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 21 else 10)
    onnx.checker.check_model(model)
    return model, width


def sqnr_db(reference, actual):
    noise = float(((reference.astype("f8") - actual.astype("f8")) ** 2).sum())
    signal = float((reference.astype("f8") ** 2).sum())
    return math.inf if noise == 0 else 10 * math.log10(max(signal, 1e-300) / noise)


def main():
    args = arguments()
    checks, program = Checks(), Program(args.onnxpress)
    presets = [preset["name"] for preset in program.document("passes")["preset_list"]
               if preset["name"] not in CUT_HEADS]
    original, small, data = (program.folder / name for name in ("model.onnx", "small.onnx", "data.npz"))
    everything = [word for name in ("embeddings", "weights", "dynamic", "static")
                  for word in ("--set", f"quantize_{name}.min_saving=0")]
    for seed in range(GRAPHS):
        model, width = random_graph(seed)
        onnx.save(model, original)
        random = np.random.default_rng(1000 + seed)
        np.savez(data, x=random.uniform(-1, 1, (120, width)).astype("f4"))
        inputs = {"x": random.uniform(-1, 1, (9, width)).astype("f4")}
        (expected,) = ort_run(ort_session(original), inputs).values()
        for preset in presets:
            own = program.call("compress", original, "-o", small, "-f", "--preset", preset, "--print-recipe")
            words = [w for k in range(0, len(everything), 2) for w in everything[k:k + 2]
                     if everything[k + 1].split(".")[0] in own]
            program.call("compress", original, "-o", small, "-f", "--preset", preset, "--data", data, "--no-eval", *words)
            (theirs,) = ort_run(ort_session(small), inputs).values()
            (ours,) = program.run(small, inputs).values()
            judged = preset not in SATURATING or has_vnni()
            lost, apart = sqnr_db(expected, theirs), sqnr_db(theirs, ours)
            checks.that(not judged or (lost >= LEAST_SQNR_DB.get(preset, FOUR_BITS_DB) and apart >= CLOSE_DB),
                        f"graph {seed}, {preset}: {lost:.1f} dB to the original, ours to ONNX Runtime {apart:.1f} dB")
    checks.finish()


if __name__ == "__main__":
    main()
