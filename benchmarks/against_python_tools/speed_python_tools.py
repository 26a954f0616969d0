# SPDX-License-Identifier: Apache-2.0
"""Time and memory of whole processes, ours and the Python tools' in turns, on the same 256 sentences."""
import dataclasses
import statistics

from calibration import sentences_file
from classifier import Classifier
from forms import command as our_command
from made_by import KEPT, environment
from made_by import command as their_command
from setting import THREADS, program, whole_process, write_result


@dataclasses.dataclass(frozen=True)
class Race:
    form: str
    recipe: str
    asked: float  # times as fast
    rounds: int


RACES = (
    Race("int4", "ort-gptq-asym", 12, 1),
    Race("int8", "nncf-int8", 2, 2),
    Race("int4 round to nearest, float embeddings", "ort-rtn-asym", 5, 3),
)
MEMORY_FORMS, SAMPLES = ("int4", "int8"), (256, 4096)


class Bench:
    def __init__(self):
        self.classifier = Classifier(program())
        self.folder = self.classifier.program.folder
        KEPT.mkdir(parents=True, exist_ok=True)

    def sentences(self, count):
        return sentences_file(self.classifier.program, self.classifier.vocabulary, KEPT, count)

    def ours(self, form, count):
        words = our_command(form, self.classifier, self.sentences(count)[0], self.folder / "ours.onnx")
        samples = ("--samples", count) if "--data" in words else ()
        return whole_process((self.classifier.program.path, *words, *samples, "--no-eval", "--threads", THREADS))

    def theirs(self, recipe, count):
        words = their_command(recipe, self.classifier.path, self.sentences(count)[1],
                              self.folder / "theirs.onnx")
        return whole_process(words, environment(recipe))

    def race_line(self, race):
        runs = [(self.ours(race.form, 256), self.theirs(race.recipe, 256)) for _ in range(race.rounds)]
        mine, its = (statistics.median(r[side][0] for r in runs) for side in (0, 1))
        peaks = [max(r[side][1] for r in runs) / 1e6 for side in (0, 1)]
        verdict = "ok" if its / mine >= race.asked else "missed"
        return (f"| {race.form} | {mine:.2f} | {peaks[0]:.0f} | {race.recipe} | {its:.2f} | {peaks[1]:.0f} | "
                f"{its / mine:.1f} | ≥ {race.asked:g}: {verdict} |")

    def memory_line(self, form, limit):
        figures = [self.ours(form, count) for count in SAMPLES]
        verdict = "ok" if max(peak for _, peak in figures) <= limit else "missed"
        return f"| {form} | " + " | ".join(f"{seconds:.1f} s, {peak / 1e6:.0f} MB" for seconds, peak in
                                           figures) + f" | ≤ {limit / 1e6:.0f} MB: {verdict} |"


def main():
    bench = Bench()
    limit = 3 * bench.classifier.path.stat().st_size + 200e6
    lines = [f"Whole processes, start to end, {THREADS} threads each, in turns; median of "
             f"{', '.join(str(r.rounds) for r in RACES)} runs. Calibrated with the same 256 sentences, where "
             "the form takes data.", "",
             "| onnxpress | seconds | peak MB | tool's recipe | seconds | peak MB | times as fast | asked |",
             "|---|---|---|---|---|---|---|---|"]
    for race in RACES:
        lines.append(bench.race_line(race))
        print(lines[-1], flush=True)
    lines += ["", "Time and peak memory by calibration sentences (asked: 3 times the model and 200 MB):", "",
              "| onnxpress | 256 | 4,096 | asked |", "|---|---|---|---|"]
    lines += [bench.memory_line(form, limit) for form in MEMORY_FORMS]
    write_result("speed_python_tools", "Speed beside the Python tools", lines,
                 bench.classifier.program.document("doctor"))


if __name__ == "__main__":
    main()
