# SPDX-License-Identifier: Apache-2.0
"""Files that are missing, damaged, of another format or in the wrong place."""
import os
import pathlib
import shutil
import struct
import subprocess
import zipfile

import harness
from harness import MODELS, CliTest, sha256

VIT = MODELS / "vit-digits" / "model.onnx"


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def tiny_model(raw=None, external=None):
    """y = x + w with w float[4]; `raw` its bytes, or `external` the place of its data."""
    tensor = field(1, 4) + field(2, 1) + field(8, "w")
    if external is not None:
        tensor += field(13, field(1, "location") + field(2, external)) + field(14, 1)
    else:
        tensor += field(9, struct.pack("<4f", 1, 2, 3, 4) if raw is None else raw)
    shape = field(1, field(1, 1) + field(2, field(1, field(1, 4))))
    node = field(1, "x") + field(1, "w") + field(2, "y") + field(4, "Add")
    graph = field(1, node) + field(2, "g") + field(5, tensor)
    graph += field(11, field(1, "x") + field(2, shape)) + field(12, field(1, "y") + field(2, shape))
    return field(1, 8) + field(8, field(2, 17)) + field(7, graph)


class BadModels(CliTest):
    def write(self, data, name="model.onnx"):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def compress(self, code, error, path, **keywords):
        return self.fail_with(code, error, "compress", path, "-o", "out.onnx", **keywords)

    def test_the_tiny_model_is_good(self):
        self.succeed("compress", self.write(tiny_model()), "-o", "out.onnx")
        self.assertTrue((self.folder / "out.onnx").exists())

    def test_missing(self):
        self.compress(5, "E0201", "missing.onnx")

    def test_directory_without_a_model(self):
        (self.folder / "empty").mkdir()
        self.compress(5, "E0201", "empty")

    def test_special_files(self):
        os.mkfifo(self.folder / "pipe.onnx")
        self.compress(5, "E0202", "pipe.onnx", timeout=10)
        self.compress(5, "E0202", "/dev/zero", timeout=10)

    def test_empty(self):
        self.compress(3, "E0301", self.write(b""))

    def test_other_formats(self):
        archive = self.folder / "model.pt"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        for name, data in {
                "text": b"This is not a model.\n",
                "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n",
                "html": b"<!DOCTYPE html><html><body>404</body></html>",
                "gguf": b"GGUF" + bytes(64),
                "pytorch": archive.read_bytes(),
        }.items():
            with self.subTest(name):
                self.compress(3, "E0302", self.write(data))
        self.write(b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n")
        self.assertIn("LFS", self.compress(3, "E0302", "model.onnx").err)

    def test_truncated_anywhere(self):
        data = VIT.read_bytes()
        for i in range(50):
            end = 1 + (len(data) - 2) * i // 49
            with self.subTest(end=end):
                path = self.write(data[:end])
                result = self.run_program("compress", path, "-o", "out.onnx", "-q")
                self.assertEqual(result.code, 3, result.err)
                self.assertEqual(result.err.count("error[E"), 1)
                self.assertEqual(result.err.count("help: "), 1)
                self.assertEqual([p.name for p in self.files()], ["model.onnx"])

    def test_tensor_a_byte_short_or_long(self):
        weights = struct.pack("<4f", 1, 2, 3, 4)
        self.compress(3, "E0312", self.write(tiny_model(raw=weights[:-1])))
        self.compress(3, "E0312", self.write(tiny_model(raw=weights + b"\0")))

    def test_external_data_outside_the_folder(self):
        inner = self.folder / "inner"
        inner.mkdir()
        (self.folder / "secret.bin").write_bytes(bytes(16))
        for location in ("../secret.bin", "x/../../secret.bin", str(self.folder / "secret.bin")):
            with self.subTest(location):
                path = self.write(tiny_model(external=location), "inner/model.onnx")
                self.compress(3, "E0314", path)

    def test_links_to_external_data_are_followed_on_request(self):
        (self.folder / "elsewhere.bin").write_bytes(struct.pack("<4f", 1, 2, 3, 4))
        (self.folder / "inner").mkdir()
        os.symlink("../elsewhere.bin", self.folder / "inner" / "w.bin")
        path = self.write(tiny_model(external="w.bin"), "inner/model.onnx")
        self.compress(3, "E0314", path)
        self.succeed("compress", path, "-o", "out.onnx", "--allow-links")

    def test_unreadable_file(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        path = self.write(tiny_model())
        path.chmod(0)
        self.fail_with(5, "E0203", "inspect", path)


class BadOutputs(CliTest):
    def test_existing_output_is_kept(self):
        (self.folder / "out.onnx").write_text("mine")
        self.fail_with(5, "E0204", "compress", VIT, "-o", "out.onnx")
        self.assertEqual((self.folder / "out.onnx").read_text(), "mine")
        self.succeed("compress", VIT, "-o", "out.onnx", "--force")

    def test_folder_of_the_output_is_missing(self):
        self.fail_with(5, "E0201", "compress", VIT, "-o", "no/such/out.onnx")

    def test_output_is_a_folder(self):
        (self.folder / "out").mkdir()
        self.fail_with(5, "E0202", "compress", VIT, "-o", "out", "--force")

    def test_file_size_limit(self):
        self.fail_with(5, "E0206", "compress", VIT, "-o", "out.onnx", limit_file_size=100_000, json=False)

    def test_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small disk")
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("can't mount here")
        try:
            self.fail_with(5, "E0206", "compress", VIT, "-o", "disk/out.onnx")
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_run_does_not_replace_its_output(self):
        (self.folder / "y.npz").write_text("mine")
        self.fail_with(5, "E0204", "run", VIT, "--data", MODELS / "vit-digits" / "test.npz", "-o", "y.npz")


if __name__ == "__main__":
    harness.main()
