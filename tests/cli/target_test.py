# SPDX-License-Identifier: Apache-2.0
"""check and compress for a target, through the real program."""
import harness
from harness import MODELS, CliTest

VIT = MODELS / "vit-digits"
SST2 = MODELS / "sst2-minilm-l3"


class Check(CliTest):
    def findings(self, model, target):
        document = self.succeed("check", model, "--target", target, "--json").document
        return [f for f in document["descriptions"][0]["findings"] if f"{target}: " in f]

    def test_a_float_model_is_fine_everywhere(self):
        for target in ("ort-cpu", "ort-cpu-avx2"):
            self.assertEqual(self.findings(SST2, target), [])

    def test_an_unknown_target_names_the_nearest(self):
        result = self.fail_with(2, "E0002", "check", VIT, "--target", "ort-cpu-avx")
        self.assertIn("ort-cpu-avx2", result.err)

    def test_full_range_weights_are_warned_of_where_there_is_no_vnni(self):
        self.succeed("compress", SST2, "-o", "small.onnx", "--preset", "int8-dynamic")
        self.assertEqual(self.findings("small.onnx", "ort-cpu"), [])
        saturating = self.findings("small.onnx", "ort-cpu-avx2")
        self.assertGreater(len(saturating), 10)
        for line in saturating:
            self.assertRegex(line, r"^warning: ort-cpu-avx2: .+: \d+ of \d+ pairs of INT8 weights can saturate")


class Compress(CliTest):
    def test_for_avx2_no_product_can_saturate(self):
        for preset, data in (("int8-dynamic", ()), ("int8", ("--data", SST2 / "dev.tsv", "--samples", 32, "--no-eval"))):
            with self.subTest(preset):
                self.succeed("compress", SST2, "-o", "small.onnx", "-f", "--preset", preset, "--target",
                             "ort-cpu-avx2", *data)
                findings = self.succeed("check", "small.onnx", "--target", "ort-cpu-avx2", "--json").document
                self.assertNotIn("saturate", str(findings))

    def test_the_recipe_says_how_weights_are_stored(self):
        def recipe(*more):
            return self.succeed("compress", SST2, "-o", "o.onnx", "--preset", "int8-dynamic", "--print-recipe",
                                *more).out
        self.assertIn('weights = "s8"', recipe())
        self.assertIn('weights = "s8"', recipe("--target", "ort-cpu"))
        self.assertIn('weights = "auto"', recipe("--target", "ort-cpu-avx2"))
        self.assertIn('weights = "u8"', recipe("--target", "ort-cpu-avx2", "--set", "quantize_dynamic.weights=u8"))

    def test_a_warning_tells_what_the_target_does_badly(self):
        document = self.succeed("compress", VIT, "-o", "small.onnx", "--preset", "fp16", "--target", "ort-cpu",
                                "--json").document
        self.assertIn("FLOAT16", str(document["warnings"]))


if __name__ == "__main__":
    harness.main()
