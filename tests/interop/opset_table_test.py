# SPDX-License-Identifier: Apache-2.0
"""src/passes/opset/history.cpp has every version of every operator from opset 10 to 21, and calls only those
compatible whose inputs, outputs and attributes ONNX's own definitions leave as they were or add to."""
import re

from harness import ROOT, Checks, arguments
from onnx import defs

OLDEST, NEWEST = 9, 21
# Attributes that lost nothing but "required".
LOOSER = {("Constant", 11)}
# Opset 17's LayerNormalization is the first.
FIRST = {("LayerNormalization", 17)}


def definitions():
    """{operator: [its versions, oldest first]}"""
    found = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= NEWEST:
            found.setdefault(schema.name, []).append(schema)
    return {name: sorted(all_, key=lambda s: s.since_version) for name, all_ in found.items()}


def tables():
    """{operator: {version: reason or rule}}, {operator: version it came with}, as the source has them."""
    text = (ROOT / "src/passes/opset/history.cpp").read_text(encoding="utf8")
    histories = {}
    for name, rows in re.findall(r'\{"(\w+)",\s*\{((?:\s*\{\d+, \w+\},?)+)\}\}', text):
        histories[name] = {int(v): why for v, why in re.findall(r"\{(\d+), (\w+)\}", rows)}
    introduced = text[text.index("kIntroduced[]"):]
    return histories, {n: int(v) for n, v in re.findall(r'\{"(\w+)", (\d+)\}', introduced)}


def attributes(schema):
    return {name: (str(a.type), a.required, str(a.default_value)) for name, a in schema.attributes.items()}


def parameters(formal):
    return [str(p.option).rsplit(".", 1)[-1] for p in formal]


def grew_only(old, new):
    """Whether a node of the old version means the same in the new one, as far as its form says."""
    before, after = attributes(old), attributes(new)
    if (new.name, new.since_version) not in LOOSER:
        if any(after.get(name) != value for name, value in before.items()):
            return False
    if any(required for name, (_, required, _) in after.items() if name not in before):
        return False
    for was, is_now in ((old.inputs, new.inputs), (old.outputs, new.outputs)):
        was, is_now = parameters(was), parameters(is_now)
        if len(is_now) < len(was) or any(p != "Optional" for p in is_now[len(was):]):
            return False
        if any(a != b and (a, b) != ("Single", "Optional") for a, b in zip(was, is_now)):
            return False
    return True


def main():
    arguments()
    checks = Checks()
    histories, introduced = tables()
    known = definitions()
    wanted = {}
    compatible = 0
    for name, versions in known.items():
        for old, new in zip(versions, versions[1:]):
            if new.since_version <= OLDEST:
                continue
            wanted.setdefault(name, set()).add(new.since_version)
            why = histories.get(name, {}).get(new.since_version, "")
            if why.startswith("k"):
                compatible += 1
                if not grew_only(old, new):
                    checks.that(False, f"{name} {new.since_version} is not compatible with {old.since_version}")
    ours = {name: {v for v in rows if (name, v) not in FIRST} for name, rows in histories.items()}
    ours = {name: rows for name, rows in ours.items() if rows}
    checks.that(ours == wanted, f"{sum(map(len, wanted.values()))} versions of {len(wanted)} operators; not the "
                f"same: {sorted(n for n in set(ours) | set(wanted) if ours.get(n) != wanted.get(n))}")
    checks.that(compatible > 100, f"{compatible} of them only add something")
    came = {name: versions[0].since_version for name, versions in known.items()
            if versions[0].since_version > OLDEST and (name, versions[0].since_version) not in FIRST}
    checks.that(introduced == came, f"{len(came)} operators came after opset {OLDEST}")
    checks.finish()


if __name__ == "__main__":
    main()
