"""The OpenAI SDK's responses against the gateway."""

import json

import openai
import pydantic
from common import ATTACK, BASE, KEY, MODEL, check, puppet, run

client = openai.OpenAI(base_url=BASE + "/v1", api_key=KEY, max_retries=0, timeout=30)
create = client.responses.create
TOOLS = [
    {
        "type": "function",
        "name": "lookup",
        "description": "Looks somebody up.",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
        "strict": False,
    }
]
CALLS = 'think: Both. | call: lookup {"who": "Zoë"} | call: lookup {"who": "nobody"}'


def ask(text, **more):
    return create(model=MODEL, input=text, **more)


def events_of(text, **more):
    events = list(ask(text, stream=True, **more))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    return events


@check
def a_whole_response():
    answer = ask("think: Let me look. | say: Grüße, 你好!", instructions="be brief", metadata=None)
    assert answer.output_text == "Grüße, 你好!" and answer.status == "completed"
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].content[0].text == "Let me look."
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    assert answer.instructions == "be brief" and answer.tools == [] and answer.error is None
    # Everything that the SDK's model of it must have.
    type(answer).model_validate(answer.to_dict())


@check
def a_streamed_response():
    events = events_of("chunk: 3 | think: Let me see. | say: Grüße, 你好!")
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "Grüße, 你好!" and len(deltas) > 1
    for event in events:
        type(event).model_validate(event.to_dict())
    last = events[-1]
    assert last.type == "response.completed" and last.response.output_text == "Grüße, 你好!"
    assert last.response.usage.output_tokens > 0


@check
def a_stream_through_the_helper():
    with client.responses.stream(model=MODEL, input="chunk: 3 | think: Hm. | say: helped along") as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                assert "helped along".startswith(event.snapshot), event
        assert stream.get_final_response().output_text == "helped along"


@check
def personal_data_is_redacted():
    assert ask("say: mail ann@example.org").output_text == "mail [EMAIL]"
    events = events_of("chunk: 2 | say: card 4111 1111 1111 1111.")
    assert events[-1].response.output_text == "card [CARD]."


@check
def tools_are_called_and_the_conversation_goes_on():
    for stream in (False, True):
        more = {"tools": TOOLS, "include": ["reasoning.encrypted_content"], "store": False}
        if stream:
            with client.responses.stream(model=MODEL, input="chunk: 3 | " + CALLS, **more) as helper:
                answer = helper.get_final_response()
        else:
            answer = ask(CALLS, **more)
        calls = [item for item in answer.output if item.type == "function_call"]
        assert [json.loads(call.arguments)["who"] for call in calls] == ["Zoë", "nobody"], answer
        items = [{"role": "user", "content": CALLS}]
        items += answer.output
        items += [
            {"type": "function_call_output", "call_id": call.call_id, "output": "found"} for call in calls
        ]
        items += [{"role": "user", "content": "chunk: 3 | think: Good. | say: both found"}]
        second = create(model=MODEL, input=items, stream=stream, **more)
        if stream:
            second = list(second)[-1].response
        assert second.output_text == "both found", second
        # And a third turn, with a message of the model's in it.
        items += second.output
        items += [{"role": "user", "content": "say: bye"}]
        assert create(model=MODEL, input=items, **more).output_text == "bye"


class Person(pydantic.BaseModel):
    name: str
    age: int


@check
def an_answer_is_parsed():
    text = 'say: {"name": "Zoë", "age": 7}'
    answer = client.responses.parse(model=MODEL, input=text, text_format=Person)
    assert answer.output_parsed == Person(name="Zoë", age=7), answer
    with client.responses.stream(model=MODEL, input="chunk: 3 | " + text, text_format=Person) as stream:
        assert stream.get_final_response().output_parsed == Person(name="Zoë", age=7)


@check
def a_limit_is_told():
    answer = ask("say: one two three four five six seven eight", max_output_tokens=3)
    assert answer.status == "incomplete", answer
    assert answer.incomplete_details.reason == "max_output_tokens"
    events = events_of("chunk: 1 | say: one two three four five six seven eight", max_output_tokens=3)
    assert events[-1].type == "response.incomplete", events[-1]


@check
def a_stream_can_be_left_early():
    stream = ask("chunk: 1 | say: " + "many words " * 200, stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()


@check
def errors_are_raised():
    for stream in (False, True):
        try:
            ask(ATTACK, stream=stream)
        except openai.PermissionDeniedError as denied:
            assert denied.code == "prompt-injection", denied.body
        else:
            raise AssertionError("it was answered")
    for wrong, param in [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"tools": TOOLS + [{"type": "web_search"}]}, "tools[1].type"),
    ]:
        try:
            ask("say: hi", **wrong)
        except openai.BadRequestError as refused:
            assert refused.param == param, refused.body
        else:
            raise AssertionError("it was answered")
    for gone in [lambda: client.responses.retrieve("resp_1"), lambda: client.responses.delete("resp_1")]:
        try:
            gone()
        except openai.NotFoundError as missing:
            assert missing.code == "not_offered", missing.body
        else:
            raise AssertionError("it was answered")


@check
def what_breaks_off_fails():
    for fault in ("error-mid-stream", "cut"):
        stream = create(model=f"{MODEL}+{fault}", input="chunk: 3 | say: some words, and then no more", stream=True)
        events = list(stream)
        assert [event.type for event in events[-2:]] == ["error", "response.failed"], events[-2:]
        assert events[-1].response.error.message and events[-2].message


@check
def a_denial_in_mid_stream_is_told():
    orders = puppet(answer={"at": "secret", "then": {"deny": "secret"}})
    text = "chunk: 4 | say: " + "The tea is warm. " * 40 + "The secret is out. "
    last = events_of(text, extra_headers=orders)[-1]
    assert last.type == "response.incomplete" and last.response.incomplete_details.reason == "content_filter"
    assert last.response.witgate["policy"] == "puppet", last.response
    assert last.response.output_text.startswith("The tea is warm") and "secret" not in last.response.output_text


@check
def a_response_of_a_policys_own():
    orders = puppet(request={"respond": [{"content": [0, "no need to ask"]}]})
    assert ask("hi", extra_headers=orders).output_text == "no need to ask"
    assert events_of("hi", extra_headers=orders)[-1].response.output_text == "no need to ask"


run()
