#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the schema still speak with what was released? PROTOCOL.md section 10 has the rules.

usage: breaking_check.py               compare channel/proto/qnode.proto with the baseline
       breaking_check.py --accept      take the schema of now as the baseline; from release 1.0 on
                                       only if it breaks nothing
       breaking_check.py --self-test   break a copy of the schema in every way and see each found

The baseline, qnode-v1.binpb beside this file, is what `protoc --descriptor_set_out` makes of the
schema, so that other tools can compare with it, too. This one needs protoc and nothing else.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "qnode-v1.binpb"
ROOT = HERE.parent.parent
PROTO = ROOT / "channel" / "proto" / "qnode.proto"

# Numbers set aside for fields that are planned: taking one of them is an addition. Every other
# reserved number was a field once, and stays reserved for ever.
PLANNED = {"qnode.v1.Message": range(6, 10)}

TYPES = ("? double float int64 uint64 int32 fixed64 fixed32 bool string group message bytes uint32 "
         "enum sfixed32 sfixed64 sint32 sint64").split()
LABELS = ("?", "optional", "required", "repeated")


# ---- a FileDescriptorSet, read with what descriptor.proto says of its numbers ----

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """Yields (number, value): value is an int, or the bytes of a block."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[key & 7]
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def texts(data, number):
    return [value.decode() for found, value in fields(data) if found == number]


def last(data, number, otherwise):
    found = [value for key, value in fields(data) if key == number]
    return found[-1] if found else otherwise


class Reserved:
    def __init__(self, data, numbers_field, names_field, is_end_in):
        self.numbers, self.names = set(), set(texts(data, names_field))
        for number, value in fields(data):
            if number == numbers_field:
                first, end = last(value, 1, 0), last(value, 2, 0)
                # "reserved 100 to max" is half a thousand million numbers
                self.numbers |= set(range(first, min(end + is_end_in, first + 100000)))


class Message:
    def __init__(self, data):
        oneofs = [texts(value, 1)[0] for number, value in fields(data) if number == 8]
        self.fields = {}
        for number, value in fields(data):
            if number == 2:
                oneof = last(value, 9, None)
                kind = TYPES[last(value, 5, 0)]
                self.fields[last(value, 3, 0)] = {
                    "name": texts(value, 1)[0],
                    "type": " ".join([kind] + texts(value, 6)),
                    "label": LABELS[last(value, 4, 0)],
                    "oneof": "none" if oneof is None else oneofs[oneof],
                }
        self.reserved = Reserved(data, 9, 10, 0)


class Enum:
    def __init__(self, data):
        self.values = {}
        for number, value in fields(data):
            if number == 2:
                self.values[last(value, 2, 0)] = texts(value, 1)[0]
        self.reserved = Reserved(data, 4, 5, 1)


class Schema:
    def __init__(self, image):
        files = [value for number, value in fields(image) if number == 1]
        self.messages, self.enums = {}, {}
        self.package = ", ".join(sorted({"".join(texts(file, 2)) for file in files}))
        self.syntax = ", ".join(sorted({"".join(texts(file, 12)) or "proto2" for file in files}))
        for file in files:
            self.take(file, "".join(texts(file, 2)), 4, 5)

    def take(self, data, scope, messages_field, enums_field):
        for number, value in fields(data):
            if number == messages_field:
                name = f"{scope}.{texts(value, 1)[0]}"
                self.messages[name] = Message(value)
                self.take(value, name, 3, 4)
            elif number == enums_field:
                self.enums[f"{scope}.{texts(value, 1)[0]}"] = Enum(value)


def image_of(proto):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "image"
        subprocess.run(["protoc", f"--proto_path={proto.parent}", f"--descriptor_set_out={out}",
                        proto.name], check=True)
        return out.read_bytes()


# ---- the rules ----

def compare_reserved(place, old, new, planned):
    kept = {number for number in old.numbers if number not in planned}
    for number in sorted(kept - new.reserved.numbers):
        yield f"{place}: number {number} was reserved: it must stay so"
    for name in sorted(old.names - new.reserved.names):
        yield f'{place}: name "{name}" was reserved: it must stay so'


def check_removed(place, number, name, new):
    if number not in new.reserved.numbers:
        yield f"{place}: {name} = {number} was removed: reserve {number}"
    if name not in new.reserved.names:
        yield f'{place}: {name} = {number} was removed: reserve "{name}"'


def compare_message(place, old, new):
    numbers = {field["name"]: number for number, field in new.fields.items()}
    for number, was in sorted(old.fields.items()):
        now = new.fields.get(number)
        if was["name"] in numbers and numbers[was["name"]] != number:
            yield f"{place}.{was['name']}: number {number} became {numbers[was['name']]}"
        elif now is None:
            yield from check_removed(place, number, was["name"], new)
        for what in ("name", "type", "label", "oneof") if now is not None else ():
            if was[what] != now[what]:
                yield f"{place}.{was['name']} = {number}: {what} {was[what]} became {now[what]}"
    yield from compare_reserved(place, old.reserved, new, PLANNED.get(place, ()))


def compare_enum(place, old, new):
    numbers = {name: number for number, name in new.values.items()}
    for number, name in sorted(old.values.items()):
        if name in numbers and numbers[name] != number:
            yield f"{place}.{name}: number {number} became {numbers[name]}"
        elif number not in new.values:
            yield from check_removed(place, number, name, new)
        elif new.values[number] != name:
            yield f"{place}.{name} = {number}: name {name} became {new.values[number]}"
    yield from compare_reserved(place, old.reserved, new, ())


def breaks(old, new):
    if old.package != new.package:
        # every name would differ, too
        return [f"package {old.package} became {new.package}"]
    found = []
    if old.syntax != new.syntax:
        found.append(f"syntax {old.syntax} became {new.syntax}")
    for kind, olds, news, compare in (("message", old.messages, new.messages, compare_message),
                                      ("enum", old.enums, new.enums, compare_enum)):
        for name, was in sorted(olds.items()):
            if name not in news:
                found.append(f"{kind} {name} was removed")
            else:
                found += compare(name, was, news[name])
    return found


def additions(old, new):
    for name, now in sorted(new.messages.items()):
        was = old.messages[name].fields if name in old.messages else {}
        for number in sorted(now.fields.keys() - was.keys()):
            yield f"{name}.{now.fields[number]['name']} = {number}"
    for name, now in sorted(new.enums.items()):
        was = old.enums[name].values if name in old.enums else {}
        for number in sorted(now.values.keys() - was.keys()):
            yield f"{name}.{now.values[number]} = {number}"


def check():
    old, new = Schema(BASELINE.read_bytes()), Schema(image_of(PROTO))
    found = breaks(old, new)
    for text in found:
        print(f"BREAKS: {text}")
    for text in additions(old, new):
        print(f"added since the baseline: {text}")
    values = sum(len(message.fields) for message in new.messages.values())
    values += sum(len(enum.values) for enum in new.enums.values())
    print(f"{values} fields and enum values in {len(new.messages)} messages and {len(new.enums)} "
          f"enums: {len(found)} findings")
    return 1 if found else 0


def is_frozen():
    version = re.search(r"project\(qnode VERSION (\d+)", (ROOT / "CMakeLists.txt").read_text())
    return int(version.group(1)) >= 1


def accept():
    image = image_of(PROTO)
    found = breaks(Schema(BASELINE.read_bytes()), Schema(image)) if BASELINE.exists() else []
    for text in found:
        print(f"BREAKS: {text}")
    if found and is_frozen():
        print("not accepted: numbers are frozen since release 1.0")
        return 1
    BASELINE.write_bytes(image)
    print(f"{BASELINE.name}: {len(image)} bytes")
    return 0


# ---- does it find what it should? ----

WHOLE, COPY_STATUS = "", "message CopyStatus {"

# (what, from where on, pattern, replacement, the finding; None: it must pass)
CHANGES = [
    ("no change", WHOLE, r"\A", "", None),
    ("a field is added", WHOLE, r"(message Epoch \{)", r"\1 uint64 more = 100;", None),
    ("a message is added", WHOLE, r"\Z", "\nmessage More { uint64 one = 1; }\n", None),
    ("an enum value is added", WHOLE, r"(CONFIG = 23;)", r"\1 MORE = 100;", None),
    ("a body is added", WHOLE, r"(oneof body \{)", r"\1 Epoch more = 100;", None),
    ("a planned number is taken", WHOLE, r"reserved [67] to 9;", "string more = 9;", None),
    ("a field is removed and reserved", COPY_STATUS, r"uint64 nonce = 3;",
     'reserved 3; reserved "nonce";', None),
    ("an enum value is removed and reserved", WHOLE, r"CONFIG = 23;",
     'reserved 23; reserved "CONFIG";', None),
    ("a field is removed", COPY_STATUS, r"uint64 nonce = 3;", "",
     "qnode.v1.CopyStatus: nonce = 3 was removed: reserve 3"),
    ("its name is not reserved", COPY_STATUS, r"uint64 nonce = 3;", "reserved 3;",
     'qnode.v1.CopyStatus: nonce = 3 was removed: reserve "nonce"'),
    ("its number is not reserved", COPY_STATUS, r"uint64 nonce = 3;", 'reserved "nonce";',
     "qnode.v1.CopyStatus: nonce = 3 was removed: reserve 3"),
    ("a field is renumbered", COPY_STATUS, r"uint64 nonce = 3;", "uint64 nonce = 100;",
     "qnode.v1.CopyStatus.nonce: number 3 became 100"),
    ("a field is renamed", COPY_STATUS, r"uint64 nonce = 3;", "uint64 token = 3;",
     "qnode.v1.CopyStatus.nonce = 3: name nonce became token"),
    ("a number is used again", COPY_STATUS, r"uint64 nonce = 3;", "string other = 3;",
     "qnode.v1.CopyStatus.nonce = 3: type uint64 became string"),
    ("a type changes", COPY_STATUS, r"uint64 nonce = 3;", "sfixed64 nonce = 3;",
     "qnode.v1.CopyStatus.nonce = 3: type uint64 became sfixed64"),
    ("the message of a field changes", COPY_STATUS, r"Epoch epoch = 6;", "NotAfter epoch = 6;",
     "qnode.v1.CopyStatus.epoch = 6: type message .qnode.v1.Epoch became message "
     ".qnode.v1.NotAfter"),
    ("a label changes", COPY_STATUS, r"uint64 nonce = 3;", "repeated uint64 nonce = 3;",
     "qnode.v1.CopyStatus.nonce = 3: label optional became repeated"),
    ("a field enters a oneof", COPY_STATUS, r"uint64 nonce = 3;",
     "oneof which { uint64 nonce = 3; }", "qnode.v1.CopyStatus.nonce = 3: oneof none became which"),
    ("a field leaves its oneof", WHOLE, r"(oneof body \{)\s+LoadSegments load_segments = 20;",
     r"LoadSegments load_segments = 20; \1",
     "qnode.v1.Message.load_segments = 20: oneof body became none"),
    ("a body is removed", WHOLE, r"Leaving leaving = 55;", "",
     "qnode.v1.Message: leaving = 55 was removed: reserve 55"),
    ("an enum value is removed", WHOLE, r"CONFIG = 23;", "",
     "qnode.v1.Status: CONFIG = 23 was removed: reserve 23"),
    ("an enum value is renumbered", WHOLE, r"CONFIG = 23;", "CONFIG = 100;",
     "qnode.v1.Status.CONFIG: number 23 became 100"),
    ("an enum value is renamed", WHOLE, r"CONFIG = 23;", "SETTINGS = 23;",
     "qnode.v1.Status.CONFIG = 23: name CONFIG became SETTINGS"),
    ("a message is removed", WHOLE, r"message Refusal \{.*?\n\}|repeated Refusal refused = 7;", "",
     "message qnode.v1.Refusal was removed"),
    ("an enum is removed", WHOLE, r"enum Ground \{.*?\n\}|Ground ground = \d;", "",
     "enum qnode.v1.Ground was removed"),
    ("the package changes", WHOLE, r"package qnode\.v1;", "package qnode.v2;",
     "package qnode.v1 became qnode.v2"),
    # proto2 wants labels: one empty message says enough
    ("the syntax changes", WHOLE, r"\A.*\Z", 'syntax = "proto2"; package qnode.v1; message A {}',
     "syntax proto3 became proto2"),
]


def changed(text, since, pattern, replacement):
    start = text.index(since)
    result, count = re.subn(pattern, replacement, text[start:], count=0 if "|" in pattern else 1,
                            flags=re.DOTALL)
    if count == 0:
        raise SystemExit(f"self-test: nothing in the schema is like {pattern}")
    return text[:start] + result


def findings(before, after, folder):
    schemas = []
    for name, text in (("before", before), ("after", after)):
        proto = pathlib.Path(folder) / f"{name}.proto"
        proto.write_text(text)
        schemas.append(Schema(image_of(proto)))
    return breaks(*schemas)


def self_test():
    text, failed = PROTO.read_text(), 0
    cases = [(what, text, changed(text, since, pattern, replacement), wanted)
             for what, since, pattern, replacement, wanted in CHANGES]
    gone = changed(text, COPY_STATUS, r"uint64 nonce = 3;", 'reserved 3; reserved "nonce";')
    cases.append(("a reserved number is used", gone, gone.replace("reserved 3;", "bool a = 3;"),
                  "qnode.v1.CopyStatus: number 3 was reserved: it must stay so"))
    cases.append(("a reserved name is freed", gone, gone.replace('reserved "nonce";', ""),
                  'qnode.v1.CopyStatus: name "nonce" was reserved: it must stay so'))
    with tempfile.TemporaryDirectory() as folder:
        for what, before, after, wanted in cases:
            found = findings(before, after, folder)
            is_right = not found if wanted is None else wanted in found
            failed += not is_right
            print(f"{'ok' if is_right else 'FAILED'}: {what}: {wanted or 'passes'}"
                  + ("" if is_right else f", but {found}"))
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(arguments):
    commands = {"": check, "--accept": accept, "--self-test": self_test}
    command = commands.get(" ".join(arguments))
    if command is None:
        print(__doc__, file=sys.stderr)
        return 2
    return command()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
