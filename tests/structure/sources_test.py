# SPDX-License-Identifier: Apache-2.0
"""Every source is built, every test runs, files carry their licence and stay short."""
import re
import unittest

from repository import files, read

# Files over 400 lines, each with the reason that review accepted.
LONG_FILES = {}  # path: reason


class Sources(unittest.TestCase):
    def listed(self, pattern):
        """The .cpp files that the CMake lists matching `pattern` name, as paths."""
        found = set()
        for name in files(pattern):
            folder = name.rsplit("/", 1)[0]
            text = re.sub(r"#.*", "", read(name)).replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
            found |= {f"{folder}/{source}" for source in re.findall(r"[\w./-]+\.cpp\b", text)}
        return found

    def test_every_source_is_in_a_cmake_list(self):
        for pattern in ("src", "tests", "tools", "benchmarks"):
            with self.subTest(pattern):
                sources = set(files(f"{pattern}/*.cpp"))
                # tests/install/consumer is a project of its own.
                missing = sources - self.listed(f"{pattern}/*CMakeLists.txt")
                self.assertEqual(sorted(missing), [])

    def test_every_python_test_is_in_a_cmake_list(self):
        lists = "\n".join(read(name) for name in files("tests/*CMakeLists.txt"))
        named = set(re.findall(r"\w+", lists))
        missing = [f for f in files("tests/*_test.py")
                   if not named & {f.rsplit("/", 1)[1][:-3], f.rsplit("/", 1)[1][:-len("_test.py")]}]
        self.assertEqual(missing, [])

    def test_licence_tag_comes_first(self):
        wrong = []
        for name in files("*.h", "*.cpp", "*.py", "*CMakeLists.txt", "*.cmake", "tools/*", ".ci/run"):
            if name.startswith("tests/") and "/data/" in name:
                continue
            lines = read(name).split("\n")
            first = lines[1] if lines[0].startswith("#!") else lines[0]
            if "SPDX-License-Identifier: Apache-2.0" not in first:
                wrong.append(name)
        self.assertEqual(wrong, [])

    def test_headers_are_guarded(self):
        self.assertEqual([f for f in files("*.h") if "#pragma once" not in read(f)], [])

    def test_long_files_have_a_reason(self):
        long = {f for f in files("*.h", "*.cpp", "*.py") if read(f).count("\n") > 400}
        self.assertEqual(sorted(long - set(LONG_FILES)), [], "split them, or give a reason in LONG_FILES")
        self.assertEqual(sorted(set(LONG_FILES) - long), [], "no longer long: take them off the list")

    def test_no_vague_names(self):
        vague = re.compile(r"(^|[/_])(utils?|helpers?|managers?|misc|common)([_.]|$)")
        self.assertEqual([f for f in files("src/*", "include/*", "tools/*") if vague.search(f)], [])

    def test_no_unfinished_business(self):
        marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
        here = "tests/structure/sources_test.py"
        wrong = [f for f in files("*.h", "*.cpp", "*.py", "*.cmake", "*CMakeLists.txt")
                 if f != here and marks.search(read(f))]
        self.assertEqual(wrong, [])

    def test_tests_mirror_sources(self):
        """tests/LAYER/x_test.cpp has a src/LAYER/**/x.{h,cpp}, or the layer's folder as its subject."""
        layers = {f.split("/")[1] for f in files("src/*/CMakeLists.txt")}
        folders = {f.split("/")[1] for f in files("tests/*_test.cpp")}
        apart = {"api", "cli", "conformance", "interop", "robustness", "support", "install"}
        self.assertEqual(folders - layers - apart, set())


if __name__ == "__main__":
    unittest.main()
