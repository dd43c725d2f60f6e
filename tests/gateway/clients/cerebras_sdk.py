"""The Cerebras SDK against the gateway."""

from cerebras.cloud import sdk
from common import BASE, KEY, MODEL, check, run, shared_checks, user, warmed


def client_with(**options):
    quiet = {"warm_tcp_connection": False, "max_retries": 2}
    return sdk.Cerebras(**{"base_url": BASE, "api_key": KEY, **quiet, **options})


shared_checks(sdk, client_with(timeout=30), client_with, sdk.APIError)


@check
def a_new_client_warms_its_connection():
    before = warmed()
    client = client_with(warm_tcp_connection=True)
    assert warmed() == before + 1
    assert client.chat.completions.create(model=MODEL, messages=user("say: warm")).choices[0].message.content == "warm"


@check
def a_base_url_may_have_its_own_v1():
    # The SDK adds /v1 itself, so this one asks for /v1/v1.
    before = warmed()
    client = client_with(base_url=BASE + "/v1", warm_tcp_connection=True)
    assert warmed() == before + 1
    assert client.chat.completions.create(model=MODEL, messages=user("say: twice")).choices[0].message.content == "twice"
    assert MODEL in [model.id for model in client.models.list().data]


@check
def the_address_for_openai_works_as_well():
    for base in ["/openai", "/openai/", "/openai/v1/"]:
        client = client_with(base_url=BASE + base)
        said = client.chat.completions.create(model=MODEL, messages=user("say: the same")).choices[0].message.content
        assert said == "the same", base
        assert MODEL in [model.id for model in client.models.list().data], base
        assert client.models.retrieve(MODEL).id == MODEL, base


@check
def a_stream_has_usage_and_times():
    chunks = list(
        client_with().chat.completions.create(model=MODEL, messages=user("chunk: 3 | say: counted"), stream=True)
    )
    assert chunks[-1].usage.total_tokens > 0
    assert chunks[-1].time_info.total_time >= 0


@check
def text_completions_are_judged_too():
    create = client_with().completions.create
    answer = create(model=MODEL, prompt="say: ok, ann@example.org")
    assert answer.choices[0].text == "ok, [EMAIL]", answer
    stream = create(model=MODEL, prompt="chunk: 3 | say: ok, ann@example.org", stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "ok, [EMAIL]", chunks


run()
