"""The same questions in Python as on the command line; what hangs on a fact is never left out in silence."""

from __future__ import annotations

import warnings

import pytest

import llmgate
from llmgate.errors import ConfigError
from llmgate.registry import load


def quiet(**filters: object) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [m.id for m in llmgate.models(**filters)]  # type: ignore[arg-type]


def test_conditional_models_are_counted_aloud_and_listed_on_request() -> None:
    family = {"family": "llama-3.1", "permits": ["commercial"]}
    with pytest.warns(UserWarning, match=r"llmgate: \d+ more are conditional, on monthly_active_users@2024-06 \(\d+\)"):
        assert llmgate.models(**family) == []  # type: ignore[arg-type]
    listed = quiet(**family, include=["conditional"])
    assert "llama-3.1-8b-instruct" in listed
    assert quiet(**family, include=[]) == []
    assert quiet(**family, **{"monthly_active_users@2024-06": 1}) == listed
    with pytest.raises(ConfigError, match='include: "conditional" is wanted'):
        llmgate.models(include=["prohibited"])


def test_several_uses_must_all_be_permitted() -> None:
    one, two = (set(quiet(permits=p, include=[])) for p in (["commercial"], ["commercial", "train-on-outputs"]))
    assert two < one
    assert two == one & set(quiet(permits="train-on-outputs", include=[]))


def test_all_filters_and_orders_of_the_command_line() -> None:
    found = quiet(
        permits=["commercial", "train-on-outputs"],
        input=["text"],
        min_context=100_000,
        max_params=70 * 10**9,
        open_weights=True,
        lifecycle=["active"],
        sort="parameters",
        include=[],
    )
    models = [load().model(id_) for id_ in found]
    assert models
    sizes = [m.parameters.total for m in models]  # type: ignore[union-attr]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 70 * 10**9
    assert all(m.weights == "open" and m.lifecycle == "active" and (m.context or 0) >= 100_000 for m in models)


def test_the_registry_sorts_too_with_the_unknown_last() -> None:
    scores = [max((b.score for b in m.benchmark if b.name == "mmlu"), default=-1.0) for m in load().models(sort="mmlu")]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0 > scores[-1]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"input": ["imag"]}, 'there is no modality "imag"; did you mean "image"?'),
        ({"family": "llama-3.11"}, 'there is no family "llama-3.11"; did you mean "llama-3.1"?'),
        ({"developer": "metta"}, 'there is no developer "metta"; did you mean "meta"?'),
        ({"lifecycle": ["retird"]}, 'there is no lifecycle "retird"; did you mean "retired"?'),
        ({"sort": "mmlo"}, 'there is no order "mmlo"; did you mean "mmlu"?'),
        ({"on": "grok"}, 'there is no provider "grok"; did you mean "groq"?'),
        ({"permits": ["comercial"]}, 'unknown use "comercial"; did you mean "commercial"?'),
        ({"permits": ["commercial"], "estabished": "DE"}, 'unknown fact "estabished"; did you mean "established"?'),
    ],
)
def test_a_wrong_name_is_an_error_not_an_empty_list(filters: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        llmgate.models(**filters)  # type: ignore[arg-type]
    assert str(caught.value) == said


def test_one_name_may_stand_for_a_list_and_a_misspelt_filter_is_an_error() -> None:
    assert llmgate.models(input="image") == llmgate.models(input=["image"])
    with pytest.raises(llmgate.ConfigError, match="unknown fact"):
        llmgate.models(foo=3)
