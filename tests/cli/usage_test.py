# SPDX-License-Identifier: Apache-2.0
"""Mistakes on the command line: exit code 2, and what was probably meant."""
import os
import subprocess

import harness
from harness import MODELS, CliTest

VIT = MODELS / "vit-digits" / "model.onnx"


class Usage(CliTest):
    def test_no_verb(self):
        self.fail_with(2, "E0001")

    def test_unknown_verb_names_the_nearest(self):
        self.assertIn("compress", self.fail_with(2, "E0002", "compres").err)

    def test_unknown_flag_names_the_nearest(self):
        result = self.fail_with(2, "E0002", "compress", VIT, "--outptu", "x.onnx")
        self.assertIn("--output", result.err)
        self.assertIn("--preset", self.fail_with(2, "E0002", "compress", VIT, "-o", "x.onnx", "--prset=fp16").err)

    def test_unknown_preset_names_the_nearest(self):
        result = self.fail_with(2, "E0002", "compress", VIT, "-o", "x.onnx", "--preset", "int8-dynamc")
        self.assertIn("int8-dynamic", result.err)

    def test_unknown_pass_and_option(self):
        self.fail_with(2, "E0002", "passes", "quantize_weight")
        self.fail_with(2, "E0002", "compress", VIT, "-o", "x.onnx", "--set", "quantize_weight.bits=8")
        self.fail_with(2, "E0002", "compress", VIT, "-o", "x.onnx", "--set", "quantize_weights.bit=8")

    def test_glob_that_matches_nothing(self):
        self.fail_with(2, "E0002", "compress", VIT, "-o", "x.onnx", "--exclude", "no_such_unit*")

    def test_missing_arguments(self):
        self.fail_with(2, "E0001", "compress")
        self.fail_with(2, "E0001", "compress", VIT)
        self.fail_with(2, "E0001", "run", VIT)
        self.fail_with(2, "E0001", "inspect")
        self.fail_with(2, "E0001", "compress", VIT, "-o", "a.onnx", "b.onnx", "c.onnx")

    def test_values_out_of_range(self):
        for batch in ("0", "-1", "3.5", "nan", "1e99"):
            self.fail_with(2, "E0003", "compress", VIT, "-o", "x.onnx", f"--batch={batch}")
        self.fail_with(2, "E0003", "compress", VIT, "-o", "x.onnx", "--external", "maybe")
        self.fail_with(2, "E0003", "bench", VIT, "--instruction-set", "sse9")

    def test_preset_and_recipe_exclude_each_other(self):
        self.fail_with(2, "E0001", "compress", VIT, "-o", "x.onnx", "--preset", "fp16", "--recipe", "r.toml")

    def test_gates_are_read_before_any_work(self):
        self.fail_with(2, "E0002", "compress", "missing.onnx", "-o", "x.onnx", "--fail-if", "acuracy < 1")
        self.fail_with(2, "E0003", "compress", "missing.onnx", "-o", "x.onnx", "--fail-if", "size > much")
        self.fail_with(2, "E0006", "compress", "missing.onnx", "-o", "x.onnx", "--fail-if", "accuracy < 90%")

    def test_output_is_an_input(self):
        model = self.copy(VIT)
        self.fail_with(2, "E0005", "compress", model, "-o", model, "--force")
        self.fail_with(2, "E0005", "compress", model, "-o", "./" + model.name, "--force")
        os.link(model, self.folder / "hard.onnx")
        self.fail_with(2, "E0005", "compress", model, "-o", "hard.onnx", "--force")

    def test_recipe_errors_name_line_and_key(self):
        recipe = self.folder / "r.toml"
        recipe.write_text('schema = 1\n[[pass]]\nname = "quantize_weights"\nbitts = 8\n')
        result = self.fail_with(2, "E0004", "compress", VIT, "-o", "x.onnx", "--recipe", recipe)
        self.assertIn("r.toml:4", result.err)

    def test_paths_of_a_recipe_count_from_its_folder(self):
        folder = self.folder / "recipes"
        folder.mkdir()
        (folder / "dev.tsv").write_text("sentence\tlabel\ngood\t1\n")
        recipe = folder / "r.toml"
        text = 'schema = 1\n[data]\npath = "{}"\n[[pass]]\nname = "quantize_weights"\n'
        recipe.write_text(text.format("dev.tsv"))
        self.succeed("compress", MODELS / "sst2-minilm-l3", "-o", "x.onnx", "--recipe", recipe, "--no-eval")
        recipe.write_text(text.format("recipes/dev.tsv"))
        self.fail_with(5, "E0201", "compress", VIT, "-o", "y.onnx", "--recipe", recipe)

    def test_options_that_are_paths_count_from_the_recipe_or_from_here(self):
        folder = self.folder / "recipes"
        folder.mkdir()
        recipe = folder / "r.toml"
        words = ("compress", MODELS / "sst2-minilm-l3", "-o", "x.onnx", "--recipe", recipe)
        for option, others in (("prune_heads.latency_table", 'budget = "latency"'), ("prune_vocabulary.corpus", ""),
                               ("prune_vocabulary.tokenizer", 'corpus = "r.toml"')):
            with self.subTest(option):
                name, key = option.split(".")
                recipe.write_text(f'schema = 1\n[[pass]]\nname = "{name}"\n{key} = "no.txt"\n{others}\n')
                self.assertIn("recipes/no.txt", self.fail_with(5, "E0201", *words).err)
                flag = self.fail_with(5, "E0201", *words, "--set", f"{option}=no.txt").err
                self.assertIn("recipes/../no.txt", flag)

    def test_keep_opset_refuses_what_needs_a_newer_one(self):
        words = ("compress", MODELS / "gpt-shakespeare", "-o", "x.onnx", "--preset", "int4",
                 "--set", "quantize_weights.storage=qdq")
        self.fail_with(4, "E0403", *words, "--keep-opset")
        result = self.succeed(*words)
        self.assertIn("14 → 21", result.out + result.err)

    def test_report_never_replaces_something_else(self):
        vocabulary = self.folder / "vocab.json"
        vocabulary.write_text('{"a": 0}')
        self.fail_with(5, "E0204", "inspect", VIT, "--report", vocabulary)
        self.fail_with(2, "E0003", "inspect", VIT, "--report", "x.html")


class Help(CliTest):
    def test_help_version_and_schema_go_to_stdout(self):
        for arguments in (["--help"], ["--version"], ["--json-schema"], ["compress", "--help"], ["explain", "E0312"]):
            result = self.succeed(*arguments)
            self.assertTrue(result.out)
            self.assertEqual(result.err, "")
        self.assertIn("int8-dynamic", self.succeed("compress", "--help").out)
        self.assertLessEqual(len(self.succeed("--help").out.splitlines()), 25)

    def test_every_verb_is_in_the_help(self):
        text = self.succeed("--help").out
        for verb in "compress bench compare inspect check run tokenize passes doctor".split():
            self.assertIn(f"\n  {verb}", text)
            self.succeed(verb, "--help")

    def test_print_recipe_reads_back(self):
        recipe = self.succeed("compress", "--preset", "int8-dynamic", "--print-recipe").out
        (self.folder / "r.toml").write_text(recipe)
        again = self.succeed("compress", "--recipe", "r.toml", "--print-recipe").out
        self.assertEqual(again, recipe)

    def test_a_full_or_closed_standard_output(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([harness.PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 5)
        self.assertIn("error[E0206]", done.stderr)
        done = subprocess.run(f"{harness.PROGRAM} --help >&-", shell=True, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 5)

    def test_a_reader_that_goes_away_is_no_noise(self):
        done = subprocess.run(["bash", "-c", f"{harness.PROGRAM} --json-schema | head -c 1"], capture_output=True,
                              text=True)
        self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    harness.main()
