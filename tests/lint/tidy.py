#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lint of the house: arrows between rooms, purity, one file per library, lengths with a ratchet.

usage: tests/lint/tidy.py [--update-ratchet] [--root DIR]

Prints `file:line: rule: what to do` for each finding and ends with counts; exit 1 if there is one.
Lengths may not grow past ratchet.json: what is over a bound there today may only shrink.
"""
import json
import pathlib
import re
import subprocess
import sys

ARROWS = {  # room -> rooms whose headers it may include (DESIGN: no other arrow exists)
    "base": {"base"},
    "channel": {"base", "channel"},
    "segstore": {"base", "segstore"},
    "agent": {"base", "channel", "segstore", "agent"},
    "coordinator": {"base", "channel", "coordinator"},
    "bench": {"base", "channel", "segstore", "bench"},
    "tests": {"base", "channel", "segstore", "agent", "coordinator", "bench", "tests"},
}
EXTRA = {("coordinator", "segstore/manifest.h")}

# A third-party header and the one file (or prefix) that includes it.
LIBRARIES = {
    # bench measures it bare
    "nats": r"^(channel/(transport_nats|nats_message|nats_socket)\.[ch]|bench/bare_nats\.c)$",
    "librdkafka": r"^(channel/kafka|tests/contract/kafka_mock)\.c$",
    "protobuf-c": r"^channel/codec[a-z_]*\.[ch]$",
    "qnode.pb-c.h": r"^channel/codec[a-z_]*\.[ch]$",
    "hwloc": r"^base/numa\.c$",
    "jansson": r"^base/doc\.c$",
    "xxhash": r"^base/hash\.c$",
    "openssl": r"^channel/nkey\.c$",
    "jemalloc": r"^agent/heap\.c$",
    "ini.h": r"^agent/config\.c$",
    "sqlite3": r"^coordinator/state_sqlite\.c$",
    "cmocka": r"^tests/test\.h$",
}

# Judgement: no clock, file, socket, allocator, thread, random.
PURE = re.compile(
    r"^(agent/(node[a-z_]*|life|ledger)\.c"
    r"|coordinator/(cluster|view|planner|handoff|reconcile|step|group)[a-z_]*\.c"
    r"|channel/(codec[a-z_]*|client_(search|plan|answer|view|table|unite))\.c|agent/reduce\.c)$")
PURE_HEADERS = re.compile(
    r"^(time|sys/.*|unistd|fcntl|pthread|threads|stdio_ext|poll|signal|linux/.*|errno)\.h$"
    r"|^base/(thread|ring|waiter|log|executor|files|numa|prng)\.h$|^channel/transport\.h$")
PURE_CALLS = re.compile(r"\b(clock_now_\w+|clock_wall_ms|time|rand|random|getrandom|usleep|nanosleep|"
                        r"fopen|open|read|write|printf|fprintf|puts)\s*\(")

BANNED_CALLS = {
    r"\bsprintf\s*\(": "use snprintf",
    r"\bstrcpy\s*\(": "use snprintf",
    r"\bstrcat\s*\(": "use snprintf",
    r"\bgets\s*\(": "use fgets",
    r"\bassert\s*\(": "use CHECK (base/check.h): on in release",
    r"\b(usleep|nanosleep|sleep)\s*\(": "wait on a waiter (base/waiter.h); tools: clock_nap_us",
}

LINE_MAX, FUNCTION_MAX, FILE_MAX, PARAMETERS_MAX, NESTING_MAX = 100, 70, 400, 5, 3


class Tidy:
    def __init__(self, root):
        self.root = root
        self.findings = []
        self.lengths = {}  # "file:function" or "file" -> size, only those over the bound

    def found(self, path, line, rule, text):
        self.findings.append(f"{path}:{line}: {rule}: {text}")

    def files(self):
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=self.root,
                                check=True, capture_output=True, text=True).stdout.split("\n")
        return [f for f in listed if f and (self.root / f).is_file()]

    def run(self):
        names = self.files()
        sources = [f for f in names if f.endswith((".c", ".h"))]
        build_text = "\n".join((self.root / f).read_text() for f in names
                               if f.endswith(("CMakeLists.txt", ".cmake")))
        for name in sources:
            text = (self.root / name).read_text()
            lines = text.split("\n")
            self.check_head(name, lines)
            self.check_lines(name, lines)
            self.check_includes(name, lines)
            self.check_calls(name, lines)
            self.check_lengths(name, lines)
            if name.endswith(".c") and not self.is_built(name, build_text):
                self.found(name, 1, "dead file", "no CMakeLists.txt names it")
        for name in names:
            if name.endswith(".md"):
                self.check_document(name)
            self.check_words(name)
        self.check_rooms(names)

    @staticmethod
    def is_built(name, build_text):
        # a list of stems makes tests: unit/${name}_test.c, fuzz/fuzz_${name}.c
        stem = re.sub(r"^(fuzz|base)_|_test$", "", pathlib.Path(name).stem)
        return re.search(rf"\b{re.escape(stem)}(_test)?(\.c)?\b", build_text) is not None

    def check_rooms(self, names):
        allowed = set(ARROWS) | {"CMakeLists.txt", "CMakePresets.json", "README.md",
                                 "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"}
        for top in sorted({n.split("/")[0] for n in names}):
            if top not in allowed and not top.startswith("."):
                self.found(top, 1, "rooms", "only the seven rooms and the named files stand at the root")

    def check_head(self, name, lines):
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:2]):
            self.found(name, 1, "head", "the first lines carry SPDX-License-Identifier: Apache-2.0")

    def check_lines(self, name, lines):
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_MAX:
                self.found(name, number, "columns", f"{len(line)} columns, {LINE_MAX} at most")
            if line.rstrip() != line or "\t" in line:
                self.found(name, number, "blanks", "no tabs, no blanks at the end")

    def check_includes(self, name, lines):
        room = name.split("/")[0]
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            header = match.group(2)
            target = header.split("/")[0]
            if target in ARROWS and target not in ARROWS.get(room, set()) \
                    and (room, header) not in EXTRA:
                self.found(name, number, "arrow", f"{room} may not include {header}")
            for library, place in LIBRARIES.items():
                if header.startswith(library) and not re.match(place, name):
                    self.found(name, number, "library", f"{header} belongs to {place} alone")
            if PURE.match(name) and PURE_HEADERS.match(header):
                self.found(name, number, "pure", f"judgement may not include {header}")

    def check_calls(self, name, lines):
        for number, line in enumerate(lines, 1):
            code = re.sub(r'"(\\.|[^"\\])*"|//.*|/\*.*?\*/|^\s*\*.*', "", line)
            for pattern, advice in BANNED_CALLS.items():
                if re.search(pattern, code) and not ("sleep" in pattern and (
                        name.startswith("tests/") or name == "base/clock.c")):
                    self.found(name, number, "call", advice)
            if PURE.match(name) and PURE_CALLS.search(code):
                self.found(name, number, "pure", "judgement calls no clock, file or random")

    def check_lengths(self, name, lines):
        if len(lines) - 1 > FILE_MAX and name.endswith(".c"):
            self.lengths[name] = len(lines) - 1
        start, depth = None, 0
        for number, line in enumerate(lines, 1):
            if line == "{" and number > 1:
                start, signature = number, self.signature(lines, number)
                depth = 0
            if start is not None:
                code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', "", line)
                depth += code.count("{") - code.count("}")
                if depth > NESTING_MAX + 1 and code.rstrip().endswith("{") and "=" not in code:
                    self.lengths[f"{name}:{signature[0]}:nesting"] = depth - 1
            if line == "}" and start is not None:
                if number - start + 1 > FUNCTION_MAX:
                    self.lengths[f"{name}:{signature[0]}"] = number - start + 1
                if signature[1] > PARAMETERS_MAX:
                    self.lengths[f"{name}:{signature[0]}:parameters"] = signature[1]
                start = None

    @staticmethod
    def signature(lines, brace):
        text, number = "", brace - 1
        while number > 0 and lines[number - 1] and not lines[number - 1].startswith(("}", "#", "/", " *")):
            text = lines[number - 1] + " " + text
            number -= 1
        match = re.search(r"(\w+)\s*\((.*)\)", text)
        if not match:
            return "?", 0
        inner, depth, commas = match.group(2), 0, 0
        for char in inner:
            depth += (char == "(") - (char == ")")
            commas += char == "," and depth == 0
        # `self` of a port's contract is its object, not a choice of the caller
        count = commas + 1 - inner.strip().startswith("void *self")
        return match.group(1), count if inner.strip() not in ("", "void") else 0

    def check_document(self, name):
        fenced, titles = False, 0
        for line in (self.root / name).read_text().split("\n"):
            if line.startswith("```"):
                fenced = not fenced
            titles += line.startswith("# ") and not fenced
        if titles != 1:
            self.found(name, 1, "title", f"{titles} H1 titles, one wanted")

    def check_words(self, name):
        if name == "tests/lint/tidy.py" or name.startswith("tests/fuzz/corpus/") \
                or name.endswith((".bin", ".binpb", ".png", ".svg")):
            return
        text = (self.root / name).read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"(^|[\s\"'=(])/(work|root|farm)/|\bTODO\b|\bFIXME\b|\bXXX\b", line):
                self.found(name, number, "word", "no machine paths, no unfinished marks")

    def ratchet(self, update):
        path = self.root / "tests/lint/ratchet.json"
        allowed = json.loads(path.read_text()) if path.exists() else {}
        if update:
            path.write_text(json.dumps(dict(sorted(self.lengths.items())), indent=2) + "\n")
            return
        for key, size in sorted(self.lengths.items()):
            if size > allowed.get(key, 0):
                was = f", {allowed[key]} allowed" if key in allowed else ""
                self.findings.append(f"{key}: length: {size}{was}; split it (see STYLE: house numbers)")
        for key, size in sorted(allowed.items()):
            if self.lengths.get(key, 0) < size:
                self.findings.append(f"{key}: ratchet: shorter now; run tests/lint/tidy.py --update-ratchet")


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    if "--root" in sys.argv:
        root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
    if "--help" in sys.argv:
        print(__doc__)
        return 0
    tidy = Tidy(root)
    tidy.run()
    tidy.ratchet("--update-ratchet" in sys.argv)
    print("\n".join(tidy.findings))
    print(f"lint: {len(tidy.files())} files, {len(tidy.findings)} findings")
    return 1 if tidy.findings else 0


if __name__ == "__main__":
    sys.exit(main())
