# SPDX-License-Identifier: Apache-2.0
"""Pruning from the command line: options that can't be, models that can't be pruned, and a plan that is true."""
import harness
from harness import MODELS, CliTest

VIT = MODELS / "vit-digits" / "model.onnx"
PASSES = ("prune_heads", "prune_neurons")


class Pruning(CliTest):
    def recipe(self, *passes):
        path = self.folder / "recipe.toml"
        path.write_text("schema = 1\n" + "".join(f'[[pass]]\nname = "{name}"\n{options}\n' for name, options in passes))
        return path

    def refuse(self, code, error, *passes, words=""):
        result = self.fail_with(code, error, "compress", VIT, "-o", "x.onnx", "--recipe", self.recipe(*passes))
        self.assertIn(words, result.err)
        self.assertLessEqual(result.err.count(f"pass {passes[-1][0]}"), 1, result.err)

    def test_ratios_that_leave_all_or_nothing(self):
        for name in PASSES:
            for ratio in ("0", "0.0", "1", "1.0", "-0.25", "2", "inf", "-inf", "1e300"):
                with self.subTest(f"{name} {ratio}"):
                    self.refuse(2, "E0003", (name, f"ratio = {ratio}"), words="between 0 and 1")
            self.refuse(2, "E0004", (name, "ratio = nan"), words="nan")  # in a recipe with its line

    def test_counts_that_leave_a_layer_empty(self):
        for name in PASSES:
            self.refuse(2, "E0004", (name, "count = -1"))
            self.refuse(2, "E0003", (name, "count = 1000000"), words="at least one")
            self.refuse(2, "E0003", (name, 'count = 1000000\nscope = "layer"'), words="at least one")

    def test_options_of_another_type_or_name(self):
        for name in PASSES:
            for options in ('ratio = "half"', "scope = 1", 'scope = "model"', 'scores = "magnitude"', 'include = 1'):
                with self.subTest(f"{name} {options}"):
                    self.refuse(2, "E0004", (name, options))
        self.refuse(2, "E0004", ("prune_neurons", "multiple_of = -1"))
        self.refuse(2, "E0004", ("prune_heads", "multiple_of = 8"))

    def test_globs_that_fit_nothing(self):
        for name in PASSES:
            self.refuse(2, "E0002", (name, 'include = ["no_such_layer*"]'))

    def test_pruning_comes_before_quantization(self):
        for name in PASSES:
            for quantizer, options in (("quantize_dynamic", ""), ("quantize_weights", "bits = 4\ngroup = 32")):
                with self.subTest(f"{quantizer}, {name}"):
                    self.refuse(2, "E0004", (quantizer, options), (name, ""), words="comes after")
                    recipe = self.recipe((quantizer, options))
                    self.succeed("compress", VIT, "-o", "quantized.onnx", "-f", "--recipe", recipe)
                    result = self.fail_with(4, "E0404", "compress", "quantized.onnx", "-o", "x.onnx", "--recipe",
                                            self.recipe((name, "")))
                    self.assertIn("prune before quantizing", result.err)
                    self.assertEqual(result.err.count(f"pass {name}"), 1, result.err)

    def test_sparse_weights_come_behind(self):
        for name in (*PASSES, "low_rank"):
            self.refuse(2, "E0004", ("prune_weights", ""), (name, ""), words="zeros")

    def test_presets_that_refit_need_samples(self):
        for preset in ("prune", "tiny"):
            result = self.fail_with(2, "E0006", "compress", VIT, "-o", "x.onnx", "--preset", preset)
            self.assertNotIn("file of statistics", result.err)  # none was given

    def test_a_dry_run_says_how_large_the_result_is(self):
        recipe = self.recipe(("prune_heads", "ratio = 0.25"), ("prune_neurons", "ratio = 0.5"))
        plan = self.succeed("compress", VIT, "--recipe", recipe, "--dry-run", "--json").document
        done = self.succeed("compress", VIT, "-o", "small.onnx", "--recipe", recipe, "--json").document
        self.assertEqual(plan["models"][1]["bytes"], (self.folder / "small.onnx").stat().st_size)
        self.assertEqual(plan["models"][1]["bytes"], done["models"][1]["bytes"])
        self.assertLess(done["models"][1]["bytes"], 0.75 * VIT.stat().st_size)
        self.assertIn("ok", self.succeed("check", "small.onnx").out)

    def test_pruned_models_can_be_quantized(self):
        recipe = self.recipe(("prune_heads", ""), ("prune_neurons", ""), ("quantize_weights", "bits = 4\ngroup = 32"))
        self.succeed("compress", VIT, "-o", "small.onnx", "--recipe", recipe, "--data", VIT.parent / "test.npz")
        self.assertLess((self.folder / "small.onnx").stat().st_size, 0.25 * VIT.stat().st_size)


if __name__ == "__main__":
    harness.main()
