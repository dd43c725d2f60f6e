#include "hold_back.h"

#include <stdlib.h>
#include <string.h>

static unsigned char lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static bool inner(unsigned char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

void words_init(words_t *words, const witgate_string_t *list, size_t count) {
  *words = (words_t){.list = list, .count = count};
  for (size_t i = 0; i < count; i++) {
    if (list[i].len == 0) continue;
    unsigned char first = lower(list[i].ptr[0]);
    words->begins[first] = true;
    if (first >= 'a' && first <= 'z') words->begins[first - 32] = true;
  }
}

// The length of the word that stands there, 0 for none. `*open`: one may stand there, and more of the text is needed to know.
static size_t match(const words_t *words, const char *text, size_t length, size_t at, bool last, bool *open) {
  size_t longest = 0;
  bool within = at > 0 && inner(text[at - 1]);
  for (size_t i = 0; i < words->count; i++) {
    const uint8_t *word = words->list[i].ptr;
    size_t wanted = words->list[i].len, same = 0;
    if (wanted <= longest || (within && inner(word[0]))) continue;
    while (same < wanted && at + same < length && lower(text[at + same]) == lower(word[same])) same++;
    bool ends = at + same == length;
    bool beside = same == wanted && inner(word[wanted - 1]);
    if (ends && !last && (same < wanted || beside)) {
      *open = true;
      return 0;
    }
    if (same == wanted && !(beside && !ends && inner(text[at + same]))) longest = wanted;
  }
  return longest;
}

static void *grown(void *from, size_t bytes) {
  void *to = realloc(from, bytes);
  if (to == NULL) abort();
  return to;
}

static void append(char **out, size_t *length, const void *text, size_t more) {
  if (more == 0) return;
  *out = grown(*out, *length + more);
  memcpy(*out + *length, text, more);
  *length += more;
}

// Forgets what has gone, but for one byte.
static void keep(hold_back_t *it, size_t start, size_t open) {
  size_t from = start > 0 ? start - 1 : 0;
  it->length -= from;
  if (it->length > 0) memmove(it->text, it->text + from, it->length);
  for (size_t i = 0; i < it->count; i++) it->ends[i] -= from;
  it->start = start - from;
  it->open = open - from;
}

static void step(hold_back_t *it, bool last, witgate_policy_types_edit_t *edit) {
  char *out = NULL;
  size_t out_length = 0, done = it->start, at = it->open;
  uint32_t before = it->found;
  for (bool open = false; at < it->length; ) {
    size_t length = 0;
    if (it->words->begins[(unsigned char)it->text[at]]) {
      length = match(it->words, it->text, it->length, at, last, &open);
      if (open) break;
    }
    if (length == 0) {
      at++;
      continue;
    }
    append(&out, &out_length, it->text + done, at - done);
    append(&out, &out_length, it->mask->ptr, it->mask->len);
    it->found++;
    done = at += length;
  }
  size_t held = it->length - at;
  if (it->found > before) {
    append(&out, &out_length, it->text + done, at - done);
    witgate_string_t text = {(uint8_t *)out, out_length};
    if (held == 0) {
      edit->tag = WITGATE_POLICY_TYPES_EDIT_REPLACE;
      edit->val.replace = text;
      it->count = 0;
    } else {
      edit->tag = WITGATE_POLICY_TYPES_EDIT_REPLACE_AND_HOLD_LAST;
      edit->val.replace_and_hold_last = (witgate_policy_types_replacement_t){text, held};
      it->ends[0] = it->length;
      it->count = 1;
    }
    keep(it, at, at);
    return;
  }
  edit->tag = held == 0 ? WITGATE_POLICY_TYPES_EDIT_FORWARD : WITGATE_POLICY_TYPES_EDIT_HOLD_LAST;
  edit->val.hold_last = held;
  // The host holds whole deltas: those that the undecided end lies in.
  size_t gone = 0, start = it->start;
  while (gone < it->count && it->ends[gone] <= at) start = it->ends[gone++];
  it->count -= gone;
  if (gone > 0) memmove(it->ends, it->ends + gone, it->count * sizeof *it->ends);
  keep(it, start, at);
}

void hold_back_push(hold_back_t *it, const witgate_string_t *delta, witgate_policy_types_edit_t *edit) {
  if (it->length + delta->len > it->room) {
    it->room = 2 * (it->length + delta->len);
    it->text = grown(it->text, it->room);
  }
  if (delta->len > 0) memcpy(it->text + it->length, delta->ptr, delta->len);
  it->length += delta->len;
  it->ends = grown(it->ends, (it->count + 1) * sizeof *it->ends);
  it->ends[it->count++] = it->length;
  step(it, false, edit);
}

void hold_back_finish(hold_back_t *it, witgate_policy_types_edit_t *edit) { step(it, true, edit); }

void hold_back_free(hold_back_t *it) {
  free(it->text);
  free(it->ends);
}
