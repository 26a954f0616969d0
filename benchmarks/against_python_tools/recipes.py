# SPDX-License-Identifier: Apache-2.0
"""What the Python tools are asked to do, each as its documentation shows it.

usage: recipes.py RECIPE MODEL SENTENCES OUT     runs in build/tools-venv; see `made_by.py`

SENTENCES has a JSON line {"ids": [...]} a sentence. Every tool gets them one by one, unpadded.
"""
import json
import sys

import numpy as np
import onnx
from onnx import version_converter

GROUP = 32


def feeds(sentences):
    for line in open(sentences, encoding="utf8"):
        ids = np.array([json.loads(line)["ids"]], np.int64)
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def reader(sentences):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = list(feeds(sentences))

        def get_next(self):
            return self.rest.pop(0) if self.rest else None

    return Reader()


def at_opset_21(model):
    return version_converter.convert_version(onnx.load(model), 21)


def ort_dynamic(model, sentences, out, **options):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(model, out, weight_type=QuantType.QInt8, **options)


def ort_static(model, sentences, out, **options):
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    quantize_static(model, out, reader(sentences), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, **options)


def small_lookups(model):
    """The Gather nodes of the position and token type tables."""
    rows = {i.name: i.dims[0] for i in model.graph.initializer if len(i.dims) == 2}
    return [n.name for n in model.graph.node if n.op_type == "Gather" and rows.get(n.input[0], 10**6) < 1000]


def ort_nbits(model, sentences, out, symmetric=True, embeddings="", config=None, **options):
    """`embeddings`: which become INT4, "all" or only those of "words"."""
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits
    source = at_opset_21(model) if embeddings else onnx.load(model)
    made = config(nbits, sentences) if config else None
    if embeddings:
        options = {"op_types_to_quantize": ("MatMul", "Gather"), "quant_axes": (("MatMul", 0), ("Gather", 1))}
    if embeddings == "words":
        options["nodes_to_exclude"] = small_lookups(source)
    quantizer = nbits.MatMulNBitsQuantizer(source, block_size=GROUP, is_symmetric=symmetric,
                                           algo_config=made, **options)
    quantizer.process()
    quantizer.model.save_model_to_file(out, False)


def gptq(nbits, sentences):
    return nbits.GPTQWeightOnlyQuantConfig(calibration_data_reader=reader(sentences))


def hqq(nbits, sentences):
    return nbits.HQQWeightOnlyQuantConfig(block_size=GROUP, bits=4)


def k_quant(nbits, sentences):
    return nbits.KQuantWeightOnlyQuantConfig()


def nncf_int8(model, sentences, out):
    import nncf
    data = list(feeds(sentences))
    made = nncf.quantize(onnx.load(model), nncf.Dataset(data), model_type=nncf.ModelType.TRANSFORMER,
                         subset_size=len(data))
    onnx.save(made, out)


def nncf_weights(model, sentences, out, mode, with_data=False, **options):
    import nncf
    if mode.startswith("INT4"):  # ONNX Runtime can't run what it makes of a Gemm with transB
        options.update(group_size=GROUP, ratio=1.0, ignored_scope=nncf.IgnoredScope(types=["Gemm"]))
    if with_data:
        data = list(feeds(sentences))
        options.update(dataset=nncf.Dataset(data), subset_size=len(data), awq=True, scale_estimation=True)
    onnx.save(nncf.compress_weights(at_opset_21(model), mode=nncf.CompressWeightsMode[mode], **options), out)


def fp16(model, sentences, out):
    from onnxconverter_common import float16
    onnx.save(float16.convert_float_to_float16(onnx.load(model), keep_io_types=True), out)


RECIPES = {
    "fp16": (fp16, {}),
    "nncf-weights-sym": (nncf_weights, {"mode": "INT8_SYM"}),
    "nncf-weights-asym": (nncf_weights, {"mode": "INT8_ASYM"}),
    "ort-dynamic": (ort_dynamic, {}),
    "ort-dynamic-per-channel": (ort_dynamic, {"per_channel": True}),
    "ort-static": (ort_static, {}),
    "ort-static-matmul": (ort_static, {"op_types_to_quantize": ["MatMul"]}),
    "nncf-int8": (nncf_int8, {}),
    "ort-rtn-sym": (ort_nbits, {}),
    "ort-rtn-asym": (ort_nbits, {"symmetric": False}),
    "ort-hqq": (ort_nbits, {"symmetric": False, "config": hqq}),
    "ort-k-quant": (ort_nbits, {"symmetric": False, "config": k_quant}),
    "ort-gptq-sym": (ort_nbits, {"config": gptq}),
    "ort-gptq-asym": (ort_nbits, {"symmetric": False, "config": gptq}),
    "ort-rtn-gather-sym": (ort_nbits, {"embeddings": "all"}),
    "ort-rtn-gather-asym": (ort_nbits, {"embeddings": "all", "symmetric": False}),
    "ort-rtn-gather-words-sym": (ort_nbits, {"embeddings": "words"}),
    "ort-rtn-gather-words-asym": (ort_nbits, {"embeddings": "words", "symmetric": False}),
    "nncf-int4-sym": (nncf_weights, {"mode": "INT4_SYM"}),
    "nncf-int4-asym": (nncf_weights, {"mode": "INT4_ASYM"}),
    "nncf-int4-sym-data": (nncf_weights, {"mode": "INT4_SYM", "with_data": True}),
    "nncf-int4-asym-data": (nncf_weights, {"mode": "INT4_ASYM", "with_data": True}),
}


def main():
    recipe, model, sentences, out = sys.argv[1:]
    work, options = RECIPES[recipe]
    work(model, sentences, out, **options)


if __name__ == "__main__":
    main()
