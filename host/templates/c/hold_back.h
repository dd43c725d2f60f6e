// Replaces words in a text that arrives in pieces. Copy `hold_back.h` and `hold_back.c` beside a policy of yours.
//
// What comes out is a function of the whole text alone, however it is cut: what may be the beginning of a word is held until it is known.
// A text without any of the words goes out byte for byte as it came, late only by its undecided end.

#pragma once

#include "witgate.h"

// What to look for: whole words, the letters A to Z in any case, everything else as it stands; of two that begin at one place, the
// longer one. A word may not stand beside an ASCII letter, a digit or `_`, if it begins or ends with one.
typedef struct {
  const witgate_string_t *list;
  size_t count;
  bool begins[256];
} words_t;

void words_init(words_t *words, const witgate_string_t *list, size_t count);

// One passage's text. It begins as zeros, but for `words` and `mask`.
typedef struct {
  const words_t *words;
  // What goes in a found word's place.
  const witgate_string_t *mask;
  // How many words were found.
  uint32_t found;
  // One byte that has gone, for what may not stand beside a word; then all that the host holds.
  char *text;
  size_t length, room;
  // Where what it holds begins, where each delta in it ends, and from where on it is undecided.
  size_t start, *ends, count, open;
} hold_back_t;

// Takes the next delta, and says what is to become of it and of what is held.
void hold_back_push(hold_back_t *it, const witgate_string_t *delta, witgate_policy_types_edit_t *edit);
// The passage ends.
void hold_back_finish(hold_back_t *it, witgate_policy_types_edit_t *edit);
void hold_back_free(hold_back_t *it);
