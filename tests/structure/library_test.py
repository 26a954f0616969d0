# SPDX-License-Identifier: Apache-2.0
"""The library never prints, ends the process or reads the environment: none of its objects asks the
linker for a function that would.

usage: library_test.py --build BUILD_DIRECTORY
"""
import pathlib
import subprocess
import sys
import unittest

FORBIDDEN = {
    "printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "putchar", "perror",
    "__printf_chk", "__fprintf_chk", "__vfprintf_chk",
    "abort", "exit", "_exit", "quick_exit", "system", "popen",
    "getenv", "secure_getenv", "setenv", "putenv",
    "std::cout", "std::cerr", "std::clog", "stdout", "stderr",
}
BUILD = None


class Library(unittest.TestCase):
    def test_no_object_prints_exits_or_reads_the_environment(self):
        archives = sorted((BUILD / "src").glob("*/libonnxpress_*.a"))
        self.assertGreater(len(archives), 5, f"no libraries in {BUILD}/src")
        wrong = []
        for archive in archives:
            listing = subprocess.run(["nm", "-A", "-C", "--undefined-only", archive],
                                     capture_output=True, text=True, check=True).stdout
            for line in listing.split("\n"):
                where, _, symbol = line.partition(" U ")
                symbol = symbol.strip().split("@")[0]
                if symbol in FORBIDDEN:
                    wrong.append(f"{':'.join(where.split(':')[:2])} uses {symbol}".split("/")[-1])
        self.assertEqual(sorted(set(wrong)), [])


if __name__ == "__main__":
    at = sys.argv.index("--build")
    BUILD = pathlib.Path(sys.argv[at + 1])
    del sys.argv[at:at + 2]
    unittest.main()
