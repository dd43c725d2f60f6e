#!/usr/bin/env python3
"""Trains the statistical scorer of the policy `prompt-injection`: writes `weights.bin` and `calibration.rs` into its `src/score`.

    python3 -m venv target/detection && target/detection/bin/pip install -r tools/detection/requirements.txt
    target/detection/bin/python tools/detection/train.py --data FOLDER

FOLDER has JSON lines with `text`, `label` and `source`; without `--data` only the text in `pairs/` is read. The same rows, seed and
versions make the same bytes (`--check` trains again on the text in the repository and compares, as the tests do).

How: a logistic regression over windows of words, once for people's texts and once for tools'. An attack is at least one of its windows, so
a second round keeps only those that the first found. Of the features that more than one source has, those that tell most get a place
in the table, and their weights are learned again without the others. Then sources are held out, fold by fold, and what comes of their
margins decides how margins, the rules' score and the length together become a probability.
"""

import argparse
import hashlib
import json
import pickle
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression

import corpus
import descent
import features

OUT = features.ROOT / "plugins/prompt-injection/src/score"
SEED = 13
# What of the harmless, at most, may be denied at each sensitivity.
FALSE_ALARMS = {"low": 0.001, "medium": 0.005, "high": 0.02}
THRESHOLDS = {"low": 0.8, "medium": 0.5, "high": 0.2}
# Bytes of a short text.
FEW = 140
# Words that a window counts with, at least, as in the policy.
FEWEST = 6


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Features:
    """The features of blocks: those of block `b` are `columns[ends[b]:ends[b + 1]]`, of `count` that there are."""

    def __init__(self, words, ends, columns, hashes):
        self.words, self.ends, self.columns, self.hashes = words, ends, columns, hashes
        self.count = len(hashes)

    def only(self, kept):
        """Without the features that aren't kept."""
        stays = kept[self.columns]
        ends = np.concatenate([[0], np.cumsum(stays)])[self.ends]
        return Features(self.words, ends, (np.cumsum(kept) - 1)[self.columns[stays]].astype(np.int32), self.hashes[kept])


class Set:
    """Rows with the features of their blocks."""

    def __init__(self, rows, found):
        keep = [i for i, blocks in enumerate(found) if blocks]
        self.rows = [rows[i] for i in keep]
        found = [found[i] for i in keep]
        self.first = np.cumsum([0] + [len(blocks) for blocks in found])
        words = np.array([words for blocks in found for words, _ in blocks])
        ends = np.cumsum([0] + [len(f) for blocks in found for _, f in blocks])
        hashes, columns = np.unique(features.hashes(np.concatenate([f for blocks in found for _, f in blocks])), return_inverse=True)
        # A feature that a single source has says what that source is about.
        origins = {}
        origin = np.array([origins.setdefault(row.get("frame") or row["source"], len(origins)) for row in self.rows])
        of_feature = np.repeat(np.repeat(origin, np.diff(self.first)), np.diff(ends))
        lowest, highest = np.full(len(hashes), len(origins)), np.full(len(hashes), -1)
        np.minimum.at(lowest, columns, of_feature)
        np.maximum.at(highest, columns, of_feature)
        self.features = Features(words, ends, columns, hashes).only(lowest < highest)
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


def evened(data, usable):
    """How much a row counts by its source: one with four times the rows counts twice as much, attacks and harmless texts each by themselves.

    What several sources agree on is what holds for one that nobody has seen.
    """
    counts = np.ones(len(data.rows))
    source = np.array([row["source"] for row in data.rows])
    others = usable & np.array([not row["source"].startswith(("own", "written")) for row in data.rows])
    for attack in (True, False):
        of_label = others & (data.attack == attack)
        for one in set(source[of_label]):
            those = of_label & (source == one)
            counts[those] = those.sum() ** -0.5
        weight = np.array([row.get("weight", 1.0) for row in data.rows])
        counts[of_label] *= weight[of_label].sum() / max((weight * counts)[of_label].sum(), 1e-9)
    return counts


def learn(data, of, windows, rows_in, tool):
    """Weights of the features `of` the rows, for people's texts or for tools'."""
    row = windows[:, 0]
    usable = rows_in.copy()
    for i, r in enumerate(data.rows):
        if r.get("judged"):
            usable[i] = False
        elif tool:
            # What people wrote to a model says little of what doesn't belong in a document.
            request = corpus.REQUESTS.search(r["source"]) and not corpus.CUSTOMERS.search(r["source"])
            wanted = r["source"] != "written-person" if r["label"] == "attack" else not request
            usable[i] &= wanted or r["kind"] in ("covert", "mention")
        else:
            usable[i] &= r["origin"] != "tool"
    keep = usable[row]
    per_row = np.bincount(row, minlength=len(data.rows))[row]
    weight = np.where(data.attack[row], 1 / per_row, np.maximum(1 / per_row, 0.35))
    weight = weight * (evened(data, usable) * np.array([r.get("weight", 1.0) for r in data.rows]))[row]
    if not tool:
        weight = np.where(data.hard[row], 3.0, 1.0) * weight
    return descent.fit(of, windows[keep], data.attack[row][keep], weight[keep], SEED)


def chosen(data, windows, rows_in, weights):
    """Which features get a place: of those that share one, the one that matters most."""
    blocks = np.repeat(rows_in, np.diff(data.first)).astype(float)
    often = descent.touched(data.features.ends, data.features.columns, blocks, data.features.count)
    matters = np.max(np.abs(weights), axis=0) * np.sqrt(often)
    order = np.argsort(-matters, kind="stable")
    _, first = np.unique(features.places(data.features.hashes[order]), return_index=True)
    kept = np.zeros(data.features.count, bool)
    kept[order[first]] = True
    return kept & (matters > 0)


def scorer(data, windows, rows_in):
    """The features that have a place, and their weights in people's texts and in tools', each with its scale."""
    weights = [learn(data, data.features, windows, rows_in, tool) for tool in (False, True)]
    of = data.features.only(chosen(data, windows, rows_in, weights))
    return of, [quantised(learn(data, of, windows, rows_in, tool)) for tool in (False, True)]


def table(of, weights):
    """The bytes that the policy has."""
    found = np.zeros((features.PLACES, 3), np.uint8)
    places = features.places(of.hashes)
    found[places, 0] = of.hashes & 0xFF
    for role, (quantised, _) in enumerate(weights):
        found[places, 1 + role] = quantised.view(np.uint8)
    return found.tobytes()


def quantised(weights):
    scale = float(np.quantile(np.abs(weights), 0.9999)) / 127
    return np.clip(np.rint(weights / scale), -127, 127).astype(np.int8), scale


def margins(of, weights, scale, spans):
    """As the policy reads them: `short`, `long`, `spread`, `mean` and the number of blocks, of each span of blocks."""
    sums = np.concatenate([[0], np.cumsum(descent.sums(of.ends, of.columns, weights.astype(float)))])
    words = np.concatenate([[0], np.cumsum(of.words)])

    def margin(a, b):
        return (sums[b] - sums[a]) * scale / np.sqrt(max(words[b] - words[a], FEWEST))

    found = []
    for first, end in spans:
        short, long = features.windows(int(end - first))
        s = max(margin(first + a, first + b) for a, b in short)
        l = sorted((margin(first + a, first + b) for a, b in long), reverse=True)
        found.append((s, l[0], sum(l[:5]) / len(l[:5]), sum(l) / len(l), end - first))
    return np.array(found)


NAMES = ("short", "long", "spread", "mean", "length", "rules")


def inputs(m, rules, tool):
    """What the probability is made of; `Margins::probability` has the same.

    Of a person's text these are few: with each margin by itself the weights fit the sources at hand, and fail on others.
    """
    length = np.maximum(np.log2(m[:, 4] / features.MANY), 0)
    if tool:
        return np.column_stack([m[:, :4], length, rules])
    return np.column_stack([m[:, 0] + 0.5 * m[:, 1], length, rules])


def named(weights, tool):
    """The weight of each of [`NAMES`]."""
    return weights if tool else [weights[0], 0.5 * weights[0], 0.0, 0.0, *weights[1:]]


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
    arguments.add_argument("--save", type=Path, help="keep what was learned of rows that were held out, for `figures.py`")
    given = arguments.parse_args()
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
    say(len(windows), "windows;", len(data.features.words), "blocks;", data.features.count, "features")

    # What the rules say; the scorer has no part in it.
    answers = [json.loads(line) for line in features.ask(program, "rules", data.rows).decode().strip().split("\n")]
    spans = np.column_stack([data.first[:-1], data.first[1:]])
    names = ("PERSON", "TOOL")
    seen = {name: np.full((len(data.rows), 5), np.nan) for name in names}
    for fold in range(folds):
        of, weights = scorer(data, windows, data.fold != fold)
        out = np.flatnonzero(data.fold == fold)
        for name, (quantised, scale) in zip(names, weights):
            seen[name][out] = margins(of, quantised, scale, spans[out])
        say("fold", fold, "held out", len(out))
    of, weights = scorer(data, windows, np.ones(len(data.rows), bool))
    rules = {name: np.array([answer[name.lower()] for answer in answers]) for name in names}
    calibrated = [calibrate(data, seen[name], rules[name], name == "TOOL") for name in names]
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "weights.bin").write_bytes(table(of, weights))
    (given.out / "calibration.rs").write_text(rust(dict(zip(names, (scale for _, scale in weights))), calibrated), encoding="utf-8")
    if given.save:
        kept = SimpleNamespace(rows=data.rows, attack=data.attack, hard=data.hard)
        given.save.write_bytes(pickle.dumps((kept, {name: (seen[name], rules[name]) for name in names}, calibrated)))


def calibrate(data, seen, rules, tool):
    """A logistic regression on what was held out, put where the false alarms are what they should be."""
    usable = ~np.isnan(seen[:, 0])
    for i, row in enumerate(data.rows):
        if tool:
            usable[i] &= row["label"] == "attack" or not corpus.REQUESTS.search(row["source"])
        else:
            usable[i] &= row["origin"] != "tool" and not row.get("judged")
    # What was made of other rows says less than the rows do: thousands of made attacks would drown those that people wrote.
    inside = np.array([bool(row.get("inside")) for row in data.rows])
    made = np.array([bool(row.get("made")) for row in data.rows])
    usable &= ~made | ~data.attack
    x, y = inputs(seen[usable], rules[usable], tool), data.attack[usable]
    long = np.array(["32 KiB" in row["kind"] for row in data.rows])[usable]
    few = np.array([len(row["text"]) for row in data.rows])[usable] < FEW
    source = np.array([row["source"] for row in data.rows])[usable]
    weight = np.ones(len(y))
    if tool:
        weight[long] = 8.0
    else:
        weight[inside[usable]] = 0.15
        # Each source of attacks counts the same: the one with the most would decide for all kinds.
        for of in set(source[y]):
            whole = y & ~inside[usable] & (source == of)
            weight[whole] = 200 / max(whole.sum(), 1)
        # Harmless texts full of the words of attacks, short ones, and long documents are few here, and many elsewhere.
        weight[data.hard[usable]] = 5.0
        weight[~y & ~data.hard[usable] & few] = 5.0
        weight[long] = 20.0
    weight[made[usable]] = 0.3
    model = LogisticRegression(C=1.0, max_iter=3000)
    model.fit(x, y, sample_weight=weight)
    z = x @ model.coef_[0]
    harmless = (data.hard[usable] & ~long if data.hard[usable].sum() > 300 else ~y) & ~y
    # Where the middle threshold is, and how steep it must be above and below it for the others to be where they should.
    short = ~y & ~data.hard[usable] & few & (source != "own-mentions")

    def edge(share):
        """Short questions may cost a bit more, and no more than that: they are most of what people write."""
        of_short = float(np.quantile(z[short], 1 - 1.6 * share)) if short.sum() >= 400 and not tool else -np.inf
        return max(float(np.quantile(z[harmless], 1 - share)), of_short)

    at = {name: edge(share) for name, share in FALSE_ALARMS.items()}
    logit = {name: float(np.log(p / (1 - p))) for name, p in THRESHOLDS.items()}
    steep, below = ((logit[over] - logit[under]) / max(at[over] - at[under], 1e-6) for over, under in (("low", "medium"), ("medium", "high")))
    say("tool" if tool else "person", {name: round(float((z[y] > edge).mean()), 3) for name, edge in at.items()}, "found of", int(y.sum()), "weights", model.coef_[0].round(3), "long denied", float((z[long] > at["medium"]).mean()))
    found = {name: float(weight * steep) for name, weight in zip(NAMES, named(model.coef_[0], tool))}
    found["start"] = logit["medium"] - at["medium"] * steep
    found["below"] = below / steep
    return found


if __name__ == "__main__":
    main()
