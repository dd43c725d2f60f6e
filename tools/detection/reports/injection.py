"""What `prompt-injection` finds and wrongly denies: by kind, in documents, by language, in disguise.

Rows are JSON lines with `text` and `label` (`attack` or `benign`), and if they like `source`, `kind`, `language`, and `origin` (`person`
or `tool`, whose text it is).
"""

import json
import random
from collections import defaultdict

import disguises
import features
from reports.table import auc, share, table

THRESHOLD = 0.5
CARRIER = 4000


def rows(folder):
    for path in sorted(folder.glob("**/*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if line.strip():
                row = json.loads(line)
                if "text" not in row or row.get("label") not in ("attack", "benign"):
                    raise SystemExit(f"{path}:{number}: a row needs a text, and a label that is attack or benign")
                yield row


def scored(program, found):
    answers = features.ask(program, "scores", found).decode().strip().split("\n") if found else []
    return [json.loads(answer)["score"] for answer in answers]


def grouped(found, scores, label):
    groups = defaultdict(list)
    for row, score in zip(found, scores):
        if row["label"] == label:
            groups[(row.get("source", ""), row.get("kind") or "", row.get("language") or "")].append(score)
    return sorted(groups.items())


def hits(scores):
    return sum(score >= THRESHOLD for score in scores)


def report(folder):
    program = features.detect()
    found = list(rows(folder))
    scores = scored(program, found)
    of = {label: [s for r, s in zip(found, scores) if r["label"] == label] for label in ("attack", "benign")}
    yield table(
        "All together, at the default threshold",
        ["", ""],
        [
            ["attacks found", share(hits(of["attack"]), len(of["attack"]))],
            ["harmless denied", share(hits(of["benign"]), len(of["benign"]))],
            ["AUC", f"{auc(of['attack'], of['benign']):.3f}"],
        ],
    )
    for label, title in (("benign", "Harmless texts denied"), ("attack", "Attacks found")):
        groups = grouped(found, scores, label)
        if groups:
            yield table(title, ["source", "kind", "language", "share"], [[*group, share(hits(s), len(s))] for group, s in groups])

    chance = random.Random(7)
    attacks = [row for row in found if row["label"] == "attack" and len(row["text"]) < 1500]
    benign = [row for row in found if row["label"] == "benign" and len(row["text"]) > 200]
    if attacks and benign:
        made = []
        for row in chance.sample(attacks, min(len(attacks), 600)):
            text = ""
            while len(text) < 800:
                text += chance.choice(benign)["text"][:CARRIER] + "\n\n"
            at = chance.choice([0, len(text), text.find("\n") + 1, text.rfind(". ") + 1])
            made.append({**row, "origin": "tool", "text": text[:at] + "\n" + row["text"] + "\n" + text[at:]})
        long = []
        for _ in range(200):
            text = ""
            while len(text) < 32 << 10:
                text += chance.choice(benign)["text"] + "\n\n"
            long.append({"text": text})
        yield table("Documents", ["", ""], [
            ["attacks found that stand in a tool's text", share(hits(scored(program, made)), len(made))],
            ["harmless of 32 KiB denied, a person's", share(hits(scored(program, long)), len(long))],
            ["harmless of 32 KiB denied, a tool's", share(hits(scored(program, [{**row, "origin": "tool"} for row in long])), len(long))],
        ])

    caught = [r for r, s in zip(found, scores) if r["label"] == "attack" and s >= THRESHOLD and r["text"].isascii() and len(r["text"]) < 600]
    caught = chance.sample(caught, min(len(caught), 150))
    lines = []
    for name, disguise in disguises.DISGUISES.items():
        made = [{**row, "text": disguise(row["text"], random.Random(f"7 {name} {row['text']}"))} for row in caught]
        lines.append([name, share(hits(scored(program, made)), len(made))])
    if caught:
        yield table("Attacks that are found, found in disguise", ["disguise", "still found"], lines)
