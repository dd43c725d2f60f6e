"""Masks words in answers, counts them, and ends an answer that has too many."""

import json

from componentize_py_types import Err
from hold_back import HoldBack, Words
from wit_world import exports
from wit_world.exports import policy
from wit_world.imports import host
from wit_world.imports.types import (
    Channel_ToolArguments,
    Denial,
    Description,
    Edit_Deny,
    Finding,
    Hooks,
    Verdict_Proceed,
    Wants,
)

CODE = "banned-words"
SCHEMA = {
    "type": "object",
    "required": ["words"],
    "additionalProperties": False,
    "properties": {
        "words": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        "mask": {"type": "string", "default": "***"},
        "most": {"type": ["integer", "null"], "minimum": 0},
    },
}


class Settings:
    """The settings. An `Err` is shown to the operator; every other exception is a trap."""

    def __init__(self, words=None, mask="***", most=None, **unknown):
        for key in unknown:
            raise Err(f"`{key}`: unknown; valid are words, mask, most")
        if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
            raise Err("`words`: give a list of words, none of them empty")
        if not isinstance(mask, str):
            raise Err("`mask`: give a text")
        if most is not None and (type(most) is not int or most < 0):
            raise Err("`most`: give a whole number")
        self.words = Words(words)
        self.mask = mask
        self.most = most


# What `configure` makes; the host keeps a snapshot of it, and each exchange begins there.
settings: Settings


class Policy(exports.Policy):
    def describe(self):
        return Description("banned-words", "0.1.0", json.dumps(SCHEMA))

    def configure(self, config):
        global settings
        settings = Settings(**json.loads(config))
        return Wants(Hooks.ON_ANSWER, None)


class Exchange(policy.Exchange):
    def __init__(self):
        # How many words were found, in all of the answer.
        self.found = 0

    def on_request(self):
        return Verdict_Proceed()

    def on_answer(self, choice, channel):
        # What a model gives to tools is JSON, and goes as it is.
        return None if isinstance(channel, Channel_ToolArguments) else Passage(self)

    def on_complete(self):
        pass


class Passage(policy.Passage):
    def __init__(self, exchange):
        self.exchange = exchange
        self.found = 0
        self.text = HoldBack(settings.words, self.masked)

    def masked(self, word):
        self.found += 1
        return settings.mask

    def on_delta(self, text):
        return self.judge(self.text.push(text))

    def on_end(self, finish):
        return self.judge(self.text.finish())

    def judge(self, edit):
        if not self.found:
            return edit
        host.report(Finding(CODE, self.found, None))
        self.exchange.found += self.found
        self.found = 0
        if settings.most is None or self.exchange.found <= settings.most:
            return edit
        return Edit_Deny(Denial(CODE, f"the answer has more than {settings.most} banned words", None, None))
