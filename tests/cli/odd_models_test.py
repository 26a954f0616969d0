# SPDX-License-Identifier: Apache-2.0
"""Models that a pass can do little or nothing with: quantized already, broken numbers, too small to gain."""
import struct

import harness
from harness import MODELS, CliTest, sha256
from inputs_test import field, tiny_model

VIT = MODELS / "vit-digits"
SIZE = 64


def product_model(weights):
    """y = x · w with w float[64,64]."""
    tensor = field(1, SIZE) + field(1, SIZE) + field(2, 1) + field(8, "w")
    tensor += field(9, struct.pack(f"<{SIZE * SIZE}f", *weights))
    shape = field(1, field(1, 1) + field(2, field(1, field(2, "n")) + field(1, field(1, SIZE))))
    node = field(1, "x") + field(1, "w") + field(2, "y") + field(3, "product") + field(4, "MatMul")
    graph = field(1, node) + field(2, "g") + field(5, tensor)
    graph += field(11, field(1, "x") + field(2, shape)) + field(12, field(1, "y") + field(2, shape))
    return field(1, 8) + field(8, field(2, 17)) + field(7, graph)


class OddModels(CliTest):
    def setUp(self):
        super().setUp()
        self.weights = [((i * 37) % 101 - 50) / 100 for i in range(SIZE * SIZE)]

    def write(self, data):
        path = self.folder / "model.onnx"
        path.write_bytes(data)
        return path

    def test_nan_is_a_warning_and_an_error_if_strict(self):
        for bad in (float("nan"), float("inf")):
            self.weights[3 * SIZE + 5] = bad
            path = self.write(product_model(self.weights))
            for preset in ("int8-weights", "int8-dynamic", "int4"):
                with self.subTest(bad=bad, preset=preset):
                    result = self.succeed("compress", path, "-o", "out.onnx", "--preset", preset, "-f")
                    self.assertRegex(result.err, r"warning\[W0101\]: .*\[3, 5\] is NaN or infinite")
                    self.assertIn("ok", self.succeed("check", "out.onnx").out)
                    result = self.fail_with(3, "E0313", "compress", path, "-o", "other.onnx", "--preset", preset,
                                            "--strict")
                    self.assertIn("[3, 5]", result.err)

    def test_an_outlier_is_a_warning_that_names_its_channel(self):
        self.weights[3 * SIZE + 5] = 1e30
        path = self.write(product_model(self.weights))
        for preset in ("int8-weights", "int8-dynamic", "int4"):
            with self.subTest(preset):
                result = self.succeed("compress", path, "-o", "out.onnx", "--preset", preset, "-f", "--strict")
                self.assertRegex(result.err, r"warning\[W0101\]: .*output channel 5 holds 1e\+30")

    def test_a_quantized_model_is_left_and_refused_if_strict(self):
        for preset in ("int8-weights", "int8-dynamic", "int4"):
            with self.subTest(preset):
                self.succeed("compress", VIT, "-o", "once.onnx", "--preset", preset, "-f")
                result = self.succeed("compress", "once.onnx", "-o", "twice.onnx", "--preset", preset, "-f")
                self.assertIn("nothing is left to quantize", result.err)
                once, twice = ((self.folder / name).stat().st_size for name in ("once.onnx", "twice.onnx"))
                self.assertLessEqual(abs(twice - once), 64)
                self.fail_with(4, "E0404", "compress", "once.onnx", "-o", "other.onnx", "--preset", preset, "--strict")

    def test_lossless_twice_has_nothing_to_do(self):
        self.succeed("compress", VIT, "-o", "once.onnx", "--preset", "lossless")
        self.succeed("compress", "once.onnx", "-o", "twice.onnx", "--preset", "lossless", "--strict")

    def test_a_result_that_is_no_smaller_is_said_to_be(self):
        path = self.write(tiny_model())
        for preset in ("lossless", "int8-weights", "int4"):
            with self.subTest(preset):
                result = self.succeed("compress", path, "-o", "out.onnx", "--preset", preset, "-f")
                self.assertRegex(result.err, r"warning\[W0102\]: the result is not smaller")
        self.assertEqual(self.run_program("compress", path, "-o", "x.onnx", "--fail-if", "ratio < 1").code, 1)
        self.assertFalse((self.folder / "x.onnx").exists())

    def test_without_data_all_instruction_sets_write_the_same_bytes(self):
        for preset in ("fp16", "int8-weights", "int8-dynamic", "int4"):
            with self.subTest(preset):
                hashes = set()
                for name in ("baseline", "avx2", "avx512"):
                    self.succeed("compress", VIT, "-o", "out.onnx", "--preset", preset, "-f",
                                 "--instruction-set", name)
                    hashes.add(sha256(self.folder / "out.onnx"))
                self.assertEqual(len(hashes), 1)

    def test_the_document_names_the_instruction_set(self):
        document = self.succeed("compress", VIT, "-o", "out.onnx", "--json").document
        self.assertTrue(document["host"]["instruction_set"])


if __name__ == "__main__":
    harness.main()
