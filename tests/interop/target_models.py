# SPDX-License-Identifier: Apache-2.0
"""Small models of every pattern that docs/targets.md tells of: `cases()` gives its rows."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, FLOAT16, BFLOAT16, DOUBLE = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16,
                                    TensorProto.DOUBLE)
INPUTS, OUTPUTS = 64, 32
NUMPY = {"u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16}
PACKED = {"s4": TensorProto.INT4, "u4": TensorProto.UINT4, "s2": TensorProto.INT2,
          "float8": TensorProto.FLOAT8E4M3FN, "float4": TensorProto.FLOAT4E2M1, "u8": TensorProto.UINT8,
          "s8": TensorProto.INT8}
node = helper.make_node


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def ones(name, dtype, dims):
    return helper.make_tensor(name, dtype, dims, [1] * int(np.prod(dims)))


def model(nodes, constants=(), x=FLOAT, rank=2, width=INPUTS, opset=21, ir=10, domain="com.microsoft", y=None):
    dims = ["batch", "row", width][3 - rank:] if x != TensorProto.INT64 else ["batch"]
    graph = helper.make_graph(nodes, "graph", [helper.make_tensor_value_info("x", x, dims)],
                              [helper.make_tensor_value_info("y", y or (FLOAT if x == TensorProto.INT64 else x), None)],
                              list(constants))
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir).SerializeToString()


def codes(dtype, dims):
    if dtype in NUMPY:
        info = np.iinfo(NUMPY[dtype])
        return constant("w", np.random.default_rng(0).integers(max(info.min, -127), info.max, dims)
                        .astype(NUMPY[dtype]))
    return ones("w", PACKED[dtype], dims)


def weight(dtype="s8", axis=1, block=0, zero=None, scale=np.float32, transposed=False, width=INPUTS):
    """Nodes and constants of a dequantized weight `wd`; axis None: one scale."""
    dims = [OUTPUTS, width] if transposed else [width, OUTPUTS]
    scales = [] if axis is None else [dims[axis]]
    if block:
        scales = list(dims)
        scales[axis] = -(-dims[axis] // block)
    constants = [codes(dtype, dims), constant("ws", np.full(scales, 0.01, scale))]
    inputs = ["w", "ws"]
    if zero is not None:
        constants.append(helper.make_tensor("wz", PACKED[dtype], scales, [zero] * int(np.prod(scales))))
        inputs.append("wz")
    attributes = {"axis": axis} if axis is not None else {}
    if block:
        attributes["block_size"] = block
    return [node("DequantizeLinear", inputs, ["wd"], **attributes)], constants


def rounded_input(dtype="u8", per_channel=False, per_channel_dequantize=False, zero=True):
    number = NUMPY[dtype]
    scale, point = np.float32(0.05), number(3)
    wide = np.full(INPUTS, 0.05, np.float32), np.full(INPUTS, 3, number)
    constants = [constant("as", wide[0] if per_channel else scale), constant("az", wide[1] if per_channel else point),
                 constant("ds", wide[0] if per_channel_dequantize else scale),
                 constant("dz", wide[1] if per_channel_dequantize else point)]
    nodes = [node("QuantizeLinear", ["x", "as", "az"] if zero else ["x", "as"], ["xq"],
                  **({"axis": -1} if per_channel else {})),
             node("DequantizeLinear", ["xq", "ds", "dz"] if zero else ["xq", "ds"], ["xd"],
                  **({"axis": -1} if per_channel_dequantize else {}))]
    return nodes, constants


def static(rank=3, bias=None, gemm=None, between=None, relu=False, **options):
    """QuantizeLinear → DequantizeLinear → MatMul ← DequantizeLinear."""
    x_options = {k[2:]: v for k, v in options.items() if k.startswith("x_")}
    w_options = {k[2:]: v for k, v in options.items() if k.startswith("w_")}
    nodes, constants = rounded_input(**x_options)
    more, weights = weight(**w_options)
    nodes, constants = nodes + more, constants + weights
    left, right = "xd", "wd"
    if between == "x":
        constants.append(constant("m", np.full(INPUTS, 2, np.float32)))
        nodes.append(node("Mul", ["xd", "m"], ["xm"]))
        left = "xm"
    if between == "w":
        constants.append(constant("m", np.full(OUTPUTS, 2, np.float32)))
        nodes.append(node("Mul", ["wd", "m"], ["wm"]))
        right = "wm"
    if w_options.get("transposed") and gemm is None:
        nodes.append(node("Transpose", ["wd"], ["wt"], perm=[1, 0]))
        right = "wt"
    if bias == "int32":
        constants += [constant("b", np.zeros(OUTPUTS, np.int32)), constant("bs", np.full(OUTPUTS, 5e-4, np.float32))]
        nodes.append(node("DequantizeLinear", ["b", "bs"], ["bias"], axis=0))
    elif bias:
        constants.append(constant("bias", np.zeros(OUTPUTS, np.float32)))
    if gemm is not None:
        nodes.append(node("Gemm", [left, right] + (["bias"] if bias else []), ["y"], **gemm))
    elif bias:
        nodes += [node("MatMul", [left, right], ["product"]), node("Add", ["product", "bias"], ["y"])]
    else:
        nodes.append(node("MatMul", [left, right], ["y"]))
    return model(nodes, constants, rank=rank)


def weights_only(gemm=False, width=INPUTS, opset=21, ir=10, gather=False, twice=False, **options):
    nodes, constants = weight(width=width, **options)
    turned = options.get("transposed")
    x = TensorProto.INT64 if gather else FLOAT16 if options.get("scale") == np.float16 else FLOAT
    if gather:
        nodes.append(node("Gather", ["wd", "x"], ["y"]))
    elif gemm:
        nodes.append(node("Gemm", ["x", "wd"], ["y"], transB=int(bool(turned))))
    else:
        if turned:
            nodes.append(node("Transpose", ["wd"], ["wt"], perm=[1, 0]))
        nodes.append(node("MatMul", ["x", "wt" if turned else "wd"], ["y" if not twice else "y1"]))
        if twice:
            nodes += [node("MatMul", ["x", "wd"], ["y2"]), node("Add", ["y1", "y2"], ["y"])]
    return model(nodes, constants, x=x, rank=2, width=width, opset=opset, ir=ir)


def dynamic(dtype="s8", zero=None, transposed=False):
    dims = [OUTPUTS, INPUTS] if transposed else [INPUTS, OUTPUTS]
    constants = [codes(dtype, dims), constant("ws", np.full(OUTPUTS, 0.01, np.float32))]
    nodes = [node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"])]
    inputs = ["xq", "w", "xz"]
    if transposed:
        nodes.append(node("Transpose", ["w"], ["wt"], perm=[1, 0]))
        inputs[1] = "wt"
    if zero is not None:
        constants.append(constant("wz", NUMPY[dtype](zero)))
        inputs.append("wz")
    nodes += [node("MatMulInteger", inputs, ["sums"]), node("Cast", ["sums"], ["f"], to=FLOAT),
              node("Mul", ["xs", "ws"], ["scales"]), node("Mul", ["f", "scales"], ["y"])]
    return model(nodes, constants)


def matmul_nbits(bits=4, block=32, zero=None, g_idx=False, half=False, width=INPUTS):
    blocks = -(-width // block)
    real = np.float16 if half else np.float32
    constants = [constant("w", np.ones((OUTPUTS, blocks, max(1, block * bits // 8)), np.uint8)),
                 constant("s", np.full((OUTPUTS, blocks), 0.01, real))]
    inputs = ["x", "w", "s"]
    if zero == "codes":
        constants.append(constant("z", np.ones((OUTPUTS, -(-blocks * bits // 8)), np.uint8)))
        inputs.append("z")
    elif zero == "float":
        constants.append(constant("z", np.full((OUTPUTS, blocks), 7.5, real)))
        inputs.append("z")
    if g_idx:
        constants.append(constant("g", (np.arange(blocks * block) // block).astype(np.int32)))
        inputs += ([""] if zero is None else []) + ["g"]
    return model([node("MatMulNBits", inputs, ["y"], domain="com.microsoft", K=width, N=OUTPUTS, bits=bits,
                       block_size=block)], constants, x=FLOAT16 if half else FLOAT, width=width)


def gather_blocks(dtype="u8", bits=4, block=32, zero=None, scale=FLOAT, axis=1, gather_axis=0):
    rows, width = 32, 128
    stored = width * bits // 8 if dtype == "u8" else width
    constants = [ones("w", PACKED[dtype], [rows, stored])]
    scales = [rows, width]
    scales[axis] = -(-scales[axis] // block)
    constants.append(ones("s", scale, scales))
    inputs = ["w", "x", "s"]
    if zero == "float":
        constants.append(ones("z", FLOAT, scales))
        inputs.append("z")
    elif zero == "codes":
        packed = [scales[0], -(-scales[1] * bits // 8)] if dtype == "u8" else scales
        constants.append(ones("z", PACKED[dtype], packed))
        inputs.append("z")
    return model([node("GatherBlockQuantized", inputs, ["y"], domain="com.microsoft", bits=bits, block_size=block,
                       quantize_axis=axis, gather_axis=gather_axis)], constants, x=TensorProto.INT64, y=scale)


def computed_in(dtype, op):
    """One operator between casts."""
    second = {"MatMul": [INPUTS, OUTPUTS], "Gemm": [INPUTS, OUTPUTS]}.get(op, [INPUTS])
    constants = [ones("c", dtype, second)]
    binary = op in ("MatMul", "Gemm", "Add", "Sub", "Mul", "Div", "Pow", "LayerNormalization")
    inputs = ["a", "c"] if binary else ["a"]
    if op == "Where":
        constants.append(constant("k", np.ones(INPUTS, bool)))
        inputs = ["k", "a", "c"]
    if op == "Gather":
        constants.append(constant("k", np.zeros(1, np.int64)))
        inputs = ["a", "k"]
    nodes = [node("Cast", ["x"], ["a"], to=dtype), node(op, inputs, ["b"]), node("Cast", ["b"], ["y"], to=FLOAT)]
    graph = helper.make_graph(nodes, "graph", [helper.make_tensor_value_info("x", FLOAT, ["batch", INPUTS])],
                              [helper.make_tensor_value_info("y", FLOAT, None)], constants,
                              value_info=[helper.make_tensor_value_info(n, dtype, None) for n in "ab"])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def relu(**options):
    return model([node("Relu", ["x"], ["y"])], **options)


def cases():
    """{row of docs/targets.md: model}"""
    rows = {
        "static: u8 input, s8 weights per channel": static(),
        "static: one scale for the weight": static(w_axis=None),
        "static: asymmetric weights per channel": static(w_zero=3),
        "static: QuantizeLinear per channel, u8": static(x_per_channel=True),
        "static: QuantizeLinear per channel, s8": static(x_dtype="s8", x_per_channel=True),
        "static: s8 input": static(x_dtype="s8"),
        "static: u8 weights, zero point 128": static(w_dtype="u8", w_zero=128),
        "static: u8 weights, QuantizeLinear per channel": static(w_dtype="u8", w_zero=128, x_per_channel=True),
        "static: u16 input": static(x_dtype="u16"),
        "static: s4 weights": static(w_dtype="s4"),
        "static: a scale for each input of the weight": static(w_axis=0),
        "static: blocks of s8 weights": static(w_axis=0, w_block=16),
        "static: DequantizeLinear per channel of the input": static(x_per_channel=True,
                                                                    x_per_channel_dequantize=True),
        "static: Mul behind the input's DequantizeLinear": static(between="x"),
        "static: Mul behind the weight's DequantizeLinear": static(between="w"),
        "static: Transpose behind the weight's DequantizeLinear": static(w_transposed=True, w_axis=0),
        "static: bias added, rank 3": static(bias="float"),
        "static: bias added, rank 2": static(rank=2, bias="float"),
        "static: no bias, rank 2": static(rank=2),
        "static: INT32 bias added, rank 2, zero points": static(rank=2, bias="int32", w_zero=0),
        "static: INT32 bias added, rank 2, no zero point": static(rank=2, bias="int32"),
        "static: Gemm, zero points, no bias": static(rank=2, gemm={}, w_zero=0),
        "static: Gemm, zero points, INT32 bias": static(rank=2, gemm={}, w_zero=0, bias="int32"),
        "static: Gemm, zero points, float bias": static(rank=2, gemm={}, w_zero=0, bias="float"),
        "static: Gemm, no zero point of the weight": static(rank=2, gemm={}),
        "static: Gemm, transB": static(rank=2, gemm={"transB": 1}, w_transposed=True, w_axis=0, w_zero=0),
        "static: Gemm, INT32 bias and beta 2": static(rank=2, gemm={"beta": 2.0}, w_zero=0, bias="int32"),
        "dynamic: s8 weights": dynamic(),
        "dynamic: u8 weights, zero point 128": dynamic("u8", 128),
        "dynamic: Transpose of the weight": dynamic(transposed=True),
        "weights: s8 per channel, MatMul": weights_only(),
        "weights: u8 with zero points, MatMul": weights_only(dtype="u8", zero=128),
        "weights: s8 per channel, Gemm": weights_only(gemm=True, transposed=True, axis=0),
        "weights: s8, a scale for each input": weights_only(axis=0),
        "weights: s8 blocks": weights_only(axis=0, block=32),
        "weights: s4 blocks of 32": weights_only(dtype="s4", axis=0, block=32),
        "weights: u4 blocks of 32 with zero points": weights_only(dtype="u4", axis=0, block=32, zero=7),
        "weights: s4 blocks of 16": weights_only(dtype="s4", axis=0, block=16),
        "weights: s4 blocks of 8": weights_only(dtype="s4", axis=0, block=8),
        "weights: s4 blocks of 48": weights_only(dtype="s4", axis=0, block=48, width=96),
        "weights: s4 blocks behind a Transpose": weights_only(dtype="s4", axis=1, block=32, transposed=True),
        "weights: s4 blocks, Gemm": weights_only(dtype="s4", axis=1, block=32, transposed=True, gemm=True),
        "weights: s4 per channel": weights_only(dtype="s4"),
        "weights: s4 blocks at opset 19": weights_only(dtype="s4", axis=0, block=32, opset=19),
        "weights: s2 per channel": weights_only(dtype="s2", opset=25, ir=13),
        "weights: s16": weights_only(dtype="s16"),
        "weights: float8": weights_only(dtype="float8", opset=19, ir=9),
        "weights: float4": weights_only(dtype="float4", opset=23, ir=11),
        "weights: s8, two products read them": weights_only(twice=True),
        "weights: s8, FLOAT16 scales": weights_only(scale=np.float16),
        "table: s8 DequantizeLinear before Gather": weights_only(axis=0, gather=True),
        "opset 28": relu(opset=28), "opset 29": relu(opset=29), "IR version 14": relu(ir=14),
        "IR version 15": relu(ir=15),
        "a domain that is not built in": model([node("Relu", ["x"], ["y"], domain="example")], domain="example"),
        "MatMulNBits: 8 bits, zero points as floats": matmul_nbits(8, zero="float"),
        "MatMulNBits: 4 bits, zero points as floats": matmul_nbits(4, zero="float"),
        "MatMulNBits: 4 bits, g_idx": matmul_nbits(g_idx=True),
        "MatMulNBits: 8 bits, g_idx": matmul_nbits(8, g_idx=True),
        "MatMulNBits: FLOAT16": matmul_nbits(half=True),
        "MatMulNBits: inputs not divisible by the block": matmul_nbits(width=70),
        "GatherBlockQuantized: u8, zero points as floats": gather_blocks(zero="float"),
        "GatherBlockQuantized: u8, BFLOAT16 scales": gather_blocks(scale=BFLOAT16),
        "GatherBlockQuantized: u8, FLOAT16 scales": gather_blocks(scale=FLOAT16),
        "GatherBlockQuantized: u8, blocks along axis 0": gather_blocks(axis=0, block=16),
        "GatherBlockQuantized: u8, gather_axis 1": gather_blocks(axis=0, gather_axis=1, block=16),
        "GatherBlockQuantized: u4, zero points": gather_blocks("u4", zero="codes"),
        "GatherBlockQuantized: s4": gather_blocks("s4"),
        "GatherBlockQuantized: u4, bits 8": gather_blocks("u4", bits=8),
    }
    for bits in range(1, 9):
        rows[f"MatMulNBits: {bits} bits"] = matmul_nbits(bits, zero="codes")
    for block in (8, 16, 48, 64, 256):
        rows[f"MatMulNBits: blocks of {block}"] = matmul_nbits(block=block, width=768)
    for bits in (2, 3, 4, 8):
        rows[f"GatherBlockQuantized: u8, {bits} bits"] = gather_blocks(bits=bits, zero="codes")
    for block in (8, 16, 48):
        rows[f"GatherBlockQuantized: blocks of {block}"] = gather_blocks(block=block)
    for op in ("MatMul", "Gemm", "Add", "Sub", "Mul", "Div", "Pow", "Where", "Erf", "Exp", "Gelu", "Neg", "Reciprocal",
               "ReduceMean", "Relu", "Sigmoid", "Softmax", "Sqrt", "Tanh", "Gather", "Transpose", "LayerNormalization"):
        rows[f"BFLOAT16: {op}"] = computed_in(BFLOAT16, op)
    rows.update({f"DOUBLE: {op}": computed_in(DOUBLE, op) for op in ("MatMul", "Erf", "Gelu", "Tanh")})
    rows["FLOAT16: MatMul"] = computed_in(FLOAT16, "MatMul")
    return rows
