# SPDX-License-Identifier: Apache-2.0
"""Documents of every verb follow the JSON Schema that the program prints, and hold nothing it does not describe."""
import json
import re

import harness
from harness import MODELS, CliTest

VIT = MODELS / "vit-digits"
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_type(value, name):
    if name in ("integer", "number"):
        return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def violations(value, schema, root, where="$"):
    """The part of JSON Schema that the run document's schema uses; unknown keys of objects count, too."""
    if "$ref" in schema:
        return violations(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, where)
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_type(value, name) for name in types):
        return found + [f"{where}: {value!r} is no {types}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{where}: {value} is too small")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where}: {len(value)} items")
        for i, item in enumerate(value):
            found += violations(item, schema["items"], root, f"{where}[{i}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{where}: no {key}" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            if key in properties:
                found += violations(item, properties[key], root, f"{where}.{key}")
            elif isinstance(schema.get("additionalProperties"), dict):
                found += violations(item, schema["additionalProperties"], root, f"{where}.{key}")
            else:
                found.append(f"{where}: {key} is not described")
    return found


class Schema(CliTest):
    def check(self, *arguments, code=0):
        result = self.run_program(*arguments, "--json")
        self.assertEqual(result.code, code, result.err)
        schema = json.loads(self.succeed("--json-schema").out)
        self.assertEqual(violations(result.document, schema, schema), [])

    def test_the_validator_can_fail(self):
        schema = json.loads(self.succeed("--json-schema").out)
        self.assertTrue(violations({"schema": "x"}, schema, schema))

    def test_documents(self):
        self.check("compress", VIT, "-o", "small.onnx", "--preset", "int8-dynamic", "--data", VIT / "test.npz",
                   "--fail-if", "ratio < 2")
        self.check("compress", VIT, "-o", "other.onnx", "--fail-if", "ratio < 100", code=1)
        self.check("compress", VIT, "--dry-run")
        self.check("compare", VIT, "small.onnx", "--latency")
        self.check("compare", VIT, VIT, "--data", VIT / "test.npz")  # an infinite SQNR
        self.check("bench", VIT, "small.onnx", "--seconds", "0.05", "--data", VIT / "test.npz")
        self.check("inspect", VIT, "small.onnx", "--explain")
        self.check("check", VIT, "--target", "ort-cpu")
        self.check("calibrate", VIT, "--data", VIT / "calibration.npz", "-o", "vit.calib")
        self.check("passes")
        self.check("doctor")
        self.check("inspect", "missing.onnx", code=5)
        self.check("compres", code=2)


if __name__ == "__main__":
    harness.main()
