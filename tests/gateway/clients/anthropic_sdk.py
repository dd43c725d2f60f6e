"""Anthropic's SDK against the gateway."""

import anthropic
from common import ATTACK, BASE, KEY, MODEL, check, puppet, run, user


def client_with(**options):
    return anthropic.Anthropic(**{"base_url": BASE + "/anthropic", "api_key": KEY, "max_retries": 0, **options})


@check
def models_are_listed_and_pages_follow_each_other():
    for client in [client_with(), client_with(base_url=BASE + "/anthropic/"), client_with(base_url=BASE + "/anthropic/v1")]:
        known = [model.id for model in client.models.list(limit=1000)]
        assert MODEL in known and "an-alias" in known, known
        # The SDK asks for one page after the other.
        page = client.models.list(limit=2)
        assert len(page.data) == 2 and page.has_more, page
        assert [model.id for model in page] == known


@check
def a_model_has_a_name_and_a_date():
    model = client_with().models.retrieve("cerebras/" + MODEL)
    assert (model.id, model.type) == (MODEL, "model"), model
    assert model.display_name and model.created_at.year >= 1970, model
    assert client_with().models.retrieve("an-alias").id == "an-alias"


@check
def errors_are_its_own():
    for ask, kind, word in [
        (lambda: client_with().models.retrieve("none"), anthropic.NotFoundError, "not_found_error"),
        (lambda: client_with(api_key="wrong").models.list(), anthropic.AuthenticationError, "authentication_error"),
        (lambda: client_with().models.list(limit=0), anthropic.BadRequestError, "invalid_request_error"),
    ]:
        try:
            ask()
        except kind as error:
            assert error.body["error"]["type"] == word, error.body
            assert error.request_id == error.body["request_id"], error.body
        else:
            raise AssertionError(f"{word}: nothing was raised")


TOOLS = [
    {
        "name": "lookup",
        "description": "Looks somebody up.",
        "input_schema": {"type": "object", "properties": {"who": {"type": "string"}}},
    }
]


def asked(text, **more):
    return {"model": MODEL, "max_tokens": 2000, "messages": user(text), **more}


def create(text, client=None, **more):
    return (client or client_with()).messages.create(**asked(text, **more))


def streamed(text, client=None, **more):
    """The message that the SDK puts together of a stream."""
    with (client or client_with()).messages.stream(**asked(text, **more)) as stream:
        return stream.get_final_message()


BOTH = (create, streamed)


def said(message):
    """Each block of a message in short."""
    kinds = {"text": lambda it: it.text, "thinking": lambda it: it.thinking, "tool_use": lambda it: it.input}
    return [(block.type, kinds[block.type](block)) for block in message.content]


@check
def a_message_whole_and_streamed():
    for ask in BOTH:
        message = ask("chunk: 3 | think: Let me see. | say: Grüße, 你好!", system="be kind", stop_sequences=["xyz"])
        assert said(message) == [("thinking", "Let me see."), ("text", "Grüße, 你好!")], message
        assert (message.role, message.stop_reason, message.model) == ("assistant", "end_turn", MODEL), message
        assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0, message
        assert message.content[0].signature, message


@check
def a_raw_stream_has_every_event():
    events = list(create("chunk: 3 | say: some words", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    assert set(kinds[2:-3]) == {"content_block_delta"}, kinds
    assert "".join(event.delta.text for event in events[2:-3]) == "some words"
    assert events[0].message.usage.input_tokens is not None, events[0]


@check
def text_can_be_read_as_it_comes():
    with client_with().messages.stream(**asked("think: hm | chunk: 3 | say: some words and more")) as stream:
        assert "".join(stream.text_stream) == "some words and more"


@check
def a_stream_may_be_left():
    with client_with().messages.stream(**asked("chunk: 1 | say: " + "The river goes on to the sea, past towns and fields. " * 50)) as stream:
        for event in stream:
            if event.type == "text":
                break
    assert said(create("say: still here")) == [("text", "still here")]


@check
def tools_are_called_and_their_results_go_back_with_what_was_thought():
    directive = 'chunk: 3 | think: two at once | call: lookup {"who": "Zoë"} | call: lookup {}'
    for ask in BOTH:
        message = ask(directive, tools=TOOLS, tool_choice={"type": "auto"})
        assert message.stop_reason == "tool_use", message
        assert said(message) == [
            ("thinking", "two at once"),
            ("tool_use", {"who": "Zoë"}),
            ("tool_use", {}),
        ], message
        calls = [block for block in message.content if block.type == "tool_use"]
        assert calls[0].id != calls[1].id and [call.name for call in calls] == ["lookup", "lookup"], calls
        results = [
            {"type": "tool_result", "tool_use_id": calls[0].id, "content": [{"type": "text", "text": "found"}]},
            {"type": "tool_result", "tool_use_id": calls[1].id, "content": "nobody", "is_error": True},
        ]
        # The second turn is where others break.
        messages = user(directive) + [
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [*results, {"type": "text", "text": "think: the second turn | say: found, and nobody"}]},
        ]
        for again in BOTH:
            answer = again("", tools=TOOLS, messages=messages, thinking={"type": "enabled", "budget_tokens": 1024})
            assert said(answer) == [("thinking", "the second turn"), ("text", "found, and nobody")], answer


@check
def words_that_a_policy_holds_go_to_their_own_block():
    # A word may go on, so the last of what was thought is held until the finish, and comes behind what is said.
    asked_for = "chunk: 2 | think: let me see what I know | say: so it is"
    events = list(create(asked_for, stream=True))
    deltas = [event for event in events if event.type == "content_block_delta"]
    order = [event.index for event in deltas if event.delta.type != "signature_delta"]
    assert order != sorted(order), order
    message = streamed(asked_for)
    assert said(message) == [("thinking", "let me see what I know"), ("text", "so it is")], message
    # Redacted in the request already.
    for ask in BOTH:
        assert said(ask("chunk: 2 | say: mail ann@example.org")) == [("text", "mail [EMAIL]")]


@check
def a_denied_message_raises():
    for ask in BOTH:
        try:
            ask(ATTACK)
        except anthropic.PermissionDeniedError as error:
            assert error.body["error"]["code"] == "prompt-injection", error.body
            assert error.request_id, error.body
        else:
            raise AssertionError("nothing was raised")


@check
def a_denial_in_mid_stream_is_a_refusal_that_says_why():
    orders = puppet(answer={"at": "secret", "then": {"deny": "secret"}})
    message = streamed("chunk: 4 | say: " + "The tea is warm. " * 40 + "The secret is out. ", extra_headers=orders)
    assert message.stop_reason == "refusal", message
    assert message.stop_details.explanation == "as ordered", message
    assert message.content[0].text.startswith("The tea is warm") and "secret" not in message.content[0].text


@check
def a_response_of_a_policys_own():
    orders = puppet(request={"respond": [{"content": [0, "no need to ask"]}]})
    for ask in BOTH:
        assert said(ask("hi", extra_headers=orders)) == [("text", "no need to ask")]


@check
def errors_of_messages_are_its_own():
    bash = [{"type": "bash_20250124", "name": "bash"}]
    for change, kind in [
        ({"model": "nothing"}, anthropic.NotFoundError),
        ({"tools": bash}, anthropic.BadRequestError),
        ({"model": MODEL + "+429-tokens"}, anthropic.RateLimitError),
        ({"extra_headers": puppet(request="trap")}, anthropic.InternalServerError),
    ]:
        for ask in BOTH:
            try:
                ask("say: hi", **change)
            except kind as error:
                assert error.body["type"] == "error" and error.body["error"]["message"], error.body
            else:
                raise AssertionError(f"{change}: nothing was raised")
    for fault in ("error-mid-stream", "cut"):
        try:
            message = streamed("chunk: 3 | say: some words, and then no more", model=f"{MODEL}+{fault}")
        except anthropic.APIStatusError as error:
            assert error.body["error"]["type"] == "api_error", error.body
        else:
            raise AssertionError(f"{fault}: nothing was raised: {message}")


@check
def tokens_are_counted_nearly():
    client = client_with()
    few = client.messages.count_tokens(model=MODEL, messages=user("hello there"))
    more = client.messages.count_tokens(model=MODEL, messages=user("hello there"), tools=TOOLS, system="be kind")
    assert 0 < few.input_tokens < more.input_tokens < 200, (few, more)


run()
