# SPDX-License-Identifier: Apache-2.0
"""What a comparison says: tables of 80 columns, and the curves as SVG."""
import math

from curves import frontier

COLOURS = ("#c0392b", "#e67e22", "#2980b9", "#16a085", "#8e44ad", "#27ae60", "#7f8c8d",
           "#2c3e50", "#d35400", "#b7950b", "#0e6655", "#6c3483", "#1a5276", "#943126")


def print_tables(result):
    print(f"\n{result['set']}: {result['rows']:,} x {result['dim']}, {result['metric']}, one thread; "
          "queries per CPU second")
    if "flat" in result:
        print_flat(result["flat"])
    if "engines" in result:
        print_search(result)
    if result.get("promise"):
        print_promise(result["promise"])
    if result.get("threads"):
        print_threads(result["threads"])
    for name, reason in (result.get("without", {}) | result.get("flat", {}).get("without", {})).items():
        print(f"without {name}: {reason}"[:80])


def cell(value, form, width=9):
    return f"{'-' if value is None else format(value, form):>{width}}"


def print_flat(flat):
    print(f"\n{'flat, exact':14} {'1 query':>9} {'1000':>9}")
    for name, speeds in flat["qps"].items():
        print(f"{name:14} {cell(speeds['1'], ',.1f')} {cell(speeds['1000'], ',.0f')}")
    peers = [speeds for name, speeds in flat["qps"].items() if name != "qnode"]
    if peers:
        ratios = [flat["qps"]["qnode"][batch] / max(speeds[batch] for speeds in peers) for batch in ("1", "1000")]
        print(f"{'ours / best':14} {ratios[0]:8.2f}x {ratios[1]:8.2f}x")
    print(f"{'of the machine':14} {flat['read_share']:8.0%}  {flat['multiply_share']:8.0%}   "
          f"of {flat['kernels']['read_gbytes']:.1f} GB/s read, {flat['kernels']['fma_gflops']:.0f} GFLOP/s")


def print_search(result):
    print(f"\n{'recall@10':14} {'0.90':>9} {'0.95':>9} {'0.99':>9} {'build s':>8} {'CPU s':>8} {'bytes/raw':>9}")
    for engine in result["engines"]:
        build = engine["build"]
        speeds = " ".join(cell(qps, ",.0f") for qps in engine["qps_at"].values())
        print(f"{engine['name']:14} {speeds} {build['wall_seconds']:8.1f} {build['cpu_seconds']:8.1f} "
              f"{engine['bytes_over_raw']:9.2f}{' (kept)' if build['kept'] else ''}")
    ours = [engine for engine in result["engines"] if engine["ours"]]
    peers = [engine for engine in result["engines"] if not engine["ours"]]
    if peers and ours:
        ratios = []
        for recall in ours[0]["qps_at"]:
            best = max(engine["qps_at"][recall] or 0 for engine in peers)
            mine = max(engine["qps_at"][recall] or 0 for engine in ours)
            ratios.append(f"{mine / best:8.2f}x" if best else f"{'-':>9}")
        print(f"{'ours / best':14} {' '.join(ratios)}")
    for peer in peers:
        if peer["name"] == "hnswlib":
            print_build(ours, peer["build"])


def print_build(ours, other):
    for engine in ours:
        build = engine["build"]
        print(f"{engine['name']} / hnswlib, build: {build['wall_seconds'] / other['wall_seconds']:.2f}x, "
              f"CPU {build['cpu_seconds'] / other['cpu_seconds']:.2f}x")


def print_promise(promise):
    print(f"\n{'recall wanted':14} {'0.90':>9} {'work':>8} {'0.95':>9} {'work':>8} {'0.99':>9} {'work':>8}")
    for name, told in promise.items():
        cells = [f"{point['recall']:9.4f} " + ("  lowest" if point["lowest"] else f"{point['work']:7.2f}x"
                                               if point["work"] else f"{'-':>8}") for point in told]
        print(f"{name:14} {' '.join(cells)}")


def print_threads(threads):
    print(f"\n{'two cores':14} {'wall':>9} {'CPU':>9}")
    for told in threads:
        print(f"{told['engine']:14} {told['wall']:8.2f}x {told['cpu']:8.2f}x" if told else "there is only one")


def write_svg(path, results):
    width, height, left = 460, 300, 60
    parts, number = [], -1
    for number, result in enumerate(r for r in results if "engines" in r):
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
    total = (number + 1) * (height + 60) + 20
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{total}" '
                   f'font-family="sans-serif" font-size="12">\n' + "\n".join(parts) + "\n</svg>\n")
