# SPDX-License-Identifier: Apache-2.0
"""The measures "search" and "promise": recall and speed of every engine at every setting, by turns, and
what a wanted recall gives and costs."""
import math
import statistics
import sys

ALL = 0.9995  # a finer setting than one that finds this share is not asked for
LOW = 0.8     # a setting with less recall, or with less than FAR of the curve's speed, is asked once
FAR = 0.5


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def measure(data, engines, passes):
    """{name: [{setting, recall, qps}]}, {name: why it has none}: in each pass all engines by turns."""
    tried = {engine.name: {} for engine in engines}
    failed = {}
    for number in range(passes):
        for engine in engines:
            try:
                ask_all(data, engine, tried[engine.name], number)
            except Exception as trouble:  # a library that builds, but does not search
                failed[engine.name] = f"{type(trouble).__name__}: {trouble}"
        say(f"{data.name}: pass {number + 1} of {passes}")
    return {name: curve_of(settings, len(data.queries))
            for name, settings in tried.items() if name not in failed}, failed


def curve_of(tried, queries):
    return [{"setting": setting, "recall": recall, "qps": queries / statistics.median(seconds)}
            for setting, (recall, seconds) in tried.items() if seconds]


def worth_asking(tried, queries):
    """The settings that decide the curve, of those that were asked once."""
    curve = curve_of(tried, queries)
    return [p["setting"] for p in curve if p["recall"] > LOW and p["qps"] > FAR * at_recall(curve, p["recall"])]


def ask_all(data, engine, tried, number):
    """Pass number: adds to tried, {setting: (recall, [seconds of each pass])}."""
    for setting in worth_asking(tried, len(data.queries)) if number > 0 else engine.settings():
        finest = max((recall for recall, _ in tried.values()), default=0)
        if setting not in tried and finest > ALL:
            continue
        try:
            keys, seconds = engine.search(setting)
        except RuntimeError as trouble:  # ours refuses a recall that it cannot promise
            say(f"{data.name}: {engine.name} {setting}: {trouble}")
            tried[setting] = (0, [])
            continue
        tried.setdefault(setting, (data.recall(keys), []))[1].append(seconds)


def frontier(curve):
    """Points that no other beats in recall and speed, by rising recall."""
    best, points = 0.0, []
    for point in sorted(curve, key=lambda p: (-p["recall"], -p["qps"])):
        if point["qps"] > best:
            best = point["qps"]
            points.append(point)
    return points[::-1]


def at_recall(curve, recall):
    """Queries per second there: on the line between two settings, log of the speed; None: never."""
    points = frontier(curve)
    above = [p for p in points if p["recall"] >= recall]
    below = [p for p in points if p["recall"] < recall]
    if not above:
        return None
    if not below:
        return above[0]["qps"]
    a, b = below[-1], above[0]
    share = (recall - a["recall"]) / (b["recall"] - a["recall"])
    return math.exp(math.log(a["qps"]) + share * (math.log(b["qps"]) - math.log(a["qps"])))


def promise(curve, wanted):
    """[{wanted, recall, work, lowest}]: recall reached where one was wanted; CPU time over that of the
    curve at the wanted recall (None: the curve is never there); whether the lowest setting exceeds it."""
    told = []
    for recall in wanted:
        point = next((p for p in curve if p["setting"] == ("--recall", str(recall))), None)
        if point is None:
            continue
        needed = at_recall(curve, recall)
        told.append({"wanted": recall, "recall": point["recall"],
                     "work": needed / point["qps"] if needed else None,
                     "lowest": frontier(curve)[0]["recall"] >= recall})
    return told
