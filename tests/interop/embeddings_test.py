# SPDX-License-Identifier: Apache-2.0
"""Embedding tables in blocks: the files load in ONNX Runtime at the model's own opset and compute there
what they compute in our executor; a tied table is stored once and read by lookups and products both."""
import collections
import itertools

import onnx
from harness import ROOT, Checks, Program, arguments, batches, difference_to_ort, model_path

FORMS = {
    "INT4 group 32": {"bits": 4, "group": 32},
    "UINT4 group 16": {"bits": 4, "group": 16, "symmetric": "false"},
    "UINT4 per row, float32 scales": {"bits": 4, "symmetric": "false", "scales": '"float32"'},
    "INT8 group 32": {"bits": 8, "group": 32},
    "UINT4 group 16, with data": {"bits": 4, "group": 16, "symmetric": "false"},
}
# Largest difference of outputs as a share of max(1, std). With float16 scales ONNX Runtime rounds looked-up
# rows to float16; our executor computes them in float32.
CLOSE = {"float32": 1e-5, "auto": 2e-3}
BATCHES = 4


def compressed(program, path, form, options):
    recipe = program.folder / "recipe.toml"
    lines = [f"{key} = {value}" for key, value in {**options, "int8_below": 0.0}.items()]
    recipe.write_text('schema = 1\n[[pass]]\nname = "deduplicate"\n[[pass]]\nname = '
                      '"quantize_embeddings"\n' + "\n".join(lines) + "\n", encoding="utf8")
    out = program.folder / "small.onnx"
    data = []
    if form.endswith("with data"):
        data = ["--data", ROOT / "models/sst2-minilm-l3/dev.tsv", "--samples", 64]
    program.call("compress", path, "-o", out, "--recipe", recipe, *data, "-f")
    return out


def main():
    args = arguments("sst2-minilm-l3 or gpt-shakespeare")
    path = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    original = onnx.load(path)
    inputs_list = list(itertools.islice(batches(program, args.model, path), BATCHES))
    for form, options in FORMS.items():
        if form.endswith("with data") and "sst2" not in args.model:
            continue
        out = compressed(program, path, form, options)
        model = onnx.load(out)
        opsets = {o.domain: o.version for o in model.opset_import}
        checks.that(opsets[""] == {o.domain: o.version for o in original.opset_import}[""],
                    f"{args.model} {form}: opset stays {opsets['']}")
        kinds = collections.Counter(node.op_type for node in model.graph.node)
        checks.that(kinds["GatherBlockQuantized"] > 0,
                    f"{args.model} {form}: {kinds['GatherBlockQuantized']} lookups in blocks")
        if "gpt" in args.model and "group" in options:
            # The head's product reads the constant that the lookup reads, under another shape.
            made_by = {node.output[0]: node for node in model.graph.node}
            heads = [n for n in model.graph.node if n.op_type == "MatMulNBits"]
            lookups = {n.input[0] for n in model.graph.node if n.op_type == "GatherBlockQuantized"}
            codes = [made_by[n.input[1]].input[0] for n in heads]
            checks.that(len(heads) == 1 and set(codes) <= lookups,
                        f"{args.model} {form}: {codes} is read by the head and by a lookup")
        worst = difference_to_ort(program, out, inputs_list)
        limit = CLOSE["float32" if "scales" in options else "auto"]
        checks.that(worst <= limit, f"{args.model} {form}: outputs differ by {worst:.1e}")
    checks.finish()


if __name__ == "__main__":
    main()
