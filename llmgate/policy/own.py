"""A company's own rules (`[[policy.rules]]`): judged by the same engine as the documents, and cited the same way.

They only restrict: a rule can prohibit, or make an answer conditional or unknown, and never permits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import msgspec

from .._toml import nearest
from ..errors import ConfigError
from ..registry import Deployment, License, Registry
from ..registry.schema import Filled, Host, Lifecycle, Parameters, Test, Url, Weights, When
from ..registry.vocabulary import FACTS, GRADES, TARGET_FACTS, USES, VERDICTS, Use, is_fact
from .conditions import Truth, describe, holds
from .decision import Reason

LICENSE = "policy"
"""What a Reason of an own rule has for its licence; its clause is the rule's name, its grade `own`."""
UNREAD = "unread"


class OwnRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, eq=False):
    """One rule: where `when` holds and `require` does not, its verdict. At least one of the two is there."""

    uses: tuple[Use | Literal["*"], ...] = ("*",)
    verdict: Literal["prohibited", "conditional", "unknown"] = "prohibited"
    when: When | None = None
    require: When | None = None
    name: Filled | None = None
    summary: Filled | None = None
    source: Url | None = None
    """What a Reason cites. Default: the config's file and line."""
    remedy: Filled | None = None

    def asks(self) -> set[str]:
        """The names of all facts that it asks."""
        return {name for when in (self.when, self.require) for name, _ in _tests(when)}


def checked(
    rule: OwnRule,
    registry: Registry,
    error: Callable[[tuple[str, ...], str], ConfigError] = lambda _, m: ConfigError(m),
) -> OwnRule:
    """The rule with the names in it made the registry's own.

    Raises what `error` makes of a key of the rule and a message, for a fact, a test or a name that is none.
    """
    from ..registry.read import misfit

    if rule.when is None and rule.require is None:
        raise error((), 'a rule needs "when", "require" or both')
    if not rule.uses:
        raise error(("uses",), "uses is empty")
    known = _known_names(registry)
    conditions = {}
    for key in ("when", "require"):
        when: When | None = getattr(rule, key)
        if when is not None and (not when or not all(when)):
            raise error((key,), f"{key} is empty")
        for name, test in _tests(when):
            if name not in TARGET_FACTS and not is_fact(name):
                hint = nearest(name, [*TARGET_FACTS, *FACTS])
                raise error((key, name), f'{key} asks "{name}", which is no fact{hint}')
            if wrong := misfit(name, test):
                raise error((key, name), f'{key}: the test of "{name}" {wrong}')
        options = when if isinstance(when, tuple) else () if when is None else (when,)
        try:
            named = tuple({n: _with_names(t, known.get(n)) for n, t in one.items()} for one in options)
        except ConfigError as wrong_name:
            raise error((key,), f"{key}: {wrong_name}") from None
        conditions[key] = named if isinstance(when, tuple) else named[0] if named else None
    return msgspec.structs.replace(rule, **conditions)


def _tests(when: When | None) -> Iterator[tuple[str, Test | bool | str]]:
    from ..registry.read import tests

    return tests(when)


def _known_names(registry: Registry) -> dict[str, Callable[[str], str]]:
    """For each fact of a target with names of its own: what makes a name the registry's, or raises ConfigError."""

    def of(what: str, known: Iterable[str]) -> Callable[[str], str]:
        names = sorted(set(known))

        def look_up(name: str) -> str:
            if name not in names:
                raise ConfigError(f'there is no {what} "{name}"{nearest(name, names) or f"; known: {_few(names)}"}')
            return name

        return look_up

    models = registry.data.models
    return {
        "model.id": lambda name: registry.model(name).id,
        "model.family": of("family", (m.family for m in models)),
        "model.developer": of("developer", (m.developer for m in models)),
        "model.lifecycle": of("lifecycle", get_args(Lifecycle)),
        "model.weights": of("kind of weights", get_args(Weights)),
        "provider.id": lambda name: registry.provider(name).id,
        "provider.kind": of("kind of provider", get_args(Host)),
        "license.id": lambda name: registry.license(name).id,
        "license.grade": of("grade", (*GRADES, UNREAD)),
        **{f"use.{use}": of("verdict", VERDICTS) for use in USES},
    }


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _with_names(test: Test | bool | str, look_up: Callable[[str], str] | None) -> Test | bool | str:
    if look_up is None or isinstance(test, bool):
        return test
    if isinstance(test, str):
        return look_up(test)
    lists = {k: tuple(map(look_up, names)) for k in ("in_", "not_in") if (names := getattr(test, k)) is not None}
    one = {"is_": look_up(test.is_)} if isinstance(test.is_, str) else {}
    return msgspec.structs.replace(test, **lists, **one)


def target_facts(deployment: Deployment, documents: Iterable[License]) -> dict[str, Any]:
    """What own rules may ask of a target beside what documents may; what the registry does not know is left out.

    documents: the instruments that govern it. One's own machines have no country: none is `in`, all are `not_in`.
    """
    model, provider = deployment.model, deployment.provider
    documents = list(documents)
    of_weights = [x for x in documents if x.kind == "weights"]
    own_machine = provider is None or provider.kind in ("self-hosted", "embedded")
    grades = [x.text.grade if x.text else UNREAD for x in documents]
    facts: dict[str, Any] = {
        "target.wire": deployment.wire,
        "provider.id": provider.id if provider else "",
        "provider.kind": provider.kind if provider else "self-hosted",
        "provider.country": frozenset[str]() if own_machine else provider and provider.country,
        "license.id": frozenset(x.id for x in documents),
        "license.osi_approved": bool(of_weights) and all(x.osi_approved for x in of_weights),
        "license.grade": max(grades, key=(*GRADES, UNREAD).index, default=UNREAD),
    }
    if model is not None:
        facts |= {
            "model.lifecycle": model.lifecycle,
            "model.context": deployment.context,
            "model.parameters": model.parameters.total if isinstance(model.parameters, Parameters) else None,
        }
    return facts


def reasons(
    rules: Iterable[OwnRule], asked: tuple[str, ...], known: Mapping[str, Any], target: str
) -> Iterator[Reason]:
    """What these rules say of the asked uses of a target. known: all facts, the target's own among them."""
    for number, rule in enumerate(rules, 1):
        uses = asked if "*" in rule.uses else tuple(u for u in asked if u in rule.uses)
        truth = _applies(rule, known) if uses else False
        if truth is False:
            continue
        verdict: str = rule.verdict
        hangs = sorted(truth) if isinstance(truth, frozenset) else []
        hidden = [n for n in hangs if n in TARGET_FACTS]
        unknown = f" (the registry does not know {', '.join(hidden)} of {target})" if hidden else ""
        if hangs:
            # Never better than either way: as bad as unknown where the registry can not say, else conditional.
            bound = "unknown" if hidden else "conditional"
            verdict = min(verdict, bound, key=VERDICTS.index)
        yield Reason(
            license=LICENSE,
            clause=rule.name or f"rule {number}",
            verdict=verdict,
            summary=(rule.summary or words(rule)) + unknown,
            source=rule.source or "",
            checked=None,
            grade="own",
            uses=uses,
            missing=tuple(n for n in hangs if n not in hidden),
            remedy=rule.remedy if verdict == "prohibited" else None,
        )


def _applies(rule: OwnRule, known: Mapping[str, Any]) -> Truth:
    """Whether `when` holds and `require` does not, in three values."""
    when, met = holds(rule.when, known), rule.require is not None and holds(rule.require, known)
    if when is False or met is True:
        return False
    return frozenset().union(*(t for t in (when, met) if isinstance(t, frozenset))) or True


def words(rule: OwnRule) -> str:
    """What a rule says, from its conditions."""
    scope = f" where {describe(rule.when)}" if rule.when else ""
    return f"Your own rule{scope}" + (f" requires {describe(rule.require)}" if rule.require else "")
