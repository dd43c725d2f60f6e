// Replaces words in a text that arrives in pieces. Copy this file beside a policy of yours.
//
// What comes out is a function of the whole text alone, however it is cut: what may be the beginning of a word is held until it is known.
// A text without any of the words goes out byte for byte as it came, late only by its undecided end.

// What a word may not stand beside: a letter, a digit or `_`.
const INNER = "[\\p{L}\\p{N}_]";
// Characters that mean something to a regular expression.
const SPECIAL = /[\\^$.*+?()[\]{}|\/]/;

const literal = (character) => (SPECIAL.test(character) ? "\\" + character : character);

/** What to look for: whole words, in any case; of two that begin at one place, the longer one. */
export class Words {
  constructor(words) {
    const spelled = words
      .map((word) => [...word].map(literal))
      .filter((word) => word.length > 0)
      .sort((a, b) => b.length - a.length);
    const any = (parts) => (parts.length > 0 ? parts.join("|") : "[]");
    // Only where a word begins or ends with a letter does it matter what stands beside it.
    const inner = new RegExp(`^${INNER}`, "u");
    const before = (word) => (inner.test(word[0]) ? `(?<!${INNER})` : "");
    const after = (word) => (inner.test(word.at(-1)) ? `(?!${INNER})` : "");
    const whole = (word) => before(word) + word.join("") + after(word);
    // `abc` that the text's end may have cut: `a(?:b(?:c)?)?$`.
    const begun = (word) => before(word) + word.reduceRight((rest, letter) => letter + (rest && `(?:${rest})?`), "");
    this.whole = new RegExp(any(spelled.map(whole)), "giu");
    this.begun = new RegExp(`(?:${any(spelled.map(begun))})$`, "giu");
  }
}

/** One passage's text: give each delta to `push`, the end to `finish`, and return to the host what they return. */
export class HoldBack {
  // One character that has gone, for what may not stand beside a word; then all that the host holds.
  #text = "";
  // Where what it holds begins, where each delta in it ends, and from where on it is undecided.
  #start = 0;
  #ends = [];
  #open = 0;

  /** `replace(word)` gives the text that goes in a found word's place. */
  constructor(words, replace) {
    this.words = words;
    this.replace = replace;
  }

  push(delta) {
    return this.#read(delta, false);
  }

  finish() {
    return this.#read("", true);
  }

  #read(delta, last) {
    const text = this.#text + delta;
    const { whole, begun } = this.words;
    let [out, done, open] = ["", this.#start, text.length];
    for (let at = this.#open; ; at = done) {
      whole.lastIndex = begun.lastIndex = at;
      const cut = last ? null : begun.exec(text);
      open = cut ? cut.index : text.length;
      const found = whole.exec(text);
      if (!found || found.index >= open) break;
      out += text.slice(done, found.index) + this.replace(found[0]);
      done = whole.lastIndex;
    }
    const held = bytes(text.slice(open));
    if (done > this.#start) {
      out += text.slice(done, open);
      this.#keep(text, open, [text.length], open);
      return held === 0
        ? { tag: "replace", val: out }
        : { tag: "replace-and-hold-last", val: { text: out, held } };
    }
    // The host holds whole deltas: those that the undecided end lies in.
    const ends = [...this.#ends, text.length];
    const gone = ends.filter((end) => end <= open);
    this.#keep(text, gone.at(-1) ?? this.#start, ends.slice(gone.length), open);
    return held === 0 ? { tag: "forward" } : { tag: "hold-last", val: held };
  }

  #keep(text, start, ends, open) {
    // A character may be two units.
    const from = start - ([...text.slice(Math.max(start - 2, 0), start)].at(-1)?.length ?? 0);
    this.#text = text.slice(from);
    this.#start = start - from;
    this.#ends = ends.map((end) => end - from);
    this.#open = open - from;
  }
}

/** How many bytes a text has in UTF-8. */
function bytes(text) {
  let count = 0;
  for (const character of text) {
    const point = character.codePointAt(0);
    count += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return count;
}
