"""LangChain's client for Cerebras against the gateway."""

import asyncio

import openai
from common import ATTACK, BASE, KEY, MODEL, all_are_over, check, raises, run
from langchain_cerebras import ChatCerebras
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

REASONER = "gpt-oss-120b"


@tool
def lookup(who: str = "") -> str:
    """Looks somebody up."""
    return f"{who}, ann@example.org"


def model(**options):
    # Its own base URL ends in a slash.
    return ChatCerebras(**{"model": MODEL, "base_url": BASE + "/v1/", "api_key": KEY, "max_retries": 0, **options})


def whole(stream):
    pieces = list(stream)
    said = pieces[0]
    for piece in pieces[1:]:
        said += piece
    assert isinstance(said, AIMessageChunk) and len(pieces) > 1, pieces
    return said


def reasoning(message):
    """Beside the content, or where effort was asked for, a part of it."""
    parts = message.content if isinstance(message.content, list) else []
    thoughts = [part["reasoning_content"]["text"] for part in parts if part["type"] == "reasoning_content"]
    return message.additional_kwargs.get("reasoning") or "".join(thoughts)


@check
def a_whole_answer_is_redacted():
    said = model().invoke([SystemMessage("Be brief."), HumanMessage("say: Grüße an ann@example.org!")])
    assert said.content == "Grüße an [EMAIL]!", said
    assert said.response_metadata["finish_reason"] == "stop", said
    assert said.usage_metadata["total_tokens"] > 0, said


@check
def a_streamed_answer_is_redacted():
    said = whole(model().stream("chunk: 3 | say: Grüße an ann@example.org!"))
    assert said.content == "Grüße an [EMAIL]!", said
    assert said.response_metadata["finish_reason"] == "stop", said
    # Behind another address than Cerebras' own it doesn't ask for usage, and counts on what comes by itself.
    assert said.usage_metadata["total_tokens"] > 0, said


@check
def many_at_once():
    async def all_of_them():
        asks = [model().ainvoke(f"say: number {number}") for number in range(10)]
        return [said.content for said in await asyncio.gather(*asks)]

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(10)]


@check
def tools_are_called_and_answer_in_a_second_turn_with_reasoning():
    for options in [{}, {"model": REASONER, "reasoning_effort": "low"}]:
        bound = model(**options).bind_tools([lookup])
        for ask in [bound.invoke, lambda messages: whole(bound.stream(messages))]:
            messages = [HumanMessage('chunk: 3 | think: Whom? | call: lookup {"who": "Zoë"} | call: lookup {}')]
            first = ask(messages)
            assert reasoning(first) == "Whom?", first
            assert [call["args"] for call in first.tool_calls] == [{"who": "Zoë"}, {}], first
            answers = [lookup.invoke(call) for call in first.tool_calls]
            assert isinstance(answers[0], ToolMessage)
            second = ask([*messages, first, *answers])
            assert second.text and not second.tool_calls, second
            # And once more, with all of it behind.
            third = ask([*messages, first, *answers, second, HumanMessage("think: Well. | say: goodbye")])
            assert third.text == "goodbye", third


@check
def structured_output_is_what_was_asked_for():
    schema = {"title": "who", "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    said = model().with_structured_output(schema, method="json_schema").invoke('say: {"name": "Zoë"}')
    assert said == {"name": "Zoë"}, said


@check
def errors_say_why():
    for ask in [lambda text: model().invoke(text), lambda text: list(model().stream(text))]:
        with raises(openai.PermissionDeniedError, 403) as denied:
            ask(ATTACK)
        assert denied.error.body["code"] == "prompt-injection", denied.error.body
    with raises(openai.NotFoundError, 404):
        model(model="nothing").invoke("say: hi")
    with raises(openai.AuthenticationError, 401):
        model(api_key="wrong").invoke("say: hi")
    with raises(openai.BadRequestError, 400):
        model().invoke([("human", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])])
    for fault in ["error-mid-stream", "cut"]:
        try:
            said = list(model(model=f"{MODEL}+{fault}").stream("chunk: 3 | say: some words, and then no more"))
        except openai.APIError as error:
            assert error.message, error
        else:
            raise AssertionError(f"{fault}: nothing was raised: {said}")


@check
def one_that_stops_early_ends_its_exchange():
    stream = model(model=MODEL + "+stall").stream("chunk: 3 | say: a beginning, and then nothing for a while")
    assert next(stream) is not None
    stream.close()
    all_are_over()
    assert model().invoke("say: still here").content == "still here"


run()
