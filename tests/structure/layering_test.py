# SPDX-License-Identifier: Apache-2.0
"""Includes follow the table of layers in docs/architecture.md, and so do the CMake targets."""
import re
import unittest

from repository import files, read

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
# What a public header may include besides "onnxpress/…": the standard library has no slash and no .h.
STANDARD = re.compile(r"[a-z_0-9]+")
# Only these may see a library: {header prefix: layers}. `doctor` (api) names versions and tests oneDNN.
KEPT_APART = {
    "google/protobuf": {"io", "ir", "api"},
    "onnx/": {"io", "ir"},
    "oneapi/": {"exec", "api"},
    "dnnl": {"exec"},
    "sentencepiece": set(),  # exports an old protobuf's symbols, which clash with ours
    "toml++": {"pipeline"},
    "CLI/": set(),
}


def table():
    """{layer: layers it may use}, from the table in docs/architecture.md."""
    text = read("docs/architecture.md")
    rows = re.findall(r"^\| \d \| `(\w+)` \|[^|]*\| ([^|]*) \|$", text, re.M)
    layers = {}
    for name, uses in rows:
        if uses.strip() == "everything below":
            layers[name] = set(layers)
        else:
            layers[name] = set(re.findall(r"`(\w+)`", uses))
    return layers


class Layering(unittest.TestCase):
    def setUp(self):
        self.layers = table()
        self.assertGreater(len(self.layers), 10, "the table of layers was not found")

    def test_every_folder_is_a_layer(self):
        folders = {f.split("/")[1] for f in files("src/*/CMakeLists.txt")}
        self.assertEqual(folders - set(self.layers), set())

    def test_includes_point_down(self):
        wrong = []
        for name in files("src/*.h", "src/*.cpp"):
            layer = name.split("/")[1]
            for kind, header in INCLUDE.findall(read(name)):
                target = header.split("/")[0]
                if kind == '"' and target in self.layers:
                    if target != layer and target not in self.layers[layer]:
                        wrong.append(f"{name} includes {header}: {layer} may not see {target}")
                for prefix, allowed in KEPT_APART.items():
                    if header.startswith(prefix) and layer not in allowed:
                        wrong.append(f"{name} includes {header}, which is for {sorted(allowed)} only")
        self.assertEqual(wrong, [])

    def test_targets_point_down(self):
        wrong = []
        for name in files("src/*/CMakeLists.txt"):
            for layer, uses in re.findall(
                    r"onnxpress_layer\(\s*(\w+)[^)]*?\bUSES\b([\w\s]*?)(?=\b[A-Z_]{4,}\b|\))", read(name)):
                for used in uses.split():
                    if used not in self.layers[layer]:
                        wrong.append(f"{name}: {layer} may not use {used}")
        self.assertEqual(wrong, [])

    def test_public_headers_need_only_the_standard_library(self):
        wrong = []
        for name in files("include/onnxpress/*.h"):
            for kind, header in INCLUDE.findall(read(name)):
                if kind == '"' and not header.startswith("onnxpress/"):
                    wrong.append(f"{name} includes {header}")
                if kind == "<" and not STANDARD.fullmatch(header):
                    wrong.append(f"{name} includes {header}")
        self.assertEqual(wrong, [])

    def test_the_command_line_sees_public_headers_only(self):
        wrong = []
        for name in files("tools/onnxpress/*.h", "tools/onnxpress/*.cpp"):
            for kind, header in INCLUDE.findall(read(name)):
                if kind == '"' and header.split("/")[0] in self.layers:
                    wrong.append(f"{name} includes {header}")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
