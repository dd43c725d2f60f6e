#!/usr/bin/env python3
"""Writes the words that the scorer knows, the most frequent first: `plugins/prompt-injection/src/score/words.txt`.

    tools/detection/words.py --data FOLDER

They tell a misspelt word, and where one ends that was run into the next. A word counts once in each English text that has it, and in
an attack more often. Run `train.py` afterwards: its features are of these words.
"""

import argparse
import collections
import re
from pathlib import Path

import corpus

OUT = Path(__file__).resolve().parents[2] / "plugins/prompt-injection/src/score/words.txt"
# Not prose, or not English.
OTHER = re.compile(r"fastapi-docs-(?!en)|chat-book")
MOST, LEAST = 6000, 8


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", required=True, help="a folder of JSON lines")
    found = collections.Counter()
    for row in corpus.shared(arguments.parse_args().data) + corpus.own(1, {"*": 6}):
        prose = not OTHER.search(row["source"]) and not row["kind"].startswith(("code", "conf", "table"))
        if prose and row["language"] in ("", "en"):
            words = set(re.findall(r"[a-z]+", row["text"].lower().replace("'", "").replace("’", "")))
            times = 6 if row["label"] == "attack" and not row["source"].startswith("own") else 1
            found.update({word: times for word in words})
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    words = [word for word, count in ordered if count >= LEAST and (len(word) > 1 or word in "ai")]
    OUT.write_text("\n".join(words[:MOST]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
