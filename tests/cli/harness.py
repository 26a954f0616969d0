# SPDX-License-Identifier: Apache-2.0
"""What the command line's tests share: running the program, and the invariants of every run.

Python's standard library only. Each *_test.py is run as: NAME_test.py --onnxpress BINARY
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
PROGRAM = None


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def document(self):
        return json.loads(self.out)


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="onnxpress-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_program(self, *arguments, limit_file_size=None, timeout=120, stdin=None, **keywords):
        def limit():
            if limit_file_size is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_size, limit_file_size))

        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              preexec_fn=limit if limit_file_size is not None else None, stdin=stdin,
                              cwd=self.folder, **keywords)
        return Result(done.returncode, done.stdout, done.stderr)

    def succeed(self, *arguments, **keywords):
        result = self.run_program(*arguments, **keywords)
        self.assertEqual(result.code, 0, f"{arguments}\n{result.out}\n{result.err}")
        return result

    def fail_with(self, code, error, *arguments, inputs=(), **keywords):
        """The run ends with the exit code, one line error[Exxxx] and one help: line, leaves nothing behind and
        every file as it was; with --json added the document says the same."""
        before = {path: sha256(path) for path in self.files()}
        for extra in ([], ["--json"]) if keywords.pop("json", True) else ([],):
            result = self.run_program(*arguments, *extra, **keywords)
            what = f"{arguments} {extra}\n{result.out}\n{result.err}"
            self.assertEqual(result.code, code, what)
            errors = re.findall(r"^error\[(E\d{4})\]: \S.*$", result.err, re.MULTILINE)
            self.assertEqual(errors, [error], what)
            self.assertEqual(len(re.findall(r"^help: \S.*$", result.err, re.MULTILINE)), 1, what)
            self.assertLessEqual(len(result.err.splitlines()), 20, what)
            if extra:
                self.assertEqual(result.document["error"]["code"], error, what)
                self.assertEqual(result.document["exit_code"], code, what)
            else:
                self.assertEqual(result.out, "", what)
            self.assertEqual({path: sha256(path) for path in self.files()}, before, what)
        return result

    def files(self):
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def copy(self, source, name=None):
        target = self.folder / (name or pathlib.Path(source).name)
        shutil.copyfile(source, target)
        return target


def main():
    global PROGRAM
    parser = argparse.ArgumentParser()
    parser.add_argument("--onnxpress", required=True)
    arguments, rest = parser.parse_known_args()
    PROGRAM = str(pathlib.Path(arguments.onnxpress).resolve())
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
