"""Anthropic's SDK against the gateway."""

import anthropic
from common import BASE, KEY, MODEL, check, run


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


run()
