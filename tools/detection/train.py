#!/usr/bin/env python3
"""Trains the statistical scorer of the policy `prompt-injection`: writes `weights.bin` and `calibration.rs` into its `src/score`.

    python3 -m venv target/detection && target/detection/bin/pip install -r tools/detection/requirements.txt
    target/detection/bin/python tools/detection/train.py --data FOLDER

FOLDER has JSON lines with `text`, `label` and `source`; without `--data` only the text in `pairs/` is read. The same rows, seed and
versions make the same bytes (`--check` trains again on the text in the repository and compares, as the tests do).

How: a logistic regression over windows of words, once for people's texts and once for tools'. An attack is at least one of its windows, so
a second round keeps only those that the first found. Then sources are held out, fold by fold, and what comes of their margins
decides how margins, the rules' score and the length together become a probability.
"""

import argparse
import hashlib
import json
import random
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import corpus
import features

OUT = features.ROOT / "plugins/prompt-injection/src/score"
SEED = 13
# What of the harmless, at most, may be denied at each sensitivity.
FALSE_ALARMS = {"low": 0.001, "medium": 0.005, "high": 0.02}
THRESHOLDS = {"low": 0.8, "medium": 0.5, "high": 0.2}
# Bytes of a short text.
FEW = 140


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Set:
    """Rows with the features of their blocks."""

    def __init__(self, rows, found):
        keep = [i for i, blocks in enumerate(found) if blocks]
        self.rows = [rows[i] for i in keep]
        found = [found[i] for i in keep]
        self.first = np.cumsum([0] + [len(blocks) for blocks in found])
        self.words = np.array([words for blocks in found for words, _ in blocks])
        indices = [features.buckets(f).astype(np.int32) for blocks in found for _, f in blocks]
        ends = np.cumsum([0] + [len(f) for f in indices])
        self.blocks = sparse.csr_matrix(
            (np.ones(ends[-1], dtype=np.float32), np.concatenate(indices), ends), shape=(len(ends) - 1, 1 << features.BITS)
        )
        self.blocks.sum_duplicates()
        self.attack = np.array([row["label"] == "attack" for row in self.rows])
        self.fold = np.array([-1 if row.get("fold") is None else row["fold"] for row in self.rows])
        self.hard = np.array([row["label"] != "attack" and bool(corpus.HARD.search(row["source"])) for row in self.rows])

    def windows(self, chance, most):
        """`(row, first block, last block + 1)` of windows to learn from."""
        found = []
        for i in range(len(self.rows)):
            first, count = self.first[i], self.first[i + 1] - self.first[i]
            short, long = features.windows(int(count))
            all_of = short if count <= features.SHORT else short + long
            cap = most[self.rows[i]["label"]]
            if len(all_of) > cap:
                all_of = chance.sample(all_of, cap)
            found += [(i, first + a, first + b) for a, b in all_of]
        return np.array(found)

    def matrix(self, windows):
        lengths = windows[:, 2] - windows[:, 1]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        columns = np.concatenate([np.arange(a, b) for _, a, b in windows])
        picks = sparse.csr_matrix((np.ones(ends[-1], dtype=np.float32), columns, ends), shape=(len(windows), self.blocks.shape[0]))
        words = picks @ self.words
        return sparse.diags((1 / np.sqrt(words)).astype(np.float32)) @ (picks @ self.blocks)


def fit(x, y, row, weight, count):
    """Two rounds: in the second, only windows of attacks that the first found."""
    keep = np.ones(len(y), bool)
    for last in (False, True):
        model = LogisticRegression(C=1.0, max_iter=60)
        model.fit(x[keep], y[keep], sample_weight=weight[keep])
        if last:
            return model.coef_[0].astype(np.float64)
        margins = x @ model.coef_[0]
        best = np.full(count, -np.inf)
        np.maximum.at(best, row, margins)
        keep = ~y | (margins >= best[row] - 1.0)
        kept = np.bincount(row[keep], minlength=count)
        weight = np.where(y, weight * np.bincount(row, minlength=count)[row] / np.maximum(kept, 1)[row], weight)


def learn(data, x, windows, rows_in, tool):
    """Weights of the features, for people's texts or for tools'."""
    row = windows[:, 0]
    usable = rows_in.copy()
    for i, r in enumerate(data.rows):
        if tool:
            # What people wrote to a model says little of what doesn't belong in a document.
            wanted = r["source"] != "written-person" if r["label"] == "attack" else not corpus.REQUESTS.search(r["source"])
            usable[i] &= wanted or r["kind"] in ("covert", "mention")
        else:
            usable[i] &= r["origin"] != "tool"
    keep = usable[row]
    per_row = np.bincount(row, minlength=len(data.rows))[row]
    weight = np.where(data.attack[row], 1 / per_row, np.maximum(1 / per_row, 0.35))
    weight = weight * np.array([r.get("weight", 1.0) for r in data.rows])[row]
    if not tool:
        weight = np.where(data.hard[row], 3.0, 1.0) * weight
    return fit(x[keep], data.attack[row][keep], row[keep], weight[keep], len(data.rows))


def quantised(weights):
    scale = float(np.quantile(np.abs(weights), 0.9999)) / 127
    return np.clip(np.rint(weights / scale), -127, 127).astype(np.int8), scale


def margins(data, weights, scale, spans):
    """As the policy reads them: `short`, `long`, `spread`, `mean` and the number of blocks, of each span of blocks."""
    sums = np.concatenate([[0], np.cumsum(data.blocks @ weights.astype(np.float64))])
    words = np.concatenate([[0], np.cumsum(data.words)])

    def margin(a, b):
        return (sums[b] - sums[a]) * scale / np.sqrt(words[b] - words[a])

    found = []
    for first, end in spans:
        short, long = features.windows(int(end - first))
        s = max(margin(first + a, first + b) for a, b in short)
        l = sorted((margin(first + a, first + b) for a, b in long), reverse=True)
        found.append((s, l[0], sum(l[:5]) / len(l[:5]), sum(l) / len(l), end - first))
    return np.array(found)


def inputs(m, rules):
    """What the probability is made of; `Margins::probability` has the same."""
    length = np.log2(m[:, 4])
    return np.column_stack([m[:, 0], m[:, 1], m[:, 2], m[:, 3], length, rules])


def rust(scale, calibrated):
    lines = [
        "//! Made by `tools/detection/train.py`, with the weights.",
        "",
        "use super::Calibration;",
        "",
    ]
    for name, one in zip(("PERSON", "TOOL"), calibrated):
        about = "a person's text" if name == "PERSON" else "a tool's"
        lines += [
            f"/// What margins and rules say of {about}.",
            f"pub(super) const {name}: Calibration = Calibration {{",
            f"    scale: {scale[name]:.6f},",
            *(f"    {key}: {value:.5}," for key, value in one.items()),
            "};",
            "",
        ]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", help="a folder of JSON lines; without it, the text in the repository alone")
    arguments.add_argument("--out", type=Path, default=OUT)
    arguments.add_argument("--frames", type=int, default=0, help="texts of each frame of a grammar; 0 is the usual number")
    arguments.add_argument("--save", type=Path, help="keep what was learned of rows that were held out, for a closer look")
    given = arguments.parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    np.random.seed(SEED)
    chance = random.Random(SEED)

    program = features.detect()
    own = corpus.own(SEED, {"*": given.frames} if given.frames else None) + corpus.kept()
    written = corpus.written()
    others = corpus.shared(given.data) if given.data else []
    folds = len(corpus.FOLDS) if others else 2
    for row in own + written:
        # Other people's text is what is held out, if there is any; else a grammar's frames.
        row["fold"] = None if others else int(hashlib.sha256(row["frame"].encode()).hexdigest(), 16) % 2
        row.setdefault("weight", 0.5 if row["label"] == "attack" else 0.7)
    rows = corpus.assembled(own, others, SEED, folds) + written
    say(len(rows), "rows,", sum(row["label"] == "attack" for row in rows), "of them attacks")
    data = Set(rows, features.blocks(program, rows))
    windows = data.windows(chance, {"attack": 24, "benign": 14})
    x = data.matrix(windows)
    say(x.shape, "windows and features;", len(data.words), "blocks")

    # What the rules say; the scorer has no part in it.
    answers = [json.loads(line) for line in features.ask(program, "rules", data.rows).decode().strip().split("\n")]
    everything = np.ones(len(data.rows), bool)
    spans = np.column_stack([data.first[:-1], data.first[1:]])
    table = np.zeros((1 << features.BITS, 2), np.int8)
    scale, calibrated, held_out = {}, [], {}
    for tool, name in ((False, "PERSON"), (True, "TOOL")):
        rules = np.array([answer["tool" if tool else "person"] for answer in answers])
        seen = np.full((len(data.rows), 5), np.nan)
        for fold in range(folds):
            weights = learn(data, x, windows, data.fold != fold, tool)
            out = np.flatnonzero(data.fold == fold)
            seen[out] = margins(data, *quantised(weights), spans[out])
            say(name, "fold", fold, "held out", len(out))
        weights, scale[name] = quantised(learn(data, x, windows, everything, tool))
        table[:, int(tool)] = weights
        calibrated.append(calibrate(data, seen, rules, tool))
        held_out[name] = (seen, rules)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "weights.bin").write_bytes(table.tobytes())
    (given.out / "calibration.rs").write_text(rust(scale, calibrated), encoding="utf-8")
    if given.save:
        import pickle

        given.save.write_bytes(pickle.dumps((data.rows, held_out, calibrated)))


def calibrate(data, seen, rules, tool):
    """A logistic regression on what was held out, put where the false alarms are what they should be."""
    known = ~np.isnan(seen[:, 0])
    usable = known.copy()
    for i, row in enumerate(data.rows):
        if tool:
            usable[i] &= row["label"] == "attack" or not corpus.REQUESTS.search(row["source"])
        else:
            usable[i] &= row["origin"] != "tool"
    # What was made of other rows says less than the rows do: thousands of made attacks would drown those that people wrote.
    inside = np.array([bool(row.get("inside")) for row in data.rows])
    made = np.array([bool(row.get("made")) for row in data.rows])
    usable &= ~made | ~data.attack
    x, y = inputs(seen[usable], rules[usable]), data.attack[usable]
    long = np.array(["32 KiB" in row["kind"] for row in data.rows])[usable]
    few = np.array([len(row["text"]) for row in data.rows])[usable] < FEW
    weight = np.ones(len(y))
    if tool:
        weight[long] = 8.0
    else:
        weight[inside[usable]] = 0.15
        # Harmless texts full of the words of attacks, short ones, and long documents are few here, and many elsewhere.
        weight[data.hard[usable]] = 5.0
        weight[~y & ~data.hard[usable] & few] = 5.0
        weight[long] = 20.0
    weight[made[usable]] = 0.3
    model = LogisticRegression(C=1.0, max_iter=3000)
    model.fit(x, y, sample_weight=weight)
    z = x @ model.coef_[0]
    harmless = (data.hard[usable] & ~long if data.hard[usable].sum() > 300 else ~y) & ~y
    # Where the middle threshold is, and how steep it must be for the others to be where they should.
    at = {name: float(np.quantile(z[harmless], 1 - share)) for name, share in FALSE_ALARMS.items()}
    logit = {name: float(np.log(p / (1 - p))) for name, p in THRESHOLDS.items()}
    steep = (logit["low"] - logit["high"]) / max(at["low"] - at["high"], 1e-6)
    say("tool" if tool else "person", {name: round(float((z[y] > edge).mean()), 3) for name, edge in at.items()}, "found of", int(y.sum()), "weights", model.coef_[0].round(3), "long denied", float((z[long] > at["medium"]).mean()))
    names = ["short", "long", "spread", "mean", "length", "rules"]
    found = {name: float(weight * steep) for name, weight in zip(names, model.coef_[0])}
    found["start"] = logit["medium"] - at["medium"] * steep
    return found


if __name__ == "__main__":
    main()
