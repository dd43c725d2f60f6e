// Puts stars in the place of words that answers shouldn't say, and denies requests that are too long.
//
// Every function that begins with `exports_` is called by the host. What it is given is its own, and freed by it; what it returns is made
// by `malloc`, as `witgate_string_dup` does, and freed by the caller.

#include <stdio.h>
#include <stdlib.h>

#include "hold_back.h"
#include "settings.h"
#include "witgate.h"

// What `configure` makes; the host keeps a snapshot of it, and each exchange begins there.
static words_t words;
static witgate_string_t mask;
static int64_t longest = 2000;

// Says what it is. The version is the component's own.
void exports_witgate_policy_policy_describe(exports_witgate_policy_policy_description_t *ret) {
  witgate_string_dup(&ret->name, "{{name}}");
  witgate_string_dup(&ret->version, "0.1.0");
  ret->config_schema.is_some = false;
}

// Takes the settings. The error is shown to the operator.
bool exports_witgate_policy_policy_configure(
    witgate_string_t *config, exports_witgate_policy_policy_wants_t *ret, witgate_string_t *err) {
  setting_t known[] = {{.name = "words", .kind = SETTING_LIST}, {.name = "longest", .kind = SETTING_NUMBER}};
  if (!settings_read(config, known, 2, err)) return false;
  if (known[0].count == 0) return setting_wrong("words", "give a list of words", err);
  for (size_t i = 0; i < known[0].count; i++) {
    if (known[0].list[i].len == 0) return setting_wrong("words", "each is a text, and not an empty one", err);
  }
  if (known[1].given) longest = known[1].number;
  if (longest < 1) return setting_wrong("longest", "give a whole number of at least 1", err);
  words_init(&words, known[0].list, known[0].count);
  witgate_string_dup(&mask, "***");
  ret->hooks = WITGATE_POLICY_TYPES_HOOKS_ON_REQUEST | WITGATE_POLICY_TYPES_HOOKS_ON_ANSWER;
  ret->interest.is_some = false;
  witgate_string_free(config);
  return true;
}

// An exchange has nothing of its own here; a handle needs an address.
struct exports_witgate_policy_policy_exchange_t {
  char nothing;
};

exports_witgate_policy_policy_own_exchange_t exports_witgate_policy_policy_constructor_exchange(void) {
  return exports_witgate_policy_policy_exchange_new(calloc(1, sizeof(exports_witgate_policy_policy_exchange_t)));
}

void exports_witgate_policy_policy_exchange_destructor(exports_witgate_policy_policy_exchange_t *self) { free(self); }

static int64_t characters(const witgate_string_t *text) {
  int64_t count = 0;
  for (size_t i = 0; i < text->len; i++) count += (text->ptr[i] & 0xc0) != 0x80;
  return count;
}

void exports_witgate_policy_policy_method_exchange_on_request(
    exports_witgate_policy_policy_exchange_t *self, exports_witgate_policy_policy_verdict_t *ret) {
  (void)self;
  bool too_long = false;
  witgate_policy_request_list_segment_t segments;
  witgate_policy_request_segments(0, &segments);
  for (size_t i = 0; i < segments.len; i++) too_long |= characters(&segments.ptr[i].text) > longest;
  witgate_policy_request_list_segment_free(&segments);
  *ret = (exports_witgate_policy_policy_verdict_t){.tag = WITGATE_POLICY_TYPES_VERDICT_PROCEED};
  if (!too_long) return;
  ret->tag = WITGATE_POLICY_TYPES_VERDICT_DENY;
  char message[64];
  snprintf(message, sizeof message, "a message may have %lld characters", (long long)longest);
  witgate_string_dup(&ret->val.deny.code, "too-long");
  witgate_string_dup(&ret->val.deny.message, message);
}

// One channel of an answer. It holds back no more than may yet become a word.
struct exports_witgate_policy_policy_passage_t {
  hold_back_t text;
};

bool exports_witgate_policy_policy_method_exchange_on_answer(
    exports_witgate_policy_policy_exchange_t *self, uint32_t choice, exports_witgate_policy_policy_channel_t *channel,
    exports_witgate_policy_policy_own_passage_t *ret) {
  (void)self, (void)choice;
  bool arguments = channel->tag == WITGATE_POLICY_TYPES_CHANNEL_TOOL_ARGUMENTS;
  exports_witgate_policy_policy_channel_free(channel);
  // What a model gives to tools is JSON, which a mask could break: it goes as it is.
  if (arguments) return false;
  exports_witgate_policy_policy_passage_t *passage = calloc(1, sizeof *passage);
  passage->text.words = &words;
  passage->text.mask = &mask;
  *ret = exports_witgate_policy_policy_passage_new(passage);
  return true;
}

void exports_witgate_policy_policy_passage_destructor(exports_witgate_policy_policy_passage_t *self) {
  hold_back_free(&self->text);
  free(self);
}

// Tells of what was found just now.
static void tell(hold_back_t *text) {
  if (text->found == 0) return;
  witgate_policy_types_finding_t finding = {.count = text->found};
  witgate_string_set(&finding.code, "word");
  witgate_policy_host_report(&finding);
  text->found = 0;
}

void exports_witgate_policy_policy_method_passage_on_delta(
    exports_witgate_policy_policy_passage_t *self, witgate_string_t *text, exports_witgate_policy_policy_edit_t *ret) {
  hold_back_push(&self->text, text, ret);
  witgate_string_free(text);
  tell(&self->text);
}

void exports_witgate_policy_policy_method_passage_on_end(
    exports_witgate_policy_policy_passage_t *self, witgate_string_t *finish, exports_witgate_policy_policy_edit_t *ret) {
  witgate_string_free(finish);
  hold_back_finish(&self->text, ret);
  tell(&self->text);
}

void exports_witgate_policy_policy_method_exchange_on_complete(exports_witgate_policy_policy_exchange_t *self) { (void)self; }
