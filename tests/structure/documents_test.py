# SPDX-License-Identifier: Apache-2.0
"""Links in the documents lead somewhere, and what is generated from the program is up to date.

usage: documents_test.py --onnxpress BINARY
"""
import pathlib
import re
import subprocess
import sys
import unittest

from repository import ROOT, files, read

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BINARY = None


def anchors(text):
    """The anchors GitHub makes of a document's headings."""
    made = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        made.add(plain.replace(" ", "-"))
    return made


class Documents(unittest.TestCase):
    def test_links_resolve(self):
        wrong = []
        for name in files("*.md"):
            text = re.sub(r"^```.*?^```", "", read(name), flags=re.M | re.S)
            for link in LINK.findall(text):
                if link.startswith(("http://", "https://", "mailto:")):
                    continue
                path, _, anchor = link.partition("#")
                target = (ROOT / name).parent / path if path else ROOT / name
                if not target.exists():
                    wrong.append(f"{name}: {link} does not exist")
                elif anchor and anchor not in anchors(target.read_text(encoding="utf8")):
                    wrong.append(f"{name}: {link} names no heading")
        self.assertEqual(wrong, [])

    def test_code_spans_that_look_like_paths_exist(self):
        path = re.compile(r"`((?:src|tools|tests|docs|models|benchmarks|cmake|include)/[\w./-]{2,})`")
        wrong = [f"{name}: {found}" for name in files("*.md") for found in path.findall(read(name))
                 if not (ROOT / found).exists()]
        self.assertEqual(wrong, [])

    def test_generated_documents_are_up_to_date(self):
        run = subprocess.run([sys.executable, ROOT / "tools/generate_docs", "--check",
                              "--onnxpress", BINARY], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    at = sys.argv.index("--onnxpress")
    BINARY = pathlib.Path(sys.argv[at + 1])
    del sys.argv[at:at + 2]
    unittest.main()
