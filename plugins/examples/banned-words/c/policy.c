// Masks words in answers, counts them, and ends an answer that has too many.

#include <stdlib.h>
#include <string.h>

#include "witgate.h"
#include "hold_back.h"
#include "settings.h"

#define CODE "banned-words"

// What `configure` makes; the host keeps a snapshot of it, and each exchange begins there.
static words_t words;
static witgate_string_t mask;
static bool has_most;
static int64_t most;

static const char *const SCHEMA =
    "{\"type\":\"object\",\"required\":[\"words\"],\"additionalProperties\":false,\"properties\":{"
    "\"words\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\",\"minLength\":1}},"
    "\"mask\":{\"type\":\"string\",\"default\":\"***\"},\"most\":{\"type\":[\"integer\",\"null\"],\"minimum\":0}}}";

void exports_witgate_policy_policy_describe(exports_witgate_policy_policy_description_t *ret) {
  witgate_string_dup(&ret->name, "banned-words");
  witgate_string_dup(&ret->version, "0.1.0");
  ret->config_schema.is_some = true;
  witgate_string_dup(&ret->config_schema.val, SCHEMA);
}

// The error is shown to the operator.
bool exports_witgate_policy_policy_configure(witgate_string_t *config, exports_witgate_policy_policy_wants_t *ret, witgate_string_t *err) {
  setting_t known[] = {{"words", SETTING_LIST}, {"mask", SETTING_TEXT}, {"most", SETTING_NUMBER}};
  if (!settings_read(config, known, 3, err)) return false;
  if (known[0].count == 0) return setting_wrong("words", "give a list of words, none of them empty", err);
  for (size_t i = 0; i < known[0].count; i++) {
    if (known[0].list[i].len == 0) return setting_wrong("words", "give a list of words, none of them empty", err);
  }
  words_init(&words, known[0].list, known[0].count);
  if (known[1].given) mask = known[1].text;
  else witgate_string_dup(&mask, "***");
  has_most = known[2].given;
  most = known[2].number;
  if (has_most && most < 0) return setting_wrong("most", "give a whole number", err);
  ret->hooks = WITGATE_POLICY_TYPES_HOOKS_ON_ANSWER;
  ret->interest.is_some = false;
  witgate_string_free(config);
  return true;
}

struct exports_witgate_policy_policy_exchange_t {
  // How many words were found, in all of the answer.
  int64_t found;
};

struct exports_witgate_policy_policy_passage_t {
  exports_witgate_policy_policy_exchange_t *exchange;
  hold_back_t text;
};

exports_witgate_policy_policy_own_exchange_t exports_witgate_policy_policy_constructor_exchange(void) {
  return exports_witgate_policy_policy_exchange_new(calloc(1, sizeof(exports_witgate_policy_policy_exchange_t)));
}

void exports_witgate_policy_policy_exchange_destructor(exports_witgate_policy_policy_exchange_t *self) { free(self); }

void exports_witgate_policy_policy_method_exchange_on_request(
    exports_witgate_policy_policy_exchange_t *self, exports_witgate_policy_policy_verdict_t *ret) {
  (void)self;
  ret->tag = WITGATE_POLICY_TYPES_VERDICT_PROCEED;
}

bool exports_witgate_policy_policy_method_exchange_on_answer(
    exports_witgate_policy_policy_exchange_t *self, uint32_t choice, exports_witgate_policy_policy_channel_t *channel,
    exports_witgate_policy_policy_own_passage_t *ret) {
  (void)choice;
  bool tool = channel->tag == WITGATE_POLICY_TYPES_CHANNEL_TOOL_ARGUMENTS;
  exports_witgate_policy_policy_channel_free(channel);
  // What a model gives to tools is JSON, and goes as it is.
  if (tool) return false;
  exports_witgate_policy_policy_passage_t *passage = calloc(1, sizeof *passage);
  passage->exchange = self;
  passage->text.words = &words;
  passage->text.mask = &mask;
  *ret = exports_witgate_policy_policy_passage_new(passage);
  return true;
}

void exports_witgate_policy_policy_method_exchange_on_complete(exports_witgate_policy_policy_exchange_t *self) { (void)self; }

void exports_witgate_policy_policy_passage_destructor(exports_witgate_policy_policy_passage_t *self) {
  hold_back_free(&self->text);
  free(self);
}

// Counts what was found just now, and ends the answer where that is too much.
static void judge(exports_witgate_policy_policy_passage_t *self, exports_witgate_policy_policy_edit_t *edit) {
  if (self->text.found == 0) return;
  witgate_policy_types_finding_t finding = {.count = self->text.found};
  witgate_string_set(&finding.code, CODE);
  witgate_policy_host_report(&finding);
  self->exchange->found += self->text.found;
  self->text.found = 0;
  if (!has_most || self->exchange->found <= most) return;
  exports_witgate_policy_policy_edit_free(edit);
  *edit = (exports_witgate_policy_policy_edit_t){.tag = WITGATE_POLICY_TYPES_EDIT_DENY};
  witgate_string_dup(&edit->val.deny.code, CODE);
  witgate_string_dup(&edit->val.deny.message, "the answer has too many banned words");
}

void exports_witgate_policy_policy_method_passage_on_delta(
    exports_witgate_policy_policy_passage_t *self, witgate_string_t *text, exports_witgate_policy_policy_edit_t *ret) {
  hold_back_push(&self->text, text, ret);
  witgate_string_free(text);
  judge(self, ret);
}

void exports_witgate_policy_policy_method_passage_on_end(
    exports_witgate_policy_policy_passage_t *self, witgate_string_t *finish, exports_witgate_policy_policy_edit_t *ret) {
  witgate_string_free(finish);
  hold_back_finish(&self->text, ret);
  judge(self, ret);
}
