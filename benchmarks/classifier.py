# SPDX-License-Identifier: Apache-2.0
"""minilm-l6-sst2 on the 872 development sentences: how far a file's answers are from the original's."""
import dataclasses
import functools

import numpy as np
from harness import metric, model_path, ort_session, sentence_batches, sentences

# What ONNX Runtime does with `MatMul(x, DequantizeLinear(w))`: by default ("4") it rounds x to 8 bits.
FLOAT32, BY_DEFAULT = "1", "4"
RESAMPLES = 10_000


def log_probabilities(logits):
    z = logits.astype(np.float64)
    z -= z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


@dataclasses.dataclass
class Scores:
    bytes: int
    kl: float
    median: float
    agreement: float
    accuracy: float
    kl_of_sentence: np.ndarray = None  # none of our own executor


def in_onnxpress(document):
    """The scores in the run document of `compress`."""
    after, agreement = document["models"][1], document["agreement"][0]["metrics"]
    return Scores(after["bytes"], metric(agreement, "kl_mean"), metric(agreement, "kl_median"),
                  metric(agreement, "agreement"), metric(after["metrics"], "accuracy"))


class Classifier:
    def __init__(self, program):
        self.program = program
        self.path = model_path("minilm-l6-sst2")
        self.vocabulary = self.path.parent / "vocab.txt"
        self.labels = sentences()[1]

    @functools.cached_property
    def reference(self):
        return self._answers(self.path, FLOAT32)

    def _answers(self, path, level):
        """Log probabilities [872, 2] in ONNX Runtime: batches of 32, sorted by length."""
        session = ort_session(path, accuracy_level=level)
        answers = np.empty((len(self.labels), 2))
        for chunk, inputs in sentence_batches(self.program, self.path.parent):
            answers[chunk] = log_probabilities(session.run(None, inputs)[0])
        return answers

    def in_onnxruntime(self, path, level=FLOAT32):
        q = self._answers(path, level)
        p = self.reference
        kl = np.maximum((np.exp(p) * (p - q)).sum(1), 0)
        return Scores(path.stat().st_size, kl.mean(), np.median(kl),
                      (p.argmax(1) == q.argmax(1)).mean(), (q.argmax(1) == self.labels).mean(), kl)


def paired_interval(ours, theirs):
    """95 % bootstrap interval of the difference of the mean KLs, sentences drawn in pairs."""
    difference = ours.kl_of_sentence - theirs.kl_of_sentence
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(difference), (RESAMPLES, len(difference)))
    return np.quantile(difference[picks].mean(1), [0.025, 0.975])
