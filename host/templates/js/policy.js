// Puts stars in the place of words that answers shouldn't say, and denies requests that are too long.

import host from "witgate:policy/host@1.0.0";
import request from "witgate:policy/request@1.0.0";
import { HoldBack, Words } from "./hold-back.js";

// What `configure` makes; the host keeps it, and each exchange begins there.
let settings;

/** Says what it is. The version is the component's own. */
function describe() {
  return { name: "{{name}}", version: "0.1.0", configSchema: null };
}

/** Takes the settings. What is thrown is shown to the operator. */
function configure(json) {
  const { words, longest = 2000, ...unknown } = JSON.parse(json);
  for (const key in unknown) throw `\`${key}\`: there is no such setting; there are words and longest`;
  if (!Array.isArray(words) || words.length === 0) throw "`words`: give a list of words";
  if (!words.every((word) => typeof word === "string" && word !== "")) throw "`words`: each is a text, and not an empty one";
  if (!Number.isInteger(longest) || longest < 1) throw "`longest`: give a whole number";
  settings = { words: new Words(words), longest };
  return { hooks: { onRequest: true, onAnswer: true }, interest: null };
}

class Exchange {
  onRequest() {
    const tooLong = ({ text }) => [...text].length > settings.longest;
    if (!request.segments(0).some(tooLong)) return { tag: "proceed" };
    const message = `a message may have ${settings.longest} characters`;
    return { tag: "deny", val: { code: "too-long", message, status: null, retryAfter: null } };
  }

  onAnswer(_choice, channel) {
    // What a model gives to tools is JSON, which a mask could break: it goes as it is.
    return channel.tag === "tool-arguments" ? null : new Passage();
  }

  onComplete() {}
}

/** One channel of an answer. It holds back no more than may yet become a word. */
class Passage {
  constructor() {
    this.text = new HoldBack(settings.words, () => {
      host.report({ code: "word", count: 1, detail: null });
      return "***";
    });
  }

  onDelta(text) {
    return this.text.push(text);
  }

  onEnd(_finish) {
    return this.text.finish();
  }
}

export const policy = { describe, configure, Exchange, Passage };
