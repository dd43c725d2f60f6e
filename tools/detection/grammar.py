"""Expands the grammars in `pairs/`: text written by people for training, put together from many parts.

A file has one rule a line, `name: one | another | ...`; a line that begins with white space goes on with the rule above it.
`{name}` stands for one of that rule's alternatives, `{a/b/}` for one of these (the last is nothing), `\\n` for the end of a line, `<ob>`,
`<cb>` and `<bar>` for the signs that mean something here.
Rules `attack.KIND` and `benign.KIND` make texts. Those of one kind are each other's neighbours: as near in words as two texts
can be of which one is an attack. A rule `tool.KIND` makes attacks only where nothing should speak to the model: in documents and in
what tools return.
"""

import random
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "pairs"
SLOT = re.compile(r"\{([^{}]*)\}")


def rules(path):
    found, name = {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            body = line
        else:
            name, colon, body = line.partition(":")
            if not colon:
                raise ValueError(f"{path}:{number}: no rule's name")
            found.setdefault(name, [])
        found[name] += [alternative.strip() for alternative in body.split(" | ") if alternative.strip()]
    return found


class Grammar:
    def __init__(self, language):
        self.language = language
        self.rules = rules(FOLDER / f"{language}.txt")

    def heads(self):
        """`(label, kind, index of the frame)` of every frame."""
        for name, frames in sorted(self.rules.items()):
            label, dot, kind = name.partition(".")
            if dot:
                for index in range(len(frames)):
                    yield label, kind, index

    def text(self, label, kind, index, chance):
        text = self.rules[f"{label}.{kind}"][index]
        for _ in range(300):
            slot = SLOT.search(text)
            if not slot:
                break
            text = text[: slot.start()] + self.choice(slot.group(1), chance) + text[slot.end() :]
        text = re.sub(r" +([,.;:!?])(?=\s|$)", r"\1", re.sub(r"[ \t]+", " ", text)).replace("\\n", "\n").strip()
        for written, meant in (("<ob>", "{"), ("<cb>", "}"), ("<bar>", "|")):
            text = text.replace(written, meant)
        return re.sub(r" ?\n ?", "\n", text)

    def choice(self, slot, chance):
        if "/" in slot:
            return chance.choice(slot.split("/"))
        if slot not in self.rules:
            raise ValueError(f"{self.language}: {{{slot}}} is no rule")
        return chance.choice(self.rules[slot])


def styled(text, chance):
    """As people type: without capitals, without full stops, in capitals, politely, in a hurry."""
    draw = chance.random()
    if draw < 0.18:
        text = text.lower()
    elif draw < 0.23:
        text = text.upper()
    elif draw < 0.5:
        text = text[:1].upper() + text[1:]
    if chance.random() < 0.25:
        text = text.rstrip(".!")
    return text


def languages():
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def texts(seed, per_frame):
    """Rows of every language: `text`, `label`, `kind`, `language`, `frame`, `origin`."""
    for language in languages():
        grammar = Grammar(language)
        chance = random.Random(f"{seed} {language}")
        for label, kind, index in grammar.heads():
            seen = set()
            times = per_frame.get(language, per_frame["*"]) * (2 if label == "benign" else 1)
            for _ in range(times):
                text = styled(grammar.text(label, kind, index, chance), chance)
                if text.lower() in seen:
                    continue
                seen.add(text.lower())
                yield {
                    "text": text,
                    "label": "benign" if label == "benign" else "attack",
                    "kind": kind,
                    "language": language,
                    "frame": f"{language}.{label}.{kind}.{index}",
                    "origin": "tool" if label == "tool" else "any",
                    "source": f"own-{language}",
                }
