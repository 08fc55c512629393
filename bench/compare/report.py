# SPDX-License-Identifier: Apache-2.0
"""What a comparison says: the table, and the curves as SVG."""
import math

COLOURS = ("#c0392b", "#e67e22", "#2980b9", "#16a085", "#8e44ad", "#27ae60", "#7f8c8d", "#2c3e50", "#d35400")


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


def print_table(result):
    print(f"\n{result['set']}: {result['rows']:,} x {result['dim']}, {result['metric']}, "
          f"{result['queries']:,} queries; queries per CPU second, one thread")
    print(f"{'':14} {'0.90':>9} {'0.95':>9} {'0.99':>9}   {'build s':>8} {'bytes/raw':>9}")
    for engine in result["engines"]:
        cells = [f"{q:9,.0f}" if q else f"{'-':>9}" for q in engine["qps_at"].values()]
        print(f"{engine['name']:14} {' '.join(cells)}   {engine['build_seconds']:8.1f} "
              f"{engine['bytes_over_raw']:9.2f}")
    peers = [e for e in result["engines"] if not e["name"].startswith("qnode")]
    ours = [e for e in result["engines"] if e["name"].startswith("qnode")]
    if peers and ours:
        cells = []
        for recall in ("0.9", "0.95", "0.99"):
            best = max((e["qps_at"][recall] or 0 for e in peers), default=0)
            mine = max((e["qps_at"][recall] or 0 for e in ours), default=0)
            cells.append(f"{mine / best:8.2f}x" if best else f"{'-':>9}")
        print(f"{'ours / best':14} {' '.join(cells)}")
    for name, reason in result["without"].items():
        print(f"without {name}: {reason}"[:120])


def write_svg(path, results):
    width, height, left = 460, 300, 60
    parts = []
    for number, result in enumerate(results):
        top = number * (height + 60) + 30
        curves = [(e["name"], [p for p in frontier(e["curve"]) if p["recall"] >= 0.8])
                  for e in result["engines"]]
        speeds = [p["qps"] for _, points in curves for p in points] or [1]
        low, high = math.log10(min(speeds)), math.log10(max(speeds))

        def place(point):
            x = left + (point["recall"] - 0.8) / 0.2 * width
            y = top + height - (math.log10(point["qps"]) - low) / max(high - low, 0.1) * height
            return f"{x:.1f},{y:.1f}"
        parts.append(f'<text x="{left}" y="{top - 10}">{result["set"]}: queries per CPU second '
                     f'({10 ** low:,.0f} to {10 ** high:,.0f}) over recall@10 (0.8 to 1)</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#ccc"/>')
        for index, (name, points) in enumerate(curves):
            colour = COLOURS[index % len(COLOURS)]
            parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" '
                         f'points="{" ".join(map(place, points))}"/>')
            parts.append(f'<text x="{left + width + 10}" y="{top + 15 + 15 * index}" fill="{colour}">{name}</text>')
    total = len(results) * (height + 60) + 20
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{total}" '
                   f'font-family="sans-serif" font-size="12">\n' + "\n".join(parts) + "\n</svg>\n")
