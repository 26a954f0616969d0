# SPDX-License-Identifier: Apache-2.0
"""Operators whose meaning changed between opsets, one node at a time: raised to opset 21, each computes in
ONNX Runtime what the original did (to the bit, but for sums in another order). Covers what our executor does not run."""
import numpy as np
import onnx
from harness import Checks, Program, arguments, ort_run, ort_session
from onnx import TensorProto, helper

UPGRADE = 'schema = 1\n[[pass]]\nname = "upgrade_opset"\n'
RANDOM = np.random.default_rng(3)
TOLERANCE = 2e-7
IR = {9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 16: 8, 17: 8, 18: 8}


def normal(*dims):
    return RANDOM.standard_normal(dims).astype(np.float32)


def f32(*values):
    return np.array(values, np.float32)


def i64(*values):
    return np.array(values, np.int64)


IMAGE = normal(1, 2, 4, 6)
PICTURE = {"x": IMAGE}
# opset, operator, {input: array}, {initializer: array}, attributes, outputs; "x" is the model's input.
CASES = [
    (9, "Upsample", PICTURE, {"s": f32(1, 1, 2, 3)}, {"mode": "nearest"}, 1),
    (9, "Upsample", PICTURE, {"s": f32(1, 1, 1.5, 2)}, {"mode": "linear"}, 1),
    (10, "Resize", PICTURE, {"s": f32(1, 1, 1.5, 2)}, {"mode": "nearest"}, 1),
    (10, "Resize", PICTURE, {"s": f32(1, 1, 0.5, 0.5)}, {"mode": "nearest"}, 1),
    (10, "Resize", PICTURE, {"s": f32(1, 1, 2, 2)}, {"mode": "linear"}, 1),
    (11, "Resize", PICTURE, {"r": f32(), "s": f32(1, 1, 2, 0.5)}, {"mode": "cubic"}, 1),
    (11, "Resize", PICTURE, {"r": f32(), "s": f32(), "z": i64(1, 2, 7, 3)}, {"mode": "linear"}, 1),
    (13, "Resize", PICTURE, {"": None, "s": f32(1, 1, 2, 2)}, {"mode": "nearest", "nearest_mode": "ceil"}, 1),
    (9, "Softmax", PICTURE, {}, {}, 1),
    (11, "LogSoftmax", PICTURE, {}, {"axis": 2}, 1),
    (12, "Hardmax", PICTURE, {}, {"axis": -2}, 1),
    (9, "Slice", PICTURE, {}, {"starts": [1, -2], "ends": [9, 3], "axes": [3, 2]}, 1),
    (9, "TopK", PICTURE, {}, {"k": 3}, 2),
    (9, "Clip", PICTURE, {}, {"min": -0.5, "max": 0.5}, 1),
    (9, "Pad", PICTURE, {}, {"pads": [0, 0, 1, 2, 0, 0, 3, -1], "value": 1.5}, 1),
    (9, "Pad", PICTURE, {}, {"pads": [0, 0, 1, 2, 0, 0, 1, 0], "mode": "edge"}, 1),
    (9, "Scatter", PICTURE, {"i": i64(*range(12)).reshape(1, 2, 1, 6) % 4, "u": normal(1, 2, 1, 6)}, {"axis": 2}, 1),
    (9, "ReduceLogSumExp", PICTURE, {}, {"axes": [1, 3], "keepdims": 0}, 1),
    (11, "ReduceSum", PICTURE, {}, {"axes": [-1]}, 1),
    (17, "ReduceMax", PICTURE, {}, {}, 1),
    (9, "Split", PICTURE, {}, {"axis": 3}, 3),
    (9, "Split", PICTURE, {}, {"axis": 3, "split": [1, 5]}, 2),
    (9, "Dropout", PICTURE, {}, {"ratio": 0.3}, 1),
    (9, "BatchNormalization", PICTURE, {"a": f32(1, 2), "b": f32(0, 1), "m": f32(0.5, 0), "v": f32(1, 2)}, {}, 1),
    (18, "GroupNormalization", PICTURE, {"a": f32(2), "b": f32(1)}, {"num_groups": 1}, 1),
    (16, "GridSample", PICTURE, {"g": RANDOM.uniform(-1, 1, (1, 3, 3, 2)).astype(np.float32)}, {"mode": "bicubic"}, 1),
    (16, "GridSample", PICTURE, {"g": RANDOM.uniform(-1, 1, (1, 3, 3, 2)).astype(np.float32)}, {}, 1),
    (10, "RoiAlign", PICTURE, {"r": f32(0, 0, 3, 3).reshape(1, 4), "i": i64(0)},
     {"output_height": 2, "output_width": 2}, 1),
    (17, "DFT", {"x": normal(1, 8, 2, 1)}, {}, {"axis": 2}, 1),
    (9, "OneHot", {"x": f32(0, 2, 1, 5)}, {"d": f32(4), "v": f32(0, 1)}, {}, 1),
    (9, "AveragePool", PICTURE, {}, {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 1, 0, 1]}, 1),
    (9, "ConvTranspose", PICTURE, {"w": normal(2, 3, 2, 2)}, {"strides": [2, 2]}, 1),
    (9, "LSTM", {"x": normal(5, 1, 3)}, {"w": normal(1, 8, 3), "r": normal(1, 8, 2)}, {"hidden_size": 2}, 3),
]


def model_of(opset, op_type, inputs, constants, attributes, count):
    outputs = [f"y{k}" for k in range(count)]
    node = helper.make_node(op_type, [*inputs, *constants], outputs, name="the_node", **attributes)
    kind = TensorProto.INT64 if op_type == "TopK" else TensorProto.FLOAT
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs["x"].shape)],
        [helper.make_value_info(n, helper.make_tensor_type_proto(TensorProto.FLOAT if n == "y0" else kind, None))
         for n in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if name])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR[opset])


def main():
    args = arguments()
    checks, program = Checks(), Program(args.onnxpress)
    recipe, original = program.folder / "upgrade.toml", program.folder / "original.onnx"
    recipe.write_text(UPGRADE, encoding="utf8")
    raised = program.folder / "raised.onnx"
    for opset, op_type, inputs, constants, attributes, count in CASES:
        name = f"{op_type} {opset} {attributes}"
        onnx.save(model_of(opset, op_type, inputs, constants, attributes, count), original)
        before = ort_run(ort_session(original), inputs)
        program.call("compress", original, "-o", raised, "--recipe", recipe, "-f", "--no-eval")
        model = onnx.load(raised)
        for output in model.graph.output:  # the checker wants shapes
            output.type.tensor_type.shape.CopyFrom(
                helper.make_tensor_type_proto(TensorProto.FLOAT, before[output.name].shape).tensor_type.shape)
        onnx.checker.check_model(model, full_check=True)
        checks.that(model.opset_import[0].version == 21 and model.ir_version >= 10, f"{name}: opset 21")
        after = ort_run(ort_session(raised), inputs)
        worst = max(float(np.abs(before[k].astype("f8") - after[k]).max()) if before[k].shape == after[k].shape
                    else np.inf for k in before)
        checks.that(worst <= TOLERANCE, f"{name}: differs by {worst:.1e}")
    checks.finish()


if __name__ == "__main__":
    main()
