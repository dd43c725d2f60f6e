"""The OpenAI SDK against the gateway."""

import asyncio

import openai
from common import BASE, KEY, MODEL, check, run, shared_checks, user


def client_with(**options):
    return openai.OpenAI(**{"base_url": BASE + "/v1", "api_key": KEY, "max_retries": 2, **options})


client = client_with(max_retries=0)
# Denials and failures must not be tried again even by a client that would like to.
shared_checks(openai, client_with(max_retries=2, timeout=30), client_with, openai.APIError)


@check
def a_stream_through_the_helper():
    with client.chat.completions.stream(model=MODEL, messages=user("chunk: 3 | say: helped along")) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content == "helped along"


@check
def the_address_for_openai_works_as_well():
    for base in ["/openai/v1", "/openai/v1/", "/openai//v1"]:
        other = client_with(base_url=BASE + base)
        said = other.chat.completions.create(model=MODEL, messages=user("say: the same")).choices[0].message.content
        assert said == "the same", base
        assert MODEL in [model.id for model in other.models.list()], base
        assert other.models.retrieve(MODEL).id == MODEL, base


@check
def what_is_not_supported_is_a_bad_request():
    for ask in [
        lambda: client.embeddings.create(model=MODEL, input="hi"),
        lambda: client.moderations.create(input="hi"),
        lambda: client.images.generate(model=MODEL, prompt="a cat"),
        lambda: client.files.list(),
        lambda: client.batches.list(),
    ]:
        try:
            ask()
        except openai.BadRequestError as error:
            assert error.code == "unsupported_operation", error
        else:
            raise AssertionError("it was answered")


@check
def many_at_once():
    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=BASE + "/v1", api_key=KEY) as many:
            asks = [
                many.chat.completions.create(model=MODEL, messages=user(f"say: number {number}")) for number in range(20)
            ]
            return [answer.choices[0].message.content for answer in await asyncio.gather(*asks)]

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(20)]


@check
def text_completions_are_judged_too():
    create = client_with().completions.create
    answer = create(model=MODEL, prompt="say: ok, ann@example.org")
    assert answer.choices[0].text == "ok, [EMAIL]", answer
    stream = create(model=MODEL, prompt="chunk: 3 | say: ok, ann@example.org", stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "ok, [EMAIL]", chunks


run()
