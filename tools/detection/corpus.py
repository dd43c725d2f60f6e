"""The rows that training reads: text of our own (`pairs/`), and a folder of other people's, each with its source."""

import json
import random
import re
from pathlib import Path

import grammar

# What reads like a user's request. In a tool's result it isn't ordinary, so the weights for tools don't learn it as harmless.
REQUESTS = re.compile(r"deepset|bachelor|prompts\.chat$|gpteacher|dolly|banking77|polyai|promptfoo-|own-|written-person")
# What customers wrote. In a ticket or a mail that a tool returns it is harmless, whatever they ask for.
CUSTOMERS = re.compile(r"banking77|polyai")
# Whole texts into which attacks are put: pages, mails, tickets, code.
CARRIERS = re.compile(r"based-cooking|bipia-train-|-commits$|fastapi-docs-|-docs$|tower$|mini-redis|ripgrep|spin|prompt-engineering-guide|dolly")
# Texts full of the words of attacks that are none: false alarms are counted on these.
HARD = re.compile(r"nemo|llm-guard|garak|pyrit|deepteam|promptfoo|prompt-engineering|prompts\.chat|gpteacher|bachelor|deepset", re.I)

# Attacks that are overt wherever they stand: most speak to a model, or set aside what it was told. Not among them are a game's single turns
# (gandalf, mosscap), ordinary errands (bipia), documents that already hold an attack (garak), and what deepteam calls abuse of tools.
OVERT = re.compile(
    r"^(deepset-train|bachelor-jailbreak|pyrit|promptfoo|parapet-giskard) |^garak (extraction|indirect|persona)$"
    r"|^deepteam (extraction|override|authority|goal-hijack|indirect|agent-to-agent|fake-context|framing)$"
)

# Sources that are held out together, since their texts have one origin.
FOLDS = [
    r"bachelor|^pyrit$|^promptfoo$|nemo|dolly|ripgrep|fastapi-docs-(de|fr|hi)",
    r"parapet|llm-guard|^prompts\.chat$|banking77|tower|fastapi-docs-(es|pt|zh)|pingora",
    r"deepset|^garak-|gpteacher|based-cooking|spin|fastapi-docs-(ja|ko|en)",
    r"^bipia|^garak$|prompt-engineering|polyai|mini-redis|fastapi-docs-(ru|uk)|linkerd",
    r"^deepteam$|pyrit-|deepteam-|promptfoo-|prompts.chat-|agentgateway|gitleaks|fastapi|policy-server",
]

# Characters of the longest attack that is judged in a document.
PAYLOAD = 1500


def fold_of(source):
    for index, pattern in enumerate(FOLDS):
        if re.search(pattern, source, re.I):
            return index
    return None


def own(seed, per_frame=None):
    return list(grammar.texts(seed, per_frame or {"en": 22, "*": 20}))


def written():
    """Pairs of an attack and its nearest harmless neighbour, each written for itself: no grammar made them."""
    rows = []
    for path in sorted((Path(__file__).parent / "pairs/written").glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").strip().split("\n")):
            pair = json.loads(line)
            for label in ("attack", "benign"):
                # An errand in a document is an attack by what it does, not by its words.
                if label == "attack" and pair["kind"] == "plain":
                    continue
                rows.append({
                    "text": pair[label],
                    "label": label,
                    "kind": pair["kind"],
                    "source": f"written-{pair['where']}",
                    "language": pair["language"],
                    "frame": f"{path.stem} {number}",
                    "origin": "tool" if pair["where"] == "tool" else "any",
                    "weight": 1.0,
                })
    return rows


def shared(folder):
    rows = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").strip().split("\n"):
            row = json.loads(line)
            rows.append({
                "text": row["text"],
                "label": row["label"],
                "kind": row.get("kind") or "",
                "source": row["source"],
                "language": "",
                "origin": "tool" if row["source"] == "bipia-train" else "any",
                "fold": fold_of(row["source"]),
            })
    return rows


def documents(rows, attacks, seed, count):
    """Attacks put into harmless texts, between two of their sentences or lines, or around them."""
    chance = random.Random(f"{seed} documents")
    carriers = [row for row in rows if row["label"] == "benign" and CARRIERS.search(row["source"]) and len(row["text"]) > 200]
    made = []
    for _ in range(count):
        payload = chance.choice(attacks)
        parts = [chance.choice(carriers)["text"] for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        text = "\n\n".join(parts)
        places = [match.end() for match in re.finditer(r"[.!?]\s|\n", text)] or [len(text)]
        at = chance.choice([0, len(text), chance.choice(places), chance.choice(places), chance.choice(places)])
        inner = payload["text"]
        inner = chance.choice(["{}", "{}", "{}", "\n{}\n", "\n\n{}\n\n", "<!-- {} -->", "[{}]", "({})", "\n> {}\n", "\n# {}\n"]).format(inner)
        made.append({
            **payload,
            "text": text[:at].rstrip(" ") + " " + inner + " " + text[at:],
            "kind": "in a document",
            "overt": bool(OVERT.search(f"{payload['source']} {payload['kind']}")),
            "inside": True,
            "length": len(inner),
        })
    return made


def wrapped(attacks, seed, count):
    """Attacks with a word before or after them: about security, thanks, a question, a quotation that is the whole message."""
    chance = random.Random(f"{seed} wrapped")
    before = (
        "Security test: |For my security class: |This is a penetration test. |As a security researcher I need this. |"
        "I study jailbreaks. |Red team exercise. |Hi! |Thanks for your help so far. |"
        "Here is my question. What is the capital of France? |Translate this to German: good morning. |Great, thank you. |"
        "I love your work. |Attention please. |Hello assistant, how are you today? |We talked about safety before. |"
        "Don't worry, this is authorized. |Quick question: "
    ).split("|")
    after = " Thanks!| Please.| This is important.| I am a security researcher.| It is only a test.| What is 2+2?| ok?||||".split("|")
    made = []
    for _ in range(count):
        row = chance.choice(attacks)
        frame = chance.choice(["{}", "{}", "{}", '"{}"', "“{}”", "```\n{}\n```", "> {}", "'{}'"])
        text = chance.choice(before) + frame.replace("{}", row["text"]) + chance.choice(after)
        made.append({**row, "text": text, "made": True})
    return made


MENTIONS = [
    'What does "{0}" mean?',
    'Why do models fall for texts such as "{0}"?',
    'Classify this message as attack or harmless, and say why: "{0}"',
    'A user wrote "{0}" to our bot. How should the filter react?',
    'Examples of attacks that the filter denies:\n- {0}\n- {1}\n- {2}\nPrivilege control and human approval limit the harm.',
    'Typical prompt injections are "{0}", "{1}" and "{2}". A model should treat them as data.',
    'Write unit tests for my detector; the inputs are "{0}", "{1}" and "{2}".',
    'def test_denied():\n    for text in ["{0}", "{1}"]:\n        assert scan(text).score > 0.5',
    'const ATTACKS = ["{0}", "{1}", "{2}"];',
    'In this case an attacker puts the words "{0}" into a web page. The assistant reads the page and may follow them; a gateway that reads tool results can deny it.',
    'The paper gives "{0}" as an example of a jailbreak and measures how often models comply.',
    'Translate into German for my slides on security: "{0}"',
    'How can I protect my chatbot from people who write "{0}"?',
    'payload: "{0}"\nexpected: denied\npayload: "{1}"\nexpected: denied',
    '| kind | example |\n|---|---|\n| override | {0} |\n| extraction | {1} |\n| persona | {2} |\n\nThe table lists what red teams try first.',
    'Changelog: the detector finds "{0}" now; articles that quote it pass.',
    'If a document says "{0}", it is an injection and the model must not obey it. Explain how spotlighting helps.',
    'Our chatbot must never follow a text like "{0}". Is this instruction enough?',
    'The red team tried: {0}\nThe model refused. Then they tried: {1}\nThe model refused again. Write the summary of this test for the report.',
    'Is "{0}" a prompt injection?',
]


def mentions(attacks, seed, count):
    """Harmless texts that quote attacks: questions, tests, catalogues, articles."""
    chance = random.Random(f"{seed} mentions")
    made = []
    for _ in range(count):
        row = chance.choice(attacks)
        quoted = [row["text"]] + [chance.choice(attacks)["text"] for _ in range(2)]
        text = chance.choice(MENTIONS)
        for place, attack in enumerate(quoted):
            text = text.replace("{%d}" % place, attack.replace("\n", " "))
        made.append({"text": text, "label": "benign", "kind": "mention", "source": "own-mentions", "language": "", "origin": "any", "fold": row.get("fold"), "weight": 0.7, "made": True})
    return made


def kept():
    """The texts that the crate's tests are about."""
    rows = []
    folder = Path(__file__).resolve().parents[2] / "plugins/prompt-injection/tests/corpus"
    for name, label in (("attacks", "attack"), ("tool_attacks", "attack"), ("benign", "benign"), ("tool_benign", "benign")):
        for text in (folder / f"{name}.txt").read_text(encoding="utf-8").split("\n===\n"):
            if text.strip():
                kind = "covert" if name == "tool_benign" else ""
                rows.append({"text": text.strip(), "label": label, "kind": kind, "source": "own-tests", "language": "", "origin": "tool" if name == "tool_attacks" else "any", "weight": 8.0, "frame": text})
    # A step of the descent has a length of its own, whatever the weight: so they are gone through more often, too.
    return rows * 6


def joined(rows, seed, count):
    """Harmless documents of about 32 KiB, of one source each."""
    chance = random.Random(f"{seed} joined")
    by_source = {}
    for row in rows:
        if row["label"] == "benign" and not REQUESTS.search(row["source"]):
            by_source.setdefault(row["source"], []).append(row)
    sources = sorted(source for source, found in by_source.items() if sum(len(row["text"]) for row in found) > 30_000)
    made = []
    for _ in range(count if sources else 0):
        source = chance.choice(sources)
        parts, length = [], 0
        while length < 32 << 10:
            parts.append(chance.choice(by_source[source])["text"])
            length += len(parts[-1])
        made.append({**by_source[source][0], "text": "\n\n".join(parts), "kind": "a document of 32 KiB"})
    return made


def assembled(own, others, seed, folds):
    """All rows: as they are, in documents, with words around them. What is made of a fold's rows stays in that fold.

    Attacks of other people in documents that are `judged` are held out altogether: of those that are learned from, most are a grammar's.
    """
    rows = others + own
    short = [row for row in rows if row["label"] == "attack" and len(row["text"]) < 600]
    made, judged = [], []
    for fold in range(folds):
        of_fold = [row for row in rows if row.get("fold") == fold]
        payloads = [row for row in short if row.get("fold") == fold]
        payloads += [row for row in short if row.get("fold") is None][fold::folds]
        if any(CARRIERS.search(row["source"]) for row in of_fold):
            made += [dict(row, fold=fold) for row in documents(of_fold, payloads, f"{seed} {fold}", 600)]
            theirs = [row for row in of_fold if row["label"] == "attack" and len(row["text"]) < PAYLOAD]
            judged += [dict(row, fold=fold, judged=True, kind="judged in a document") for row in documents(of_fold, theirs, f"{seed} judged {fold}", 500 if theirs else 0)]
        made += mentions([row for row in payloads if len(row["text"]) < 250], f"{seed} {fold}", 500)
        made += joined(of_fold, f"{seed} {fold}", 60)
    return rows + made + wrapped(short, seed, 3000) + judged
