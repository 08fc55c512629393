#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/compare tells of measured curves; its libraries are not needed for that."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench/compare"))
import curves  # noqa: E402
import report  # noqa: E402

CURVE = [{"setting": 1, "recall": 0.8, "qps": 10_000.0}, {"setting": 2, "recall": 0.9, "qps": 1_000.0},
         {"setting": 3, "recall": 0.85, "qps": 500.0}]


def point(wanted, recall, qps):
    return {"setting": ("--recall", str(wanted)), "recall": recall, "qps": qps}


class Engine:
    """Settings 0.8, 0.9 and 1: that recall of 1 query, in 1, 2 and 4 seconds."""
    name = "engine"

    def __init__(self, trouble=None):
        self.asked, self.trouble = [], trouble

    def settings(self):
        return [0.5, 0.9, 1.0, 1.1]

    def search(self, setting):
        if self.trouble is not None:
            raise self.trouble
        self.asked.append(setting)
        return setting, 4 * setting


class Data:
    name, queries = "data", [0]

    @staticmethod
    def recall(keys):
        return keys


class Curves(unittest.TestCase):
    def test_between_two_settings_the_logarithm_of_the_speed_is_on_a_line(self):
        self.assertAlmostEqual(curves.at_recall(CURVE, 0.85), 10_000 / 10 ** 0.5)

    def test_at_the_ends_a_curve_is_not_drawn_out(self):
        self.assertEqual(curves.at_recall(CURVE, 0.5), 10_000)
        self.assertIsNone(curves.at_recall(CURVE, 0.91))

    def test_a_point_that_another_beats_is_not_on_the_curve(self):
        self.assertEqual([p["setting"] for p in curves.frontier(CURVE)], [1, 2])

    def test_a_promise_says_recall_reached_and_work_over_the_work_needed(self):
        told = curves.promise(CURVE + [point(0.85, 0.87, 2_000.0), point(0.5, 0.79, 11_000.0)], (0.5, 0.85, 0.95))
        self.assertEqual([p["wanted"] for p in told], [0.5, 0.85])
        self.assertTrue(told[0]["lowest"])
        self.assertFalse(told[1]["lowest"])
        self.assertAlmostEqual(told[1]["work"], curves.at_recall(CURVE + [point(0, 0.87, 2_000.0)], 0.85) / 2_000)

    def test_no_finer_setting_is_asked_than_one_that_finds_all_and_coarse_ones_only_once(self):
        engine = Engine()
        found, failed = curves.measure(Data, [engine], 2)
        self.assertEqual(engine.asked, [0.5, 0.9, 1.0, 0.9, 1.0])
        self.assertEqual([p["recall"] for p in found["engine"]], [0.5, 0.9, 1.0])
        self.assertEqual(failed, {})

    def test_a_refused_setting_is_left_out_and_a_broken_engine_is_named(self):
        found, failed = curves.measure(Data, [Engine(RuntimeError("no"))], 2)
        self.assertEqual((found, failed), ({"engine": []}, {}))
        found, failed = curves.measure(Data, [Engine(IndexError("bad"))], 2)
        self.assertEqual((found, failed), ({}, {"engine": "IndexError: bad"}))


def engine_told(name, ours, factor):
    return {"name": name, "ours": ours, "parameters": "", "bytes_over_raw": 1.25, "curve": CURVE,
            "build": {"wall_seconds": 12.5 * factor, "cpu_seconds": 1_234.5 * factor, "kept": not ours},
            "qps_at": {"0.9": 123_456.0 * factor, "0.95": 1_000.0 * factor, "0.99": None}}


RESULT = {
    "set": "glove", "rows": 331_479, "dim": 100, "metric": "cosine", "queries": 2_000, "quick": False,
    "without": {"vsag-hgraph": "RuntimeError: " + "its build takes too long " * 9},
    "flat": {"qps": {"qnode": {"1": 200.0, "1000": 2_000.0}, "faiss": {"1": 100.0, "1000": 4_000.0}},
             "without": {}, "kernels": {"read_gbytes": 17.1, "fma_gflops": 102.0},
             "read_share": 0.95, "multiply_share": 0.8},
    "engines": [engine_told("qnode-ivf4", True, 1), engine_told("hnswlib", False, 2)],
    "promise": {"qnode-ivf4": [{"wanted": 0.9, "recall": 0.95, "work": 1.2, "lowest": True},
                               {"wanted": 0.95, "recall": 0.951, "work": 1.25, "lowest": False},
                               {"wanted": 0.99, "recall": 0.98, "work": None, "lowest": False}]},
    "threads": [{"engine": "qnode-ivf4", "wall": 1.95, "cpu": 2.0}],
}


class Report(unittest.TestCase):
    def tables(self, result):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            report.print_tables(result)
        return output.getvalue()

    def test_the_tables_fit_80_columns_and_hold_the_ratios(self):
        text = self.tables(RESULT)
        self.assertEqual([line for line in text.splitlines() if len(line) > 80], [])
        for part in ("2.00x     0.50x", "0.50x     0.50x         -", "build: 0.50x, CPU 0.50x", "1.25 (kept)\nours",
                     "0.9500   lowest", "0.9510    1.25x", "0.9800        -", "1.95x", "without vsag-hgraph"):
            self.assertIn(part, text)

    def test_what_was_not_measured_has_no_table(self):
        text = self.tables({key: RESULT[key] for key in ("set", "rows", "dim", "metric", "flat")})
        self.assertNotIn("recall", text)

    def test_the_drawing_is_xml_with_a_line_for_each_engine(self):
        with tempfile.NamedTemporaryFile(suffix=".svg") as file:
            report.write_svg(file.name, [{"set": "fmnist"}, RESULT])
            drawing = xml.etree.ElementTree.parse(file.name)
        self.assertEqual(len(drawing.findall("{*}polyline")), 2)


if __name__ == "__main__":
    unittest.main()
