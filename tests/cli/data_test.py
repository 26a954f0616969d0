# SPDX-License-Identifier: Apache-2.0
"""Data and tokenizers that do not fit, and the ones that do."""
import json

import harness
from harness import MODELS, CliTest

SST2 = MODELS / "sst2-minilm-l3"
GPT = MODELS / "gpt-shakespeare"


class BadData(CliTest):
    def compare(self, code, error, *arguments):
        return self.fail_with(code, error, "compare", SST2, SST2, *arguments)

    def data(self, text, name="dev.tsv"):
        path = self.folder / name
        path.write_text(text)
        return path

    def test_missing_and_empty(self):
        self.compare(5, "E0201", "--data", "missing.tsv")
        self.compare(3, "E0502", "--data", self.data(""))
        self.compare(3, "E0502", "--data", self.data("sentence\tlabel\n"))

    def test_labels_out_of_range(self):
        self.compare(3, "E0503", "--data", self.data("sentence\tlabel\ngood\t1\nbad\t2\n"))
        self.compare(3, "E0503", "--data", self.data("sentence\tlabel\ngood\t1\nbad\t-1\n"))
        self.compare(3, "E0503", "--data", self.data("sentence\tlabel\ngood\tfine\n"))

    def test_wrong_tokenizer(self):
        vocabulary = self.data("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] +
                                         [f"word{i}" for i in range(9000)]), "vocab.txt")
        data = self.data("sentence\tlabel\nword8999 word8000\t1\n")
        self.compare(3, "E0505", "--data", data, "--tokenizer", vocabulary)
        self.compare(3, "E0504", "--data", data, "--tokenizer", self.data("{", "tokenizer.json"))

    def test_text_without_a_tokenizer(self):
        model = self.copy(SST2 / "model.onnx")
        data = self.data("sentence\tlabel\ngood\t1\n")
        self.fail_with(2, "E0006", "compare", model, model, "--data", data)

    def test_unknown_columns(self):
        data = self.data("sentence\tlabel\ngood\t1\n")
        result = self.compare(3, "E0501", "--data", data, "--label", "lable")
        self.assertIn("label", result.err)

    def test_gate_on_labels_that_are_not_there(self):
        data = self.data("a line\n", "dev.txt")
        self.compare(2, "E0006", "--data", data, "--fail-if", "accuracy_drop > 1%")

    def test_arrays_without_the_models_inputs(self):
        digits = MODELS / "vit-digits"
        self.fail_with(3, "E0506", "run", SST2, "--data", digits / "test.npz", "-o", "y.npz")


class Tokenize(CliTest):
    def test_one_line_of_json_a_line(self):
        text = self.folder / "t.txt"
        text.write_text("a fine film\n\nbad\r\n")
        result = self.succeed("tokenize", "--tokenizer", SST2 / "vocab.txt", text)
        lines = [json.loads(line)["ids"] for line in result.out.splitlines()]
        self.assertEqual(len(lines), 3)
        self.assertEqual(len(lines[1]), 2)  # [CLS] [SEP]
        vocabulary = (SST2 / "vocab.txt").read_text().splitlines()
        self.assertEqual([vocabulary[i] for i in lines[2]], ["[CLS]", "bad", "[SEP]"])

    def test_json_lines_and_characters(self):
        text = self.folder / "t.jsonl"
        text.write_text('{"text": "To be"}\n')
        result = self.succeed("tokenize", "--tokenizer", GPT / "vocab.json", text)
        self.assertEqual(len(json.loads(result.out)["ids"]), 5)
        text.write_text('{"txt": "To be"}\n')
        self.fail_with(3, "E0501", "tokenize", "--tokenizer", GPT / "vocab.json", text, json=False)


if __name__ == "__main__":
    harness.main()
