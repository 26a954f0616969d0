# SPDX-License-Identifier: Apache-2.0
"""Pruning to a share of the time or of the bytes: the table is measured, written, read and used."""
import harness
from harness import MODELS, CliTest

SST2 = MODELS / "sst2-minilm-l3"
MODEL = SST2 / "model.onnx"
QUICK = ("--threads", 1, "--latency-shape", "1x8")


class Latency(CliTest):
    def setUp(self):
        super().setUp()
        self.table = self.folder / "latency.tsv"

    def measure(self, *words):
        return self.succeed("sensitivity", MODEL, "--latency-table", self.table, *QUICK, *words)

    def rows(self):
        header, *rows = self.table.read_text(encoding="utf8").splitlines()
        self.assertEqual(header, "kind\tblock\tkept\tms")
        return [row.split("\t") for row in rows]

    def write(self, kind, times):
        """A table by hand: times[number of the block][how many are kept]; the whole model takes 10 ms."""
        units = self.succeed("sensitivity", MODEL, "--kind", kind, "--json").document["passes"][0]["units"]
        text = "kind\tblock\tkept\tms\nmodel\t1x8, by hand\t\t10\n"
        for block, row in zip(dict.fromkeys(unit["unit"] for unit in units), times, strict=True):
            text += "".join(f"{kind}\t{block}\t{kept}\t{ms}\n" for kept, ms in row.items())
        self.table.write_text(text, encoding="utf8")

    def recipe(self, name, *options):
        path = self.folder / "recipe.toml"
        lines = "\n".join(options)
        path.write_text(f'schema = 1\n[[pass]]\nname = "{name}"\n{lines}\n', encoding="utf8")
        return path

    def test_a_measured_table_is_used(self):
        document = self.measure("--kind", "heads", "--json").document
        rows = self.rows()
        self.assertEqual(rows[0][0], "model")
        self.assertTrue(rows[0][1].startswith("1x8, 1 thread,"), rows[0])
        self.assertEqual(len(document["passes"][1]["units"]), len(rows) - 1)
        self.assertEqual(document["output"]["bytes"], self.table.stat().st_size)
        self.fail_with(5, "E0204", "sensitivity", MODEL, "--latency-table", self.table, *QUICK)
        # Only heads of the second layer save anything.
        self.write("heads", [{1: 10}, {1: 9, 11: 9.1}, {1: 10}])
        recipe = self.recipe("prune_heads", "ratio = 0.09", 'budget = "latency"', 'latency_table = "latency.tsv"')
        for folder in "ab":
            (self.folder / folder).mkdir()
            words = ("compress", MODEL, "-o", self.folder / folder / "model.onnx", "--recipe", recipe, "--json")
            units = self.succeed(*words).document["passes"][-1]["units"]
            self.assertEqual([unit["decision"] for unit in units], ["keep", "change", "keep"], units)
            self.assertGreaterEqual(units[1]["figures"]["saved_ms"], 0.9)
        a, b = ((self.folder / folder / "model.onnx").read_bytes() for folder in "ab")
        self.assertEqual(a, b)

    def test_neurons_are_chosen_on_data_and_by_the_table(self):
        self.write("neurons", [{32: 10}, {32: 10}, {32: 6.9, 992: 7, 1024: 10}])
        recipe = self.recipe("prune_neurons", "ratio = 0.3", 'budget = "latency"', 'latency_table = "latency.tsv"')
        units = self.succeed("compress", MODEL, "-o", "x.onnx", "--recipe", recipe, "--data", SST2 / "dev.tsv",
                             "--samples", 16, "--json").document["passes"][-1]["units"]
        self.assertEqual([unit["decision"] for unit in units], ["keep", "keep", "change"], units)

    def test_a_share_of_the_size(self):
        recipe = self.recipe("prune_neurons", "ratio = 0.05", 'budget = "size"')
        record = self.succeed("compress", MODEL, "-o", "x.onnx", "--recipe", recipe, "--json").document["passes"][-1]
        gone = 1 - record["bytes_after"] / record["bytes_before"]
        self.assertGreaterEqual(gone, 0.05)
        self.assertLess(gone, 0.054)  # 32 neurons more
        self.assertLess((self.folder / "x.onnx").stat().st_size, 0.95 * MODEL.stat().st_size)

    def test_a_table_fits_the_shape_it_was_asked_for(self):
        vit = MODELS / "vit-digits" / "model.onnx"  # takes no tokens: its table says 2x0
        shape = ("--latency-shape", "2x128")
        self.succeed("sensitivity", vit, "--kind", "heads", "--latency-table", self.table, "--threads", 1, *shape)
        rows = self.rows()
        self.assertTrue(rows[0][1].startswith("2x0"), rows[0])
        lines = [f"{kind}\t{block}\t{kept}\t{1 if kind == 'model' else 0.9}\n" for kind, block, kept, _ in rows]
        self.table.write_text("kind\tblock\tkept\tms\n" + "".join(lines), encoding="utf8")
        options = ("ratio = 0.05", 'budget = "latency"', 'latency_table = "latency.tsv"')
        words = ("compress", vit, "-o", "x.onnx", "--recipe")
        self.succeed(*words, self.recipe("prune_heads", *options, 'latency_shape = "2x128"'))
        recipe = self.recipe("prune_heads", *options, 'latency_shape = "4x128"')
        self.assertIn("measured at 2x0", self.fail_with(2, "E0003", *words, recipe, "-f").err)

    def test_what_can_not_be(self):
        def refuse(code, error, *options, words):
            result = self.fail_with(code, error, "compress", MODEL, "-o", "x.onnx", "--recipe",
                                    self.recipe("prune_heads", *options))
            self.assertIn(words, result.err)

        refuse(2, "E0003", "ratio = 0.9", 'budget = "size"', words="give a smaller ratio")
        refuse(2, "E0004", 'budget = "time"', words="budget can't be")
        refuse(2, "E0003", 'latency_table = "latency.tsv"', words="budget")
        refuse(5, "E0201", 'budget = "latency"', 'latency_table = "no_such.tsv"', words="no_such.tsv")
        self.table.write_text("sentence\tlabel\nfine\t1\n", encoding="utf8")
        refuse(3, "E0501", 'budget = "latency"', 'latency_table = "latency.tsv"', words="columns")
        words = ("sensitivity", MODEL, "--latency-table")
        for shape in ("128", "1x0"):
            result = self.fail_with(2, "E0003", *words, "y.tsv", "--latency-shape", shape)
            self.assertIn("latency_shape", result.err)
        self.assertIn("empty", self.fail_with(2, "E0003", *words, "").err)
        self.fail_with(2, "E0001", "sensitivity", MODEL, "--latency-shape", "1x8")  # of no table


if __name__ == "__main__":
    harness.main()
