"""Compares register tables (one JSON object a line on standard input) with pysunspec2's definitions.

Prints a line for every difference, and then how many models and points were compared.
"""

import json
import sys

from sunspec2.device import get_model_def

KINDS = {
    "Int16": "int16",
    "Uint16": "uint16",
    "Int32": "int32",
    "Uint32": "uint32",
    "Uint64": "uint64",
    "Acc32": "acc32",
    "Enum16": "enum16",
    "Bits16": "bitfield16",
    "Bits32": "bitfield32",
    "Scale": "sunssf",
    "Pad": "pad",
}


def flat(group, prefix, at, found):
    for point in group.get("points", []):
        found[at] = (prefix + point["name"], point)
        at += point["size"]
    for inner in group.get("groups", []):
        at = flat(inner, prefix + inner["name"] + ".", at, found)
    return at


points = 0
models = 0
for line in sys.stdin:
    table = json.loads(line)
    found = {}
    end = flat(get_model_def(table["id"])["group"], "", 0, found)
    models += 1
    if end - 2 != table["length"]:
        print(f"model {table['id']}: {table['length']} registers, the definition has {end - 2}")
    if len(found) - 2 != len(table["points"]):
        print(f"model {table['id']}: {len(table['points'])} points, the definition has {len(found) - 2}")
    for at, name, kind, scale, unit, set_ in table["points"]:
        points += 1
        their_name, their = found[at]
        kind = f"string {their['size']}" if kind.startswith("Text") and their["type"] == "string" else KINDS[kind]
        theirs = (
            their_name,
            f"string {their['size']}" if their["type"] == "string" else their["type"],
            str(their.get("sf") or "").strip(),
            their.get("units") or "",
            their.get("access", "R") == "RW",
        )
        if (name, kind, scale, unit, set_) != theirs:
            print(f"model {table['id']} at {at}: {(name, kind, scale, unit, set_)} is {theirs}")
print(f"compared {models} models, {points} points")
