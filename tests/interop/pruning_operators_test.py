# SPDX-License-Identifier: Apache-2.0
"""Heads that are pruned out of ONNX Runtime's own attention operators: num_heads, packed weights, biases and
position biases are cut with them; operators that keep earlier keys are refused."""
import numpy as np
import onnx
from harness import Checks, Program, arguments, ort_run, ort_session
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, LENGTH = 24, 4, 8
CLOSE = 1e-5


class Block:
    """x + attention(x)·Wo."""

    def __init__(self):
        self.random = np.random.default_rng(7)
        self.nodes, self.initializers = [], []

    def weight(self, name, *shape):
        values = (self.random.standard_normal(shape) * 0.4).astype(np.float32)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def product(self, source, name, columns=WIDTH):
        self.nodes.append(helper.make_node("MatMul", [source, self.weight("w" + name, WIDTH, columns)], [name],
                                           name="product_" + name))
        return name

    def model(self, attention, inputs, **attributes):
        self.nodes.append(helper.make_node(attention, inputs, ["context"], name="attention",
                                           domain="com.microsoft", num_heads=HEADS, **attributes))
        self.product("context", "o")
        self.nodes.append(helper.make_node("Add", ["x", "o"], ["y"]))
        value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", LENGTH, WIDTH]) for name in "xy"]
        graph = helper.make_graph(self.nodes, "block", value[:1], value[1:], self.initializers)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def multi_head():
    block = Block()
    inputs = [block.product("x", name) for name in "qkv"]
    inputs += [block.weight("bias", 3 * WIDTH), "", block.weight("positions", 1, HEADS, LENGTH, LENGTH)]
    return block.model("MultiHeadAttention", inputs)


def with_weights():
    block = Block()
    return block.model("Attention", ["x", block.weight("wqkv", WIDTH, 3 * WIDTH), block.weight("bias", 3 * WIDTH)])


def grouped():
    block = Block()
    length = numpy_helper.from_array(np.full(1, LENGTH - 1, np.int32), "length")
    total = numpy_helper.from_array(np.array(LENGTH, np.int32), "total")
    block.initializers += [length, total]
    inputs = [block.product("x", "q"), *(block.product("x", name, WIDTH // 2) for name in "kv")]
    return block.model("GroupQueryAttention", [*inputs, "", "", "length", "total"], kv_num_heads=HEADS // 2)


def zeroed(model, kept_rows):
    for tensor in model.graph.initializer:
        if tensor.name != "wo":
            continue
        values = np.array(numpy_helper.to_array(tensor))
        left = {row.tobytes() for row in np.ascontiguousarray(kept_rows)}
        values[[row.tobytes() not in left for row in values]] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, "wo"))
    return model


def main():
    args = arguments()
    checks, program = Checks(), Program(args.onnxpress)
    recipe = program.folder / "recipe.toml"
    recipe.write_text('schema = 1\n[[pass]]\nname = "prune_heads"\ncount = 1\n', encoding="utf8")
    path, out = program.folder / "model.onnx", program.folder / "pruned.onnx"
    x = np.random.default_rng(1).standard_normal((2, LENGTH, WIDTH)).astype(np.float32)
    for make in (multi_head, with_weights):
        onnx.save(make(), path)
        program.call("compress", path, "-o", out, "--recipe", recipe, "-f")
        pruned = onnx.load(out)
        node = next(n for n in pruned.graph.node if n.domain == "com.microsoft")
        heads = next(a.i for a in node.attribute if a.name == "num_heads")
        checks.that(heads == HEADS - 1, f"{make.__name__}: {heads} heads")
        rows = next(numpy_helper.to_array(t) for t in pruned.graph.initializer if t.name == "wo")
        onnx.save(zeroed(make(), rows), program.folder / "zeroed.onnx")
        ours, theirs, whole = (ort_run(ort_session(p), {"x": x})["y"]
                               for p in (out, program.folder / "zeroed.onnx", path))
        checks.that(np.abs(ours - theirs).max() <= CLOSE,
                    f"{make.__name__}: outputs differ by {np.abs(ours - theirs).max():.1e} from the zeroed model's")
        checks.that(np.abs(whole - theirs).max() > 1e-2, f"{make.__name__}: the head did something")
    onnx.save(grouped(), path)
    try:
        program.call("compress", path, "-o", out, "--recipe", recipe, "-f")
        checks.that(False, "grouped: was not refused")
    except RuntimeError as error:
        checks.that("E0403" in str(error) and "GroupQueryAttention" in str(error), "grouped: refused by its operator")
    checks.finish()


if __name__ == "__main__":
    main()
