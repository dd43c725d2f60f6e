#!/usr/bin/env python3
"""Prints what the scorer makes of sources that were held out in training: the table in `docs/detection.md`.

    tools/detection/train.py --data FOLDER --out OUT --save FILE
    tools/detection/figures.py FILE

The rules have seen all sources, and so has the threshold, unless it says that it hasn't.
"""

import pickle
import re
import sys

import numpy as np

import corpus
import train
from reports.table import auc, share, table

SECURITY = re.compile(r"nemo|llm-guard|garak|pyrit|deepteam|promptfoo", re.I)
QUESTIONS = re.compile(r"banking77|polyai|dolly")
AT = (0.5, 0.2)


def scores(by, margins, rules):
    """As `Margins::probability` has it."""
    length = np.maximum(np.log2(margins[:, 4] / train.features.MANY), 0)
    terms = np.column_stack([margins[:, :4], length, rules]) @ [by[name] for name in train.NAMES] + by["start"]
    return 1 / (1 + np.exp(-np.where(terms < 0, terms * by["below"], terms)))


class Held:
    """Rows that were held out, and their scores as a person's text and as a tool's."""

    def __init__(self, saved):
        self.data, self.margins, self.calibrated = saved
        self.rows = self.data.rows
        self.score = [scores(by, *self.margins[name]) for by, name in zip(self.calibrated, ("PERSON", "TOOL"))]
        self.seen = ~np.isnan(self.score[0])
        whole = self.mask(lambda row: not (row.get("made") or row.get("inside") or row.get("judged")) and not row["source"].startswith(("own", "written")))
        self.long = self.mask(lambda row: "32 KiB" in row["kind"])
        self.attack = self.mask(lambda row: row["label"] == "attack")
        self.whole = whole & ~self.long
        self.hard = self.mask(lambda row: bool(corpus.HARD.search(row["source"])))
        self.requests = self.mask(lambda row: bool(corpus.REQUESTS.search(row["source"])))
        self.judged = self.mask(lambda row: bool(row.get("judged")))
        self.overt = self.judged & self.mask(lambda row: bool(row.get("overt")))
        self.attacks = self.whole & self.attack & self.mask(lambda row: row["origin"] != "tool")
        self.harmless = self.whole & ~self.attack
        self.in_tools = self.harmless & ~self.requests

    def mask(self, of):
        return np.array([bool(of(row)) for row in self.rows]) & self.seen

    def of(self, pattern):
        return self.mask(lambda row: bool(re.search(pattern, row["source"])))


def at_one_percent(attacks, harmless):
    return f"AUC {auc(list(attacks), list(harmless)):.3f}; {100 * np.mean(attacks > np.quantile(harmless, 0.99)):.1f} % at 1 % false alarms"


def lines(held):
    person, tool = held.score

    def line(name, score, mask):
        return [name, *(share(int((score[mask] >= at).sum()), int(mask.sum())) for at in AT)]

    hard, other = held.harmless & held.hard, held.harmless & ~held.hard
    security = hard & held.mask(lambda row: bool(SECURITY.search(row["source"])))
    yield line("harmless, full of the words of attacks", person, hard)
    yield line("of these, security writing", person, security)
    yield line("of these, prompts and role play", person, hard & ~security)
    yield line("other harmless texts", person, other)
    yield line("of these, short questions to banks, shops and encyclopaedias", person, other & held.of(QUESTIONS.pattern))
    yield line("harmless documents of 32 KiB, most of them security writing", person, held.long)
    yield line("the same as a tool's text", tool, held.long)
    yield line("harmless, as a tool's text", tool, held.in_tools)
    yield line("customers' questions, as a tool's text", tool, held.harmless & held.of(corpus.CUSTOMERS.pattern))
    yield line(f"attacks ({at_one_percent(person[held.attacks], person[held.harmless])})", person, held.attacks)
    for source in ("gandalf", "mosscap", "bachelor", "^pyrit$", "^garak$", "deepset", "^deepteam$"):
        yield line(source.strip("^$"), person, held.attacks & held.of(source))
    harmless = tool[held.in_tools]
    yield line(f"other people's attack inside a tool's text ({at_one_percent(tool[held.judged], harmless)})", tool, held.judged)
    yield line(f"of these, overt ones ({at_one_percent(tool[held.overt], harmless)})", tool, held.overt)
    for source in sorted({row["source"] for row, overt in zip(held.rows, held.overt) if overt}):
        yield line(f"overt, {source}", tool, held.overt & held.of(f"^{re.escape(source)}$"))
    documents = held.whole & held.attack & held.mask(lambda row: row["kind"] == "indirect-in-document")
    yield line("documents that hold an attack (garak), as a tool's text", tool, documents)
    yield line("a grammar's, most of them, inside a tool's text", tool, held.mask(lambda row: row.get("inside") and not row.get("judged")) & held.attack)
    yield line("ordinary requests in a tool's text (bipia)", tool, held.whole & held.of("^bipia-train$") & held.attack)


def once(held):
    """Of overt attacks in a tool's text, when each source counts as often as it has attacks: the share at the default, and at 1 % false alarms."""
    tool = held.score[1]
    edge = np.quantile(tool[held.in_tools], 0.99)
    short = held.mask(lambda row: corpus.OVERT.search(f"{row['source']} {row['kind']}") and len(row["text"]) < corpus.PAYLOAD)
    short &= held.whole & held.attack
    found, all_of = np.zeros(2), 0
    for source in sorted({row["source"] for row, overt in zip(held.rows, held.overt) if overt}):
        those = held.of(f"^{re.escape(source)}$")
        count = (short & those).sum()
        found += count * np.array([np.mean(tool[held.overt & those] >= 0.5), np.mean(tool[held.overt & those] > edge)])
        all_of += count
    yield [f"{100 * found[0] / all_of:.1f} %", f"{100 * found[1] / all_of:.1f} %", f"{all_of}"]


def noisy(held):
    """Sources with a hundred texts or more of which more than one in a hundred is denied."""
    for name, score, mask in (("person", held.score[0], held.harmless), ("tool", held.score[1], held.in_tools)):
        for source in sorted({row["source"] for row, one in zip(held.rows, mask) if one}):
            those = mask & held.of(f"^{re.escape(source)}$")
            if those.sum() >= 100 and np.mean(score[those] >= 0.5) > 0.01:
                yield [name, source, share(int((score[those] >= 0.5).sum()), int(those.sum()))]


def apart(held):
    """A person's, with what margins mean learned without the fold that they judge."""
    margins, rules = held.margins["PERSON"]
    fold = np.array([row["fold"] if row.get("fold") is not None else -1 for row in held.rows])
    score = np.full(len(fold), np.nan)
    for one in range(len(corpus.FOLDS)):
        hidden = margins.copy()
        hidden[fold == one] = np.nan
        score[fold == one] = scores(train.calibrate(held.data, hidden, rules, False), margins, rules)[fold == one]
    hard = held.harmless & held.hard
    yield [at_one_percent(score[held.attacks], score[held.harmless])]
    for name, mask in (("attacks", held.attacks), ("harmless", held.harmless), ("full of the words of attacks", hard)):
        yield [name + " " + share(int((score[mask] >= 0.5).sum()), int(mask.sum()))]


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with open(sys.argv[1], "rb") as file:
        held = Held(pickle.load(file))
    print(table("Sources held out", ["", *(f"score {at} or more" for at in AT)], lines(held)))
    print(table("Overt attacks in a tool's text, by how many there are", ["default", "1 % false alarms", "attacks"], once(held)))
    print(table("More than 1 % denied", ["text", "source", "share"], noisy(held)))
    print(table("Calibrated apart", [""], apart(held)))


if __name__ == "__main__":
    main()
