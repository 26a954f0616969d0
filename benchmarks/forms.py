# SPDX-License-Identifier: Apache-2.0
"""The forms of minilm-l6-sst2 that are compared: how onnxpress makes each."""
import dataclasses

from setting import DEV

FLOAT_EMBEDDINGS = ("--set", "quantize_embeddings.min_saving=1")
SYMMETRIC = ("--set", "quantize_weights.symmetric=true")
INT4_EMBEDDINGS = ("--set", "quantize_embeddings.bits=4", "--set", "quantize_embeddings.group=16",
                   "--set", "quantize_embeddings.symmetric=false")
INT4_EMBEDDINGS_32 = (*INT4_EMBEDDINGS, "--set", "quantize_embeddings.group=32")
ONE_SCALE_A_TABLE = ("--set", "quantize_embeddings.per_row=false")
PER_TENSOR = (*ONE_SCALE_A_TABLE, "--set", "smooth.per_channel=false", "--set", "quantize_dynamic.per_channel=false")
ROUND_TO_NEAREST = ("--set", "quantize_weights.method=rtn", "--set", "quantize_weights.clip=false")


@dataclasses.dataclass(frozen=True)
class Form:
    arguments: tuple
    data: bool = True  # made with the calibration sentences


FORMS = {
    "fp16": Form(("--preset", "fp16"), data=False),
    "int8-weights": Form(("--preset", "int8-weights"), data=False),
    "int8-dynamic": Form(("--preset", "int8-dynamic")),
    "int8-dynamic, no data": Form(("--preset", "int8-dynamic"), data=False),
    "int8-dynamic, one scale a table": Form(("--preset", "int8-dynamic", *ONE_SCALE_A_TABLE)),
    "int8-dynamic, one scale a table, no data": Form(("--preset", "int8-dynamic", *ONE_SCALE_A_TABLE), data=False),
    "int8-dynamic per tensor": Form(("--preset", "int8-dynamic", *PER_TENSOR)),
    "int8-dynamic per tensor, no data": Form(("--preset", "int8-dynamic", *PER_TENSOR), data=False),
    "int8": Form(("--preset", "int8")),
    "int4, float embeddings": Form(("--preset", "int4", *FLOAT_EMBEDDINGS)),
    "int4 symmetric, float embeddings": Form(("--preset", "int4", *FLOAT_EMBEDDINGS, *SYMMETRIC)),
    "int4, float embeddings, no data": Form(("--preset", "int4", *FLOAT_EMBEDDINGS), data=False),
    "int4 round to nearest, float embeddings": Form(
        ("--preset", "int4", *FLOAT_EMBEDDINGS, *ROUND_TO_NEAREST), data=False),
    "int4 symmetric, float embeddings, no data": Form(
        ("--preset", "int4", *FLOAT_EMBEDDINGS, *SYMMETRIC), data=False),
    "int4": Form(("--preset", "int4-gptq")),
    "int4 symmetric": Form(("--preset", "int4-gptq", *SYMMETRIC)),
    "int4, no data": Form(("--preset", "int4"), data=False),
    "int4 symmetric, no data": Form(("--preset", "int4", *SYMMETRIC), data=False),
    "int4, int4 embeddings": Form(("--preset", "int4-gptq", *INT4_EMBEDDINGS)),
    "int4, int4 embeddings in groups of 32": Form(("--preset", "int4-gptq", *INT4_EMBEDDINGS_32)),
    "int4 symmetric, int4 embeddings in groups of 32": Form(
        ("--preset", "int4-gptq", *INT4_EMBEDDINGS_32, *SYMMETRIC)),
    "int4, int4 embeddings in groups of 32, no data": Form(("--preset", "int4", *INT4_EMBEDDINGS_32), data=False),
    "int4 symmetric, int4 embeddings in groups of 32, no data": Form(
        ("--preset", "int4", *INT4_EMBEDDINGS_32, *SYMMETRIC), data=False),
}


def command(name, classifier, sentences, out):
    """The words after `onnxpress`; `sentences` is the table of those to calibrate with."""
    form = FORMS[name]
    text = ("--tokenizer", classifier.vocabulary, "--max-length", 128)
    return ("compress", classifier.path, "-o", out, "-f", "-q", *form.arguments, *text,
            *(("--data", sentences) if form.data else ()))


def make(name, classifier, folder, sentences):
    """The file of a form."""
    out = folder / "form.onnx"
    classifier.program.call(*command(name, classifier, sentences, out), "--no-eval")
    return out


def make_and_evaluate(name, classifier, folder, sentences):
    """(the file, the run document with its figures on the development sentences)"""
    out = folder / "form.onnx"
    words = command(name, classifier, sentences, out)
    return out, classifier.program.document(*words, "--eval-data", DEV)
