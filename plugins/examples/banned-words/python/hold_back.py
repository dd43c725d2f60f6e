"""Replaces words in a text that arrives in pieces. Copy this file beside a policy of yours.

What comes out is a function of the whole text alone, however it is cut: what may be the beginning of a word is held until it is known.
A text without any of the words goes out byte for byte as it came, late only by its undecided end.
"""

import re

from wit_world.imports.types import (
    Edit,
    Edit_Forward,
    Edit_HoldLast,
    Edit_Replace,
    Edit_ReplaceAndHoldLast,
    Replacement,
)


class Words:
    """What to look for: whole words, in any case; of two that begin at one place, the longer one."""

    def __init__(self, words):
        words = sorted(filter(None, words), key=len, reverse=True)
        self.whole = re.compile(_any(map(_whole, words)), re.IGNORECASE)
        self.begun = re.compile(f"(?:{_any(map(_begun, words))})\\Z", re.IGNORECASE)


def _any(parts):
    return "|".join(parts) or "(?!)"


# Only where a word begins or ends with a letter, a digit or `_` does it matter what stands beside it.
def _before(word):
    return r"(?<!\w)" if re.match(r"\w", word) else ""


def _whole(word):
    after = r"(?!\w)" if re.match(r"\w", word[-1]) else ""
    return _before(word) + re.escape(word) + after


def _begun(word):
    """`abc` that the text's end may have cut: `a(?:b(?:c)?)?`."""
    rest = ""
    for letter in reversed(word):
        rest = re.escape(letter) + (f"(?:{rest})?" if rest else "")
    return _before(word) + rest


class HoldBack:
    """One passage's text: give each delta to `push`, the end to `finish`, and return to the host what they return."""

    def __init__(self, words, replace):
        """`replace(word)` gives the text that goes in a found word's place."""
        self.words = words
        self.replace = replace
        # One character that has gone, for what may not stand beside a word; then all that the host holds.
        self._text = ""
        # Where what it holds begins, where each delta in it ends, and from where on it is undecided.
        self._start, self._ends, self._open = 0, [], 0

    def push(self, delta: str) -> Edit:
        return self._read(delta, False)

    def finish(self) -> Edit:
        return self._read("", True)

    def _read(self, delta, last):
        text = self._text + delta
        out, done, at = [], self._start, self._open
        while True:
            cut = None if last else self.words.begun.search(text, at)
            end = cut.start() if cut else len(text)
            found = self.words.whole.search(text, at)
            if not found or found.start() >= end:
                break
            out += [text[done : found.start()], self.replace(found.group())]
            done = at = found.end()
        held = len(text[end:].encode())
        if out:
            out.append(text[done:end])
            self._keep(text, end, [len(text)], end)
            if not held:
                return Edit_Replace("".join(out))
            return Edit_ReplaceAndHoldLast(Replacement("".join(out), held))
        # The host holds whole deltas: those that the undecided end lies in.
        ends = [*self._ends, len(text)]
        gone = [here for here in ends if here <= end]
        self._keep(text, gone[-1] if gone else self._start, ends[len(gone) :], end)
        return Edit_HoldLast(held) if held else Edit_Forward()

    def _keep(self, text, start, ends, opened):
        first = max(start - 1, 0)
        self._text = text[first:]
        self._start, self._open = start - first, opened - first
        self._ends = [end - first for end in ends]
