# SPDX-License-Identifier: Apache-2.0
"""A vocabulary that is cut to a corpus: the same logits for its sentences, a smaller table, a new vocab.txt that comes
with the model or not at all; and what can't be. The verb sensitivity."""
import json

import harness
from harness import MODELS, CliTest

SST2 = MODELS / "sst2-minilm-l3"
MODEL, VOCABULARY = SST2 / "model.onnx", SST2 / "vocab.txt"
SENTENCES = ["a fine film , with a warm heart .", "dull , lifeless and far too long", "what a waste of talent !"]


class Vocabulary(CliTest):
    def setUp(self):
        super().setUp()
        self.corpus = self.folder / "corpus.txt"
        self.corpus.write_text("\n".join(SENTENCES) + "\n", encoding="utf8")
        self.recipe = self.folder / "recipe.toml"
        self.write_recipe('corpus = "corpus.txt"')
        (self.folder / "small").mkdir()
        self.out = self.folder / "small" / "model.onnx"

    def write_recipe(self, options):
        self.recipe.write_text(f'schema = 1\n[[pass]]\nname = "prune_vocabulary"\n{options}\n', encoding="utf8")

    def compress(self, *words):
        return self.succeed("compress", MODEL, "-o", self.out, "--recipe", self.recipe, "--tokenizer", VOCABULARY, *words)

    def ids(self, vocabulary):
        source = self.folder / "text.jsonl"
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in SENTENCES), encoding="utf8")
        lines = self.succeed("tokenize", "--tokenizer", vocabulary, source).out.splitlines()
        return [json.loads(line)["ids"] for line in lines]

    def test_corpus_tokens_keep_their_names_under_other_ids(self):
        document = self.compress("--json").document
        before = VOCABULARY.read_text(encoding="utf8").splitlines()
        after = (self.folder / "small" / "vocab.txt").read_text(encoding="utf8").splitlines()
        self.assertLess(len(after), 0.25 * len(before))
        self.assertEqual(after, [token for token in before if token in set(after)])  # in the old order
        for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "!", "film"):
            self.assertIn(token, after)
        for old, new in zip(self.ids(VOCABULARY), self.ids(self.folder / "small" / "vocab.txt")):
            self.assertEqual([before[i] for i in old], [after[i] for i in new])
        table = document["passes"][-1]["units"][0]
        self.assertEqual(table["decision"], "change")
        self.assertLess(self.out.stat().st_size, MODEL.stat().st_size - 0.7 * table["bytes_before"])
        self.assertIn("ok", self.succeed("check", self.out).out)

    def test_without_single_characters_still_fewer_stay(self):
        self.compress()
        many = len((self.folder / "small" / "vocab.txt").read_text(encoding="utf8").splitlines())
        self.write_recipe('corpus = "corpus.txt"\ncharacters = false')
        self.compress("--force")
        few = len((self.folder / "small" / "vocab.txt").read_text(encoding="utf8").splitlines())
        self.assertLess(few, 0.2 * many)

    def test_a_linked_tokenizer_keeps_its_name_wherever_the_recipe_is(self):
        blob = self.folder / "blobs" / "0a1b2c"  # as Hugging Face caches files
        blob.parent.mkdir()
        blob.write_bytes(VOCABULARY.read_bytes())
        (self.folder / "vocab.txt").symlink_to(blob)
        elsewhere = self.folder / "recipes"
        elsewhere.mkdir()
        self.recipe = self.recipe.rename(elsewhere / "recipe.toml")
        self.write_recipe('corpus = "../corpus.txt"')
        self.succeed("compress", MODEL, "-o", self.out, "--recipe", self.recipe, "--tokenizer", self.folder / "vocab.txt")
        self.assertTrue((self.folder / "small" / "vocab.txt").is_file())

    def test_nothing_is_replaced_unasked(self):
        other = self.folder / "small" / "vocab.txt"
        other.write_text("mine\n", encoding="utf8")
        self.fail_with(5, "E0204", "compress", MODEL, "-o", self.out, "--recipe", self.recipe, "--tokenizer", VOCABULARY)
        self.assertEqual(other.read_text(encoding="utf8"), "mine\n")
        self.assertFalse(self.out.exists())

    def test_the_tokenizer_that_is_read_is_not_replaced(self):
        mine = self.folder / "small" / "vocab.txt"
        mine.write_bytes(VOCABULARY.read_bytes())
        self.fail_with(2, "E0005", "compress", MODEL, "-o", self.out, "--force", "--recipe", self.recipe,
                       "--tokenizer", mine)
        self.assertEqual(mine.read_bytes(), VOCABULARY.read_bytes())
        self.assertFalse(self.out.exists())

    def refuse(self, code, error, *words, tokenizer=VOCABULARY, model=MODEL):
        given = ("--tokenizer", tokenizer) if tokenizer else ()
        self.fail_with(code, error, "compress", model, "-o", self.out, "--recipe", self.recipe, *given, *words)
        self.assertFalse(self.out.exists())
        self.assertFalse((self.folder / "small" / "vocab.txt").exists())

    def test_what_can_not_be(self):
        self.refuse(2, "E0004", "--data", SST2 / "dev.tsv")  # data have the old ids
        self.write_recipe("")
        self.refuse(2, "E0006")
        self.write_recipe('corpus = "no_such.txt"')
        self.refuse(5, "E0201")
        self.write_recipe('corpus = "empty.txt"')
        (self.folder / "empty.txt").write_text("\n \n", encoding="utf8")
        self.refuse(3, "E0502")
        self.write_recipe('corpus = "corpus.txt"\ncharacters = 1')
        self.refuse(2, "E0004")

    def test_other_tokenizers(self):
        gpt = MODELS / "gpt-shakespeare"
        self.refuse(4, "E0403", tokenizer=gpt / "vocab.json", model=gpt / "model.onnx")
        short = self.folder / "vocab.txt"
        short.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", encoding="utf8")
        self.refuse(3, "E0505", tokenizer=short)


class Sensitivity(CliTest):
    def test_layers_and_units(self):
        vit = MODELS / "vit-digits"
        words = ("sensitivity", vit / "model.onnx", "--data", vit / "test.npz", "--samples", 16)
        units = self.succeed(*words, "--json").document["passes"][0]["units"]
        costs = {}
        for unit in units:
            if "norm" in unit["figures"]:
                continue
            costs.setdefault(unit["decision"], {})[unit["unit"]] = unit["figures"]["kl"]
            self.assertLess(unit["bytes_after"], unit["bytes_before"])
        self.assertEqual(set(costs), {"layer removed", "linear INT8", "linear INT4 g32"})
        self.assertEqual(set(costs["linear INT8"]), set(costs["linear INT4 g32"]))
        rough = sum(costs["linear INT4 g32"].values())
        self.assertLess(sum(costs["linear INT8"].values()), 0.1 * rough)
        self.assertGreater(min(costs["layer removed"].values()), rough / len(costs["linear INT8"]))
        table = self.succeed(*words).out
        self.assertIn("layer removed: KL", table)

    def parts(self, *words):
        return self.succeed("sensitivity", *words, "--json").document["passes"][0]["units"]

    def test_heads_and_neurons_have_four_scores(self):
        vit = MODELS / "vit-digits"
        words = (vit / "model.onnx", "--data", vit / "test.npz", "--samples", 16, "--kind", "heads,neurons")
        for unit in self.parts(*words):
            self.assertEqual(set(unit["figures"]), {"norm", "activation", "obs", "kl"})
            self.assertRegex(unit["decision"], r"^(head \d+|neurons \d+/16) removed$")
            self.assertLess(unit["bytes_after"], unit["bytes_before"])
        table = self.succeed("sensitivity", *words).out
        self.assertRegex(table, r"block +part +saves +norm +activation +OBS +KL")
        self.assertRegex(table, r"head 0 +[\d.]+ KB( +\S+){4}\n")

    def test_kinds_choose_and_norms_need_no_data(self):
        vit = MODELS / "vit-digits" / "model.onnx"
        words = (vit, "--kind", "heads", "--kind", "neurons")
        self.assertEqual(self.parts(vit), self.parts(*words))
        heads = self.parts(vit, "--kind", "heads")
        self.assertTrue(all(unit["decision"].startswith("head ") for unit in heads))
        self.assertTrue(all(set(unit["figures"]) == {"norm"} for unit in heads))

    def test_what_can_not_be(self):
        vit = MODELS / "vit-digits" / "model.onnx"
        self.fail_with(2, "E0001", "sensitivity")
        for kind in ("layers", "units", "heads,layers"):
            self.fail_with(2, "E0006", "sensitivity", vit, "--kind", kind)
        self.assertIn("heads", self.fail_with(2, "E0002", "sensitivity", vit, "--kind", "head").err)
        for kind in (",", "", "heads,", ",heads", "heads,,neurons"):
            result = self.fail_with(2, "E0002", "sensitivity", vit, "--kind", kind, "--threads", 1)
            self.assertIn("one of: layers, units, heads, neurons", result.err)
        self.fail_with(5, "E0201", "sensitivity", "no_such.onnx", "--data", "x.npz")
        self.fail_with(5, "E0201", "sensitivity", vit, "--data", "no_such.npz")


if __name__ == "__main__":
    harness.main()
