"""LiteLLM as a client of the gateway."""

import os

# Else it fetches prices from the Internet when it is loaded.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import asyncio

import litellm
from common import ATTACK, BASE, KEY, MODEL, TOOLS, all_are_over, check, joined, raises, run, user

litellm.telemetry = False
litellm.suppress_debug_info = True
REASONER = "gpt-oss-120b"


def options(**more):
    more = {"model": MODEL, "num_retries": 0, "max_retries": 0, **more}
    return {"api_base": BASE + "/v1", "api_key": KEY, **more, "model": "cerebras/" + more["model"]}


def ask(messages, **more):
    messages = user(messages) if isinstance(messages, str) else messages
    return litellm.completion(messages=messages, **options(**more))


@check
def a_whole_answer_is_redacted():
    answer = ask("say: Grüße an ann@example.org!")
    assert answer.choices[0].message.content == "Grüße an [EMAIL]!", answer
    assert answer.choices[0].finish_reason == "stop" and answer.usage.total_tokens > 0, answer


@check
def a_streamed_answer_is_redacted():
    chunks = list(ask("chunk: 3 | say: Grüße an ann@example.org!", stream=True, stream_options={"include_usage": True}))
    said = joined(chunks)
    assert (said[0]["content"], said[0]["finish"]) == ("Grüße an [EMAIL]!", "stop"), said
    counted = [chunk.usage.total_tokens for chunk in chunks if getattr(chunk, "usage", None)]
    assert len(counted) == 1 and counted[0] > 0, counted
    assert litellm.stream_chunk_builder(chunks).choices[0].message.content == "Grüße an [EMAIL]!"


@check
def many_at_once():
    async def all_of_them():
        asks = [litellm.acompletion(messages=user(f"say: number {number}"), **options()) for number in range(10)]
        return [answer.choices[0].message.content for answer in await asyncio.gather(*asks)]

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(10)]


@check
def tools_are_called_and_answer_in_a_second_turn_with_reasoning():
    def streamed(messages, **more):
        return litellm.stream_chunk_builder(list(ask(messages, stream=True, **more)), messages=messages)

    for model in [MODEL, REASONER]:
        for asked in [ask, streamed]:
            messages = user('chunk: 3 | think: Whom? | call: lookup {"who": "Zoë"} | call: lookup {}')
            first = asked(messages, model=model, tools=TOOLS).choices[0].message
            assert first.reasoning_content == "Whom?", first
            assert [call.function.arguments for call in first.tool_calls] == ['{"who": "Zoë"}', "{}"], first
            messages.append(first)
            for call in first.tool_calls:
                messages.append({"role": "tool", "tool_call_id": call.id, "content": "Ann, ann@example.org"})
            second = asked(messages, model=model, tools=TOOLS).choices[0].message
            assert second.content and not second.tool_calls, second
            messages += [second, *user("think: Well. | say: goodbye")]
            third = asked(messages, model=model, tools=TOOLS).choices[0].message
            assert third.content == "goodbye", third


@check
def errors_say_why():
    for stream in [False, True]:
        with raises(litellm.exceptions.APIError, 403) as denied:
            ask(ATTACK, stream=stream)
        assert "prompt injection" in str(denied.error), denied.error
    with raises(litellm.NotFoundError, 404):
        ask("say: hi", model="nothing")
    with raises(litellm.AuthenticationError, 401):
        ask("say: hi", api_key="wrong")
    with raises(litellm.BadRequestError, 400):
        ask([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}])
    for fault in ["error-mid-stream", "cut"]:
        try:
            chunks = list(ask("chunk: 3 | say: some words, and then no more", model=f"{MODEL}+{fault}", stream=True))
        except litellm.exceptions.APIError as error:
            assert error.message, error
        except litellm.exceptions.MidStreamFallbackError as error:
            assert error.message, error
        else:
            raise AssertionError(f"{fault}: nothing was raised: {joined(chunks)}")


@check
def one_that_stops_early_ends_its_exchange():
    async def left_early():
        text = "chunk: 3 | say: a beginning, and then nothing for a while"
        stream = await litellm.acompletion(messages=user(text), stream=True, **options(model=MODEL + "+stall"))
        async for _ in stream:
            break
        await stream.aclose()

    asyncio.run(left_early())
    all_are_over()
    assert ask("say: still here").choices[0].message.content == "still here"


run()
