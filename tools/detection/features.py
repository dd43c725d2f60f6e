"""Features as the policy itself makes them: the example `detect` of its crate is asked, so nothing is written twice."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
# As in `plugins/prompt-injection/src/score/mod.rs`.
BITS, PLACES = 29, 43_690
SHORT, LONG, STRIDE, MANY = 2, 6, 3, 32


def detect():
    """Builds the example and returns where it is."""
    cargo = ["cargo", "build", "--quiet", "--release", "-p", "prompt-injection", "--example", "detect"]
    subprocess.run(cargo, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "detect"


def ask(program, mode, rows):
    lines = "".join(json.dumps({"text": row["text"], "origin": row.get("origin", "person")}) + "\n" for row in rows)
    return subprocess.run([program, mode], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout


def blocks(program, rows):
    """For each row a list of `(words, buckets)`, one for each block."""
    data = np.frombuffer(ask(program, "features", rows), dtype="<u4")
    at, found = 0, []
    for _ in rows:
        count = int(data[at])
        at += 1
        row = []
        for _ in range(count):
            words, features = int(data[at]), int(data[at + 1])
            at += 2
            row.append((words, data[at : at + features]))
            at += features
        found.append(row)
    return found


def hashes(features):
    """Features without their group."""
    return features & ((1 << BITS) - 1)


def places(hashes):
    """Where features have their place, if they have one."""
    return hashes.astype(np.int64) * PLACES >> BITS


def windows(count):
    """`(first, last + 1)` of each window of a text of so many blocks: the short ones, and the long ones."""
    short = [(i, min(i + SHORT, count)) for i in range(max(1, count - SHORT + 1))]
    long, start = [], 0
    while True:
        end = min(start + LONG, count)
        long.append((max(0, end - LONG), end))
        if end == count:
            return short, long
        start += STRIDE
