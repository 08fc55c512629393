#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""qnode-bench kernels --each measures every kernel of kernels.h, and the README there tells of all.
usage: bench_kernels_test.py BIN_DIR"""
import json
import math
import pathlib
import re
import subprocess
import sys
import unittest

KERNELS = pathlib.Path(__file__).parents[2] / "segstore/kernels"


def bench(*arguments):
    return subprocess.run([BIN / "qnode-bench", *arguments], capture_output=True, text=True,
                          timeout=100)


def members():
    """The functions of struct kernels."""
    header = (KERNELS / "kernels.h").read_text()
    table = re.search(r"^struct kernels \{\n(.*?)^\};", header, re.S | re.M)
    return re.findall(r"\(\*(\w+)\)\(", table.group(1))


class BenchKernels(unittest.TestCase):
    def test_every_kernel_of_every_table_has_a_figure(self):
        done = bench("kernels", "--each", "--rounds", "1", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        told = json.loads(done.stdout)
        self.assertEqual({case["kernel"] for case in told["each"]}, set(members()))
        tables = list(told["each"][0]["figures"])
        self.assertEqual((tables[0], tables[-1]), ("scalar", told["kernels"]))
        for case in told["each"]:
            self.assertEqual(list(case["figures"]), tables)
            for number in [*case["figures"].values(), case.get("share", 1)]:
                self.assertTrue(math.isfinite(number) and number > 0, case)
        limits = [told["gmadds"], *told["read_gbytes"].values(), *told["rows_gbytes"].values()]
        self.assertEqual(tables != ["scalar"], min(limits) > 0)

    def test_the_table_fits_a_terminal(self):
        done = bench("kernels", "--each", "--rounds", "1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLessEqual(max(len(line) for line in done.stdout.splitlines()), 80)
        for name in members():
            self.assertRegex(done.stdout, rf"(?m)^{name} ")

    def test_the_readme_tells_of_every_kernel(self):
        text = (KERNELS / "README.md").read_text()
        self.assertEqual([name for name in members() if f"`{name}`" not in text], [])

    def test_what_it_cannot_do_is_told(self):
        for line, text in [("kernels --each=2", "doesn't allow an argument"),
                           ("kernels --each --rounds 0", "0 is no value for --rounds"),
                           ("kernels --each --rounds 65", "at most 64 --rounds"),
                           ("kernels --each l2", "an argument that is no option"),
                           ("search --each", "--each is an option of kernels alone")]:
            done = bench(*line.split())
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    BIN = pathlib.Path(sys.argv.pop(1))
    unittest.main()
