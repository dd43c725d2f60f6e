#!/usr/bin/env python3
"""Prints what the bundled detectors find and wrongly deny, with counts and 95 % intervals.

    tools/detection/report.py injection [FOLDER]

FOLDER has JSON lines; without it, the held-out text in the repository is read. Each policy's part is a module in `reports/`.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main():
    parts = sorted(path.stem for path in (HERE / "reports").glob("*.py") if path.stem not in ("__init__", "table"))
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in parts:
        raise SystemExit(f"{__doc__}\nParts: {', '.join(parts)}")
    part = sys.argv[1]
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else HERE / "held-out" / part
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder")
    for table in importlib.import_module(f"reports.{part}").report(folder):
        print(table)


if __name__ == "__main__":
    main()
