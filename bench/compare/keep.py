# SPDX-License-Identifier: Apache-2.0
"""Indexes are built once, each by a process of its own that may crash or take too long alone, and kept
with a note of what they depend on and took; they are built again when that changes."""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import zlib

from engines import ENGINES
from sets import VectorSet

CPU_SECONDS_MAX = 2 * 15 * 60


def key_of(engine, data):
    return {"version": engine.version(), "parameters": engine.parameters(data), "shape": list(data.rows.shape),
            "crc32": zlib.crc32(data.rows), "threads": 2}


def keep(engine, data, folder, rebuild):
    """Opens the engine's index; what its note says, with "kept": it is not of this run."""
    path = folder / f"{data.name}.{data.kind}.{engine.name}"
    note_path, key = path.with_name(path.name + ".json"), key_of(engine, data)
    note = json.loads(note_path.read_text()) if note_path.exists() else {}
    kept = not rebuild and note.get("key") == key
    if not kept:
        note_path.unlink(missing_ok=True)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        note = {"key": key, **build_apart(engine, data, path)}
    if "too_long" not in note:
        engine.open(data, path)  # before the note is kept: what cannot be opened is built again
    note_path.write_text(json.dumps(note, indent=1) + "\n", encoding="ascii")
    if "too_long" in note:
        raise RuntimeError(note["too_long"])
    return {**note, "kept": kept}


def build_apart(engine, data, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    told = subprocess.run([sys.executable, __file__, engine.name, data.name, data.kind, path],
                          capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "2"})
    if told.returncode == -signal.SIGXCPU:
        return {"too_long": f"its build takes more than {CPU_SECONDS_MAX} CPU seconds"}
    if told.returncode != 0:
        lines = told.stderr.strip().splitlines() or ["no word"]
        raise RuntimeError(f"build: {lines[-1].removeprefix('RuntimeError: ')} ({told.returncode})")
    return json.loads(told.stdout.splitlines()[-1])


def main():
    name, set_name, kind, path = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX + 5))
    engine = next(engine for engine in ENGINES if engine.name == name)
    wall, cpu = engine.build(VectorSet(set_name, kind == "quick"), pathlib.Path(path))
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
