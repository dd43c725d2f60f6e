// Masks words in answers, counts them, and ends an answer that has too many.

import host from "witgate:policy/host@1.0.0";
import { HoldBack, Words } from "./hold-back.js";

const CODE = "banned-words";
const KEYS = ["words", "mask", "most"];

// What `configure` makes; the host keeps a snapshot of it, and each exchange begins there.
let settings;

/** Reads the settings. What is thrown is shown to the operator. */
function configure(json) {
  const given = JSON.parse(json);
  const unknown = Object.keys(given).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw `\`${unknown}\`: unknown; valid are ${KEYS.join(", ")}`;
  const { words, mask = "***", most = null } = given;
  const list = Array.isArray(words) && words.length > 0;
  if (!list || !words.every((word) => typeof word === "string" && word !== "")) {
    throw "`words`: give a list of words, none of them empty";
  }
  if (typeof mask !== "string") throw "`mask`: give a text";
  if (most !== null && !(Number.isInteger(most) && most >= 0)) throw "`most`: give a whole number";
  settings = { words: new Words(words), mask, most };
  return { hooks: { onAnswer: true }, interest: null };
}

class Exchange {
  // How many words were found, in all of the answer.
  found = 0;

  onRequest() {
    return { tag: "proceed" };
  }

  onAnswer(_choice, channel) {
    // What a model gives to tools is JSON, and goes as it is.
    return channel.tag === "tool-arguments" ? null : new Passage(this);
  }

  onComplete() {}
}

class Passage {
  constructor(exchange) {
    this.exchange = exchange;
    this.found = 0;
    this.text = new HoldBack(settings.words, () => (this.found++, settings.mask));
  }

  onDelta(text) {
    return this.judge(this.text.push(text));
  }

  onEnd(_finish) {
    return this.judge(this.text.finish());
  }

  judge(edit) {
    if (this.found === 0) return edit;
    host.report({ code: CODE, count: this.found, detail: null });
    this.exchange.found += this.found;
    this.found = 0;
    if (settings.most === null || this.exchange.found <= settings.most) return edit;
    const message = `the answer has more than ${settings.most} banned words`;
    return { tag: "deny", val: { code: CODE, message, status: null, retryAfter: null } };
  }
}

const SCHEMA = {
  type: "object",
  required: ["words"],
  additionalProperties: false,
  properties: {
    words: { type: "array", minItems: 1, items: { type: "string", minLength: 1 } },
    mask: { type: "string", default: "***" },
    most: { type: ["integer", "null"], minimum: 0 },
  },
};

function describe() {
  return { name: "banned-words", version: "0.1.0", configSchema: JSON.stringify(SCHEMA) };
}

export const policy = { describe, configure, Exchange, Passage };
