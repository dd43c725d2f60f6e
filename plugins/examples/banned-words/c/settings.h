// Reads a policy's settings: one JSON object of texts, whole numbers and lists of texts. Copy `settings.h` and `settings.c` beside a
// policy of yours.

#pragma once

#include "witgate.h"

typedef enum { SETTING_TEXT, SETTING_NUMBER, SETTING_LIST } setting_kind_t;

// One setting that a policy knows.
typedef struct {
  const char *name;
  setting_kind_t kind;
  // Whether it was given; `null` is as if it weren't.
  bool given;
  witgate_string_t text;
  int64_t number;
  witgate_string_t *list;
  size_t count;
} setting_t;

// Fills in those that stand in the JSON. On an error, which is false, `*error` is a sentence for the operator, in memory of its own.
bool settings_read(const witgate_string_t *json, setting_t *settings, size_t count, witgate_string_t *error);

// Says what is wrong with a setting, in the same form; always false, for a `return`.
bool setting_wrong(const char *name, const char *why, witgate_string_t *error);
