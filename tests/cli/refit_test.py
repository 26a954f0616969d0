# SPDX-License-Identifier: Apache-2.0
"""Layers that go, and norms and heads that are refitted, from the command line: options that can't be, models that
can't be changed, and a plan that is true."""
import harness
from harness import MODELS, CliTest

VIT = MODELS / "vit-digits" / "model.onnx"
DATA = MODELS / "vit-digits" / "test.npz"


class Refit(CliTest):
    def recipe(self, *passes):
        path = self.folder / "recipe.toml"
        path.write_text("schema = 1\n" + "".join(f'[[pass]]\nname = "{name}"\n{options}\n' for name, options in passes))
        return path

    def refuse(self, code, error, *passes, words="", data=True):
        given = ("--data", DATA) if data else ()
        result = self.fail_with(code, error, "compress", VIT, "-o", "x.onnx", "--recipe", self.recipe(*passes), *given)
        self.assertIn(words, result.err)

    def test_numbers_of_layers_that_can_not_be(self):
        for options in ("ratio = 1.0", "ratio = -0.5", "ratio = 7.0", "count = 1000000", "ratio = 0.99"):
            with self.subTest(options):
                self.refuse(2, "E0003", ("drop_layers", options))
        for options in ("count = 0", "count = -1", "ratio = nan", "samples = 0", 'count = "two"', "layers = 1",
                        "layers = [1.5]"):
            with self.subTest(options):
                self.refuse(2, "E0004", ("drop_layers", options))

    def test_layers_that_are_not_there(self):
        self.refuse(2, "E0003", ("drop_layers", "layers = [1000]"), words="there is no layer 1000")
        self.refuse(2, "E0002", ("drop_layers", 'layers = ["no_such*"]'))
        self.refuse(2, "E0003", ("drop_layers", 'layers = ["*"]'), words="at least one must stay")

    def test_without_data(self):
        self.refuse(2, "E0006", ("drop_layers", ""), words="drop_layers.layers", data=False)
        for name in ("fit_norms", "fit_head"):
            self.refuse(2, "E0006", (name, ""), words="--data", data=False)

    def test_options_of_refits_that_can_not_be(self):
        for name in ("fit_norms", "fit_head"):
            for options in ("ridge = -0.5",):
                self.refuse(2, "E0003", (name, options), words="ridge")
            for options in ("ridge = nan", "ridge = -2.0", 'ridge = "much"', "no_such = 1"):
                self.refuse(2, "E0004", (name, options))
            self.refuse(2, "E0002", (name, 'include = ["no_such*"]'))

    def test_a_dry_run_says_how_large_the_result_is(self):
        recipe = self.recipe(("drop_layers", "count = 1"))
        plan = self.succeed("compress", VIT, "--recipe", recipe, "--dry-run", "--json").document
        done = self.succeed("compress", VIT, "-o", "small.onnx", "--recipe", recipe, "--data", DATA, "--json").document
        size = (self.folder / "small.onnx").stat().st_size
        self.assertLess(abs(plan["models"][1]["bytes"] - size), 64)  # names of another layer
        self.assertLess(size, VIT.stat().st_size)
        costs = [unit["figures"]["kl"] for unit in done["passes"][0]["units"]]
        dropped = [unit["decision"] == "change" for unit in done["passes"][0]["units"]]
        self.assertEqual(costs.index(min(costs)), dropped.index(True))
        self.assertIn("ok", self.succeed("check", "small.onnx").out)

    def test_refits_say_what_they_reached(self):
        recipe = self.recipe(("quantize_weights", 'bits = 4\ngroup = 32\nmethod = "rtn"\nexclude = ["*classifier*"]'),
                             ("fit_norms", ""), ("fit_head", ""))
        document = self.succeed("compress", VIT, "-o", "small.onnx", "--recipe", recipe, "--data", DATA, "--json").document
        norms, head = document["passes"][-2:]
        self.assertTrue(any(unit["decision"] == "change" for unit in norms["units"]))
        for unit in norms["units"] + head["units"]:
            if unit["decision"] == "change":
                self.assertLess(unit["figures"]["output_error"], unit["figures"]["before.output_error"])


if __name__ == "__main__":
    harness.main()
