# SPDX-License-Identifier: Apache-2.0
"""A vocabulary cut to a corpus: ONNX Runtime computes the logits of the corpus's sentences that it computed before,
with the ids of the new vocab.txt, also where the table is quantized afterwards."""
import numpy as np
from harness import Checks, Program, arguments, model_path, ort_run, ort_session, sentences

CLOSE = 1e-5
COUNT = 48


def inputs_of(ids):
    width = max(len(row) for row in ids)
    x, mask = np.zeros((len(ids), width), np.int64), np.zeros((len(ids), width), np.int64)
    for i, row in enumerate(ids):
        x[i, :len(row)] = row
        mask[i, :len(row)] = 1
    return {"input_ids": x, "attention_mask": mask, "token_type_ids": np.zeros_like(x)}


def difference(expected, actual):
    return max(float(np.abs(value - actual[key]).max()) for key, value in expected.items())


def main():
    args = arguments("a bundled model with vocab.txt")
    path = model_path(args.model)
    checks, program = Checks(), Program(args.onnxpress)
    texts = sentences()[0][:COUNT]
    (program.folder / "corpus.txt").write_text("\n".join(texts) + "\n", encoding="utf8")
    recipe = program.folder / "recipe.toml"
    out = program.folder / "small" / "model.onnx"
    out.parent.mkdir()
    old = path.parent / "vocab.txt"
    expected = ort_run(ort_session(path), inputs_of(program.tokenize(old, texts, 128)))
    for passes, close in (("", CLOSE), ('[[pass]]\nname = "quantize_embeddings"\n', 0.2)):
        recipe.write_text(f'schema = 1\n[[pass]]\nname = "prune_vocabulary"\ncorpus = "corpus.txt"\n{passes}', encoding="utf8")
        program.call("compress", path, "-o", out, "--recipe", recipe, "--tokenizer", old, "-f")
        new = out.parent / "vocab.txt"
        checks.that(len(new.read_text().splitlines()) < 0.25 * len(old.read_text().splitlines()), f"{args.model}: fewer tokens")
        checks.that(out.stat().st_size < path.stat().st_size, f"{args.model}: {out.stat().st_size} bytes")
        inputs = inputs_of(program.tokenize(new, texts, 128))
        theirs = ort_run(ort_session(out), inputs)
        worst = difference(expected, theirs)
        checks.that(worst <= close, f"{args.model}: logits differ by {worst:.1e} from the whole vocabulary's")
        worst = difference(theirs, program.run(out, inputs))
        checks.that(worst <= 1e-3, f"{args.model}: engines differ by {worst:.1e}")
    checks.finish()


if __name__ == "__main__":
    main()
