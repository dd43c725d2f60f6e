"""Puts stars in the place of words that answers shouldn't say, and denies requests that are too long.

The tool looks for `Policy` here, and for the classes of an exchange in a module of this name: so the file stays `policy.py`.
"""

import json

from componentize_py_types import Err
from hold_back import HoldBack, Words
from wit_world import exports
from wit_world.exports import policy
from wit_world.imports import host, request
from wit_world.imports.types import (
    Channel_ToolArguments,
    Denial,
    Description,
    Finding,
    Hooks,
    Verdict_Deny,
    Verdict_Proceed,
    Wants,
)


class Settings:
    """The settings. An `Err` is shown to the operator; any other exception is a fault of the policy."""

    def __init__(self, words=None, longest=2000, **unknown):
        for key in unknown:
            raise Err(f"`{key}`: there is no such setting; there are words and longest")
        if not isinstance(words, list) or not words:
            raise Err("`words`: give a list of words")
        if not all(isinstance(word, str) and word for word in words):
            raise Err("`words`: each is a text, and not an empty one")
        if type(longest) is not int or longest < 1:
            raise Err("`longest`: give a whole number")
        self.words = Words(words)
        self.longest = longest


# What `configure` makes; the host keeps it, and each exchange begins there.
settings: Settings


class Policy(exports.Policy):
    def describe(self):
        """Says what it is. The version is the component's own."""
        return Description("{{name}}", "0.1.0", None)

    def configure(self, config):
        global settings
        settings = Settings(**json.loads(config))
        return Wants(Hooks.ON_REQUEST | Hooks.ON_ANSWER, None)


class Exchange(policy.Exchange):
    def __init__(self):
        pass

    def on_request(self):
        if any(len(segment.text) > settings.longest for segment in request.segments(0)):
            message = f"a message may have {settings.longest} characters"
            return Verdict_Deny(Denial("too-long", message, None, None))
        return Verdict_Proceed()

    def on_answer(self, choice, channel):
        # What a model gives to tools is JSON, which a mask could break: it goes as it is.
        return None if isinstance(channel, Channel_ToolArguments) else Passage()

    def on_complete(self):
        pass


class Passage(policy.Passage):
    """One channel of an answer. It holds back no more than may yet become a word."""

    def __init__(self):
        self.text = HoldBack(settings.words, masked)

    def on_delta(self, text):
        return self.text.push(text)

    def on_end(self, finish):
        return self.text.finish()


def masked(word):
    host.report(Finding("word", 1, None))
    return "***"
