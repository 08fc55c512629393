#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests/contract/run makes of a program: how it ended counts as much as what it said."""
import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("run", str(pathlib.Path(__file__).parent / "run"))
RUN = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", LOADER))
LOADER.exec_module(RUN)

ROWS = [  # what the program says and its exit code, and the cells that come of it
    ("[ RUN      ] a\n[       OK ] a", 0, {"a": "passed"}),
    ("[ RUN      ] a\n[       OK ] a", 1, {"a": "passed", "program": "FAILED"}),  # a leak
    ("[ RUN      ] a\n[       OK ] a\n[ RUN      ] b", 139, {"a": "passed", "b": "FAILED"}),
    ("n/a nats a: has none", 0, {"a": "n/a"}),
    ("n/a nats a: has none", 1, {"a": "n/a", "program": "FAILED"}),
    ("", 127, {"program": "FAILED"}),
]


def main():
    with tempfile.TemporaryDirectory(prefix="qnode-run-check-") as folder:
        program = pathlib.Path(folder) / "program"
        for said, code, wanted in ROWS:
            program.write_text(f"#!/bin/sh\ncat <<'TEXT'\n{said}\nTEXT\nexit {code}\n")
            program.chmod(0o755)
            cells = {}
            complaint = RUN.run_program(program, "nats", os.environ, cells, {})
            assert cells == wanted, (said, code, cells)
            assert (complaint != "") == ("FAILED" in wanted.values()), complaint
    print(f"{len(ROWS)} passed, 0 failed")


if __name__ == "__main__":
    main()
