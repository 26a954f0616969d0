# SPDX-License-Identifier: Apache-2.0
"""A SentencePiece model read by us splits real and odd text as the SentencePiece library does."""
import random
import sys

import sentencepiece
from harness import SHARED, SKIPPED, Checks, Program, arguments

TEXT = SHARED / "data/text/web-lines.txt"
MODEL = SHARED / "data/tokenizers/llama2/tokenizer.model"


def odd_texts(count, seed=1):
    """Random mixtures of scripts, spaces, digits, signs and bytes that no piece covers."""
    alphabet = "ab cdE  Z09.,!?\t\n\u00e9\u00df\u0416\u4e2d\u3042\uac00\u0e01\u05d0\u200d\U0001f600\u2581_"
    chosen = random.Random(seed)
    return ["".join(chosen.choices(alphabet, k=chosen.randint(0, 40))) for _ in range(count)]


def main():
    args = arguments()
    if not MODEL.exists():
        print(f"skipped: {MODEL} is not there")
        sys.exit(SKIPPED)
    checks, program = Checks(), Program(args.onnxpress)
    library = sentencepiece.SentencePieceProcessor(model_file=str(MODEL))
    for what, texts in (("lines of web text", TEXT.read_text(encoding="utf8").splitlines()),
                        ("random texts", odd_texts(1000))):
        ours = program.tokenize(MODEL, texts, max_length=100_000)
        theirs = [[library.bos_id(), *library.encode(text)] for text in texts]
        different = [text for text, a, b in zip(texts, ours, theirs, strict=True) if a != b]
        checks.that(not different, f"{len(texts) - len(different)} of {len(texts)} {what} split as the "
                    f"library does; the first other: {different[:1]!a}")
    checks.finish()


if __name__ == "__main__":
    main()
