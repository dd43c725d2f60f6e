#!/usr/bin/env python3
"""Measures the example in four languages, and writes the table of docs/authors/languages.md.

    python3 tools/languages.py target/release/witgate [--rounds 7] [--write]

From the repository's root, on a machine that does nothing else, with a release build of the host. The languages' tools must be on the path:
cargo with wasm32-wasip2, zig (or python3 with ziglang), componentize-qjs, componentize-py. Without --write the table is printed.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "plugins/examples/banned-words"
PAGE = ROOT / "docs/authors/languages.md"
BEGINS, ENDS = "<!-- measured -->\n", "<!-- /measured -->\n"
LANGUAGES = {"rust": "Rust", "c": "C", "js": "JavaScript", "python": "Python"}
SETTINGS = '{"words": ["lynx", "Project X", "C++", "Büro"], "most": 3}'
FIGURES = [("instantiate", None), ("on-answer", None), ("on-delta", 4), ("on-delta", 64), ("on-delta", 4096)]


def run(witgate, folder, cache, *args):
    """Runs a command of the program; its output, and the CPU seconds of it and of all that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [witgate, "policy", *args],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(witgate, language, rounds):
    with tempfile.TemporaryDirectory() as made:
        made = pathlib.Path(made)
        folder, cache = made / "project", made / "cache"
        if language == "rust":
            # A member of the workspace is built in it.
            folder = EXAMPLE / "rust"
        else:
            shutil.copytree(EXAMPLE / language, folder)
        run(witgate, folder, made / "built", "build")
        component = made / "banned-words.wasm"
        shutil.copy(folder / "banned-words.wasm", component)
        if language == "rust":
            (folder / "banned-words.wasm").unlink()
        sample = made / "one.yaml"
        text = (EXAMPLE / "samples.yaml").read_text()
        sample.write_text("- name:" + text.split("- name:")[1])
        test = ["test", str(component), "--settings", SETTINGS, "--samples", str(sample)]
        cold = run(witgate, made, cache, *test)[1]
        warm = run(witgate, made, cache, *test)[1]
        bench = ["bench", str(component), "--settings", SETTINGS, "--rounds", str(rounds), "--format", "json"]
        report = json.loads(run(witgate, made, cache, *bench)[0])
        return component.stat().st_size, cold, warm, report


def time(ns):
    if ns is None:
        return "-"
    for limit, unit in ((1e3, "ns"), (1e6, "µs"), (1e9, "ms")):
        if ns < limit:
            value = ns / (limit / 1e3)
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{ns / 1e9:.1f} s"


def size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"


def memory(count):
    return "-" if count is None else f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count >> 10} KiB"


def figure(report, what, count, key="ns"):
    for it in report["figures"]:
        if it["what"] == what and (count is None or it["bytes"] == count):
            return it[key]
    return None


def table(all_measured):
    rows = [("", *(LANGUAGES[name] for name in all_measured))]
    add = lambda what, shown: rows.append((what, *(shown(*it) for it in all_measured.values())))
    add("component", lambda bytes_, *_: size(bytes_))
    add("first load, CPU", lambda _, cold, *__: f"{cold:.2g} s")
    add("load from the cache, CPU", lambda _, __, warm, ___: f"{warm:.2g} s")
    add("`configure`", lambda *it: time(it[3]["made"]["configure_ns"]))
    for what, count in FIGURES:
        name = what if count is None else f"`{what}`, {count if count < 1024 else f'{count >> 10} Ki'}{' ' if count < 1024 else ''}B"
        name = f"`{what}`" if what == "on-answer" else name
        add(name, lambda *it: time(figure(it[3], what, count)))
    add("memory of an exchange", lambda *it: memory(it[3]["made"]["live_exchange_bytes"]))
    empty = lambda *it: f"{time(figure(it[3], 'instantiate', None, 'empty_ns'))}, {time(figure(it[3], 'on-delta', 4, 'empty_ns'))}"
    add("an empty policy in the same run: instantiate, `on-delta` of 4 B", empty)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("witgate", type=pathlib.Path)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--only", choices=LANGUAGES, action="append", help="some languages, to look at")
    given = arguments.parse_args()
    witgate = given.witgate.resolve()
    names = given.only or list(LANGUAGES)
    written = table({name: measured(witgate, name, given.rounds) for name in names})
    if not given.write:
        print(written, end="")
        return
    page = PAGE.read_text()
    head, rest = page.split(BEGINS)
    PAGE.write_text(head + BEGINS + "\n" + written + "\n" + ENDS + rest.split(ENDS)[1])


if __name__ == "__main__":
    main()
