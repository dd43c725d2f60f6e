#include "settings.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *at, *end;
} reader_t;

static char next(reader_t *it) {
  while (it->at < it->end && strchr(" \t\r\n", *it->at)) it->at++;
  return it->at < it->end ? *it->at : 0;
}

static bool take(reader_t *it, char wanted) {
  if (next(it) != wanted) return false;
  it->at++;
  return true;
}

static bool hex(reader_t *it, uint32_t *code) {
  *code = 0;
  for (int i = 0; i < 4; i++, it->at++) {
    if (it->at >= it->end) return false;
    char c = *it->at;
    uint32_t digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 16;
    if (digit == 16) return false;
    *code = *code * 16 + digit;
  }
  return true;
}

// What stands behind `\u`: one code point, which may be two of them.
static bool escaped(reader_t *it, char **to) {
  uint32_t code, second;
  if (!hex(it, &code)) return false;
  if (code >= 0xd800 && code < 0xdc00) {
    if (it->end - it->at < 6 || it->at[0] != '\\' || it->at[1] != 'u') return false;
    it->at += 2;
    if (!hex(it, &second) || second < 0xdc00 || second > 0xdfff) return false;
    code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
  } else if (code >= 0xdc00 && code < 0xe000) {
    return false;
  }
  int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
  *(*to)++ = lead[more] | code >> 6 * more;
  while (more-- > 0) *(*to)++ = 0x80 | ((code >> 6 * more) & 0x3f);
  return true;
}

static bool text(reader_t *it, witgate_string_t *value) {
  if (!take(it, '"')) return false;
  const char *end = it->at;
  while (end < it->end && *end != '"') end += *end == '\\' ? 2 : 1;
  if (end >= it->end) return false;
  // No escape is longer than it is written.
  char *start = malloc(end - it->at + 1), *to = start;
  while (it->at < it->end && *it->at != '"') {
    if (*it->at != '\\') {
      *to++ = *it->at++;
      continue;
    }
    if (++it->at >= it->end) break;
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    char named = *it->at++;
    const char *place = memchr(names, named, sizeof names - 1);
    if (place) *to++ = means[place - names];
    else if (named != 'u' || !escaped(it, &to)) return false;
  }
  *value = (witgate_string_t){(uint8_t *)start, to - start};
  return take(it, '"');
}

static bool number(reader_t *it, int64_t *value) {
  bool negative = take(it, '-');
  const char *from = it->at;
  *value = 0;
  while (it->at < it->end && *it->at >= '0' && *it->at <= '9' && it->at - from < 18) *value = *value * 10 + (*it->at++ - '0');
  if (negative) *value = -*value;
  // A fraction, an exponent or more digits: none of a whole number.
  return it->at > from && !(it->at < it->end && strchr(".eE0123456789", *it->at));
}

static bool list(reader_t *it, setting_t *into) {
  if (!take(it, '[')) return false;
  while (next(it) != ']') {
    if (into->count > 0 && !take(it, ',')) return false;
    into->list = realloc(into->list, (into->count + 1) * sizeof *into->list);
    if (!text(it, &into->list[into->count++])) return false;
  }
  return take(it, ']');
}

static bool null(reader_t *it) {
  if (next(it) != 'n' || it->end - it->at < 4 || memcmp(it->at, "null", 4) != 0) return false;
  it->at += 4;
  return true;
}

bool setting_wrong(const char *name, const char *why, witgate_string_t *error) {
  size_t length = strlen(name) + strlen(why) + 4;
  char *sentence = malloc(length + 1);
  strcpy(sentence, "`");
  strcat(strcat(strcat(sentence, name), "`: "), why);
  *error = (witgate_string_t){(uint8_t *)sentence, length};
  return false;
}

bool settings_read(const witgate_string_t *json, setting_t *settings, size_t count, witgate_string_t *error) {
  static const char *const wrong[] = {"give a text", "give a whole number", "give a list of texts"};
  reader_t it = {(const char *)json->ptr, (const char *)json->ptr + json->len};
  bool well = take(&it, '{');
  for (bool first = true; well && next(&it) != '}'; first = false) {
    witgate_string_t key;
    if (!(well = (first || take(&it, ',')) && text(&it, &key) && take(&it, ':'))) break;
    setting_t *known = NULL;
    for (size_t i = 0; i < count; i++) {
      if (strlen(settings[i].name) == key.len && memcmp(settings[i].name, key.ptr, key.len) == 0) known = &settings[i];
    }
    if (known == NULL) {
      key.ptr[key.len] = 0;
      return setting_wrong((char *)key.ptr, "there is no such setting", error);
    }
    free(key.ptr);
    if (null(&it)) continue;
    known->given = true;
    switch (known->kind) {
      case SETTING_TEXT: well = text(&it, &known->text); break;
      case SETTING_NUMBER: well = number(&it, &known->number); break;
      case SETTING_LIST: well = list(&it, known); break;
    }
    if (!well) return setting_wrong(known->name, wrong[known->kind], error);
  }
  if (well && take(&it, '}')) return true;
  witgate_string_dup(error, "the settings aren't a JSON object");
  return false;
}
