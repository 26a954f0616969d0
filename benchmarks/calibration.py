# SPDX-License-Identifier: Apache-2.0
"""The sentences that all tools calibrate with: those of `--samples N --seed S` (src/data/sampling.cpp)."""
import itertools
import json

from harness import SHARED

TRAIN = SHARED / "data/sst2/train.tsv"


def mt19937_64(seed):
    """The numbers of C++'s std::mt19937_64."""
    mask = (1 << 64) - 1
    state = [seed]
    for i in range(1, 312):
        state.append((6364136223846793005 * (state[-1] ^ state[-1] >> 62) + i) & mask)
    while True:
        for i in range(312):
            x = state[i] & 0xFFFFFFFF80000000 | state[(i + 1) % 312] & 0x7FFFFFFF
            state[i] = state[(i + 156) % 312] ^ x >> 1 ^ (0xB5026F5AA96619E9 if x & 1 else 0)
        for x in state:
            x ^= x >> 29 & 0x5555555555555555
            x ^= x << 17 & 0x71D67FFFEDA60000
            x ^= x << 37 & 0xFFF7EEE000000000
            yield x ^ x >> 43


def drawn(total, wanted, seed):
    indices = list(range(total))
    for i, number in enumerate(itertools.islice(mt19937_64(seed), wanted)):
        j = i + number % (total - i)
        indices[i], indices[j] = indices[j], indices[i]
    return sorted(indices[:wanted])


def sentences_file(program, vocabulary, folder, samples=256, seed=1):
    """(FILE.tsv for onnxpress, FILE.jsonl with the same sentences' tokens for the others)"""
    table = folder / f"sentences-{samples}-{seed}.tsv"
    tokens = table.with_suffix(".jsonl")
    if not tokens.exists():
        head, *rows = TRAIN.read_text(encoding="utf8").splitlines()
        rows = [rows[i] for i in drawn(len(rows), samples, seed)]
        table.write_text("\n".join([head, *rows, ""]), encoding="utf8")
        ids = program.tokenize(vocabulary, [row.rsplit("\t", 1)[0] for row in rows], 128)
        tokens.write_text("".join(json.dumps({"ids": x}) + "\n" for x in ids), encoding="utf8")
    return table, tokens
