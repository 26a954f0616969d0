# SPDX-License-Identifier: Apache-2.0
"""low_rank, prune_weights and low_rank_correction from outside: options that can't be, missing data, and models
where nothing is to be gained."""
import zlib

import harness
from harness import MODELS, CliTest

VIT = MODELS / "vit-digits"


class LowRankAndSparse(CliTest):
    def recipe(self, name, **options):
        lines = ["schema = 1", "[[pass]]", f'name = "{name}"']
        lines += [f"{key} = {value}" for key, value in options.items()]
        path = self.folder / "recipe.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def compress(self, *words):
        return ("compress", VIT, "-o", "out.onnx", "--recipe", *words)

    def test_options_out_of_bounds(self):
        # What the declared limits tell has its place in the recipe (E0004).
        for code, name, options in (("E0004", "low_rank", {"rank": 0}), ("E0004", "low_rank", {"rank": -8}),
                                    ("E0003", "low_rank", {"ratio": 1.0}), ("E0004", "low_rank", {"ratio": "nan"}),
                                    ("E0004", "low_rank", {"energy": "nan"}), ("E0003", "low_rank", {"energy": 0.0}),
                                    ("E0003", "low_rank", {"max_error": 1.0}), ("E0004", "low_rank", {"by": '"luck"'}),
                                    ("E0003", "prune_weights", {"sparsity": 1.0}),
                                    ("E0004", "prune_weights", {"sparsity": "nan"}),
                                    ("E0003", "prune_weights", {"pattern": '"4:2"'}),
                                    ("E0003", "prune_weights", {"pattern": '"2:4:8"'}),
                                    ("E0004", "quantize_weights", {"low_rank_correction": -1}),
                                    ("E0004", "quantize_weights", {"correction_type": '"int4"'})):
            with self.subTest(f"{name} {options}"):
                self.fail_with(2, code, *self.compress(self.recipe(name, **options)))

    def test_without_data(self):
        for name, options in (("low_rank", {}), ("low_rank", {"method": '"svd"', "by": '"error"'}),
                              ("prune_weights", {"method": '"wanda"'}), ("prune_weights", {"method": '"sparsegpt"'}),
                              ("quantize_weights", {"low_rank_correction": 8})):
            with self.subTest(f"{name} {options}"):
                self.fail_with(2, "E0006", *self.compress(self.recipe(name, **options)))

    def test_low_rank_that_cannot_pay_leaves_the_model_and_says_so(self):
        recipe = self.recipe("low_rank", by='"error"', max_error=1e-6)
        result = self.succeed(*self.compress(recipe, "--data", VIT / "test.npz", "--no-eval"))
        self.assertIn("low rank saves nothing here", result.err)
        again = self.succeed("compress", "out.onnx", "-o", "plain.onnx", "--preset", "lossless", "--json").document
        plain = self.succeed("compress", VIT, "-o", "also.onnx", "--preset", "lossless", "--json").document
        self.assertEqual(*(d["passes"][-1]["bytes_after"] for d in (again, plain)))

    def test_low_rank_reports_ranks_and_both_errors(self):
        recipe = self.recipe("low_rank", by='"bytes"', ratio=0.5)
        document = self.succeed(*self.compress(recipe, "--data", VIT / "test.npz", "--no-eval", "--json")).document
        units = [u for u in document["passes"][0]["units"] if u["decision"] == "change"]
        self.assertGreater(len(units), 3)
        for unit in units:
            figures = unit["figures"]
            self.assertGreaterEqual(figures["rank"], 8)
            self.assertLessEqual(figures["output_error"], figures["svd.output_error"])
            self.assertLessEqual(unit["bytes_after"], 0.5 * unit["bytes_before"])
        self.assertEqual(document["models"][1]["bytes"], (self.folder / "out.onnx").stat().st_size)

    def test_dry_runs_predict_the_bytes(self):
        for name, options in (("low_rank", {"by": '"rank"', "rank": 8}), ("prune_weights", {}),
                              ("low_rank", {"by": '"rank"', "rank": 8, "method": '"svd"'})):
            with self.subTest(f"{name} {options}"):
                recipe = self.recipe(name, **options)
                plan = self.succeed(*self.compress(recipe, "--dry-run", "--json", "-f")).document
                self.succeed(*self.compress(recipe, "--data", VIT / "test.npz", "--no-eval", "-f"))
                self.assertEqual(plan["models"][1]["bytes"], (self.folder / "out.onnx").stat().st_size)

    def test_pruning_says_that_nothing_gets_faster_and_what_an_archive_saves(self):
        recipe = self.recipe("prune_weights", method='"magnitude"')
        result = self.succeed(*self.compress(recipe, "--json"))
        self.assertIn("the file stays as large", result.err + result.out)
        units = [u for u in result.document["passes"][0]["units"] if "figures" in u]
        saved = sum(u["figures"]["archive_bytes.before"] - u["figures"]["archive_bytes.after"] for u in units)
        before = len(zlib.compress((VIT / "model.onnx").read_bytes(), 6))
        after = len(zlib.compress((self.folder / "out.onnx").read_bytes(), 6))
        self.assertLess(abs(saved / (before - after) - 1), 0.15, f"estimated {saved}, zlib {before - after}")


if __name__ == "__main__":
    harness.main()
