"""What the sync and the async client share: plans, decisions, endpoints, the finishing of replies. No I/O."""

from __future__ import annotations

import datetime as dt
import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from ._flow import Flow, Incoming, Plan, Slot, broken, call
from ._request import Messages, build
from .chat import Attempt, Audio, ChatRequest, Document, Image, Part, Quirks, Reply
from .config import Config, Route, seconds
from .errors import ConfigError, GateError, ModelUnavailable, PolicyDenied, ProviderError, Unsupported
from .policy import Decision, Facts, Policy, Rules, uses
from .policy.decision import cite
from .providers import Endpoint
from .registry import Deployment, Model, Provider
from .registry.price import MODALITIES, Prices, at, cost
from .routing import Candidate, Health, KeyRing, Result, Terms
from .transport import Settings

if TYPE_CHECKING:
    from .ledger.keeper import Keeper

_MODALITIES: tuple[tuple[type, str], ...] = ((Image, "image"), (Audio, "audio"), (Document, "document"))
_PLANS = 1024
_RETIRES_SOON_DAYS = 60


class Call(msgspec.Struct):
    """What a hook is told of a finished call: who answered, how long it took, what it met.

    started: seconds since the epoch. seconds: to the end of the reply; first_token: to its beginning, for a stream.
    decisions: on each target of the route. request and reply hold its content: keep it only if asked to.
    """

    id: str
    operation: str
    stream: bool
    model: str
    started: float
    seconds: float = 0.0
    first_token: float | None = None
    reply: Reply | None = None
    error: GateError | None = None
    attempts: Sequence[Attempt] = ()
    decisions: Sequence[Decision] = ()
    request: ChatRequest | None = None


Hook = Callable[[Call], None]


class Core:
    """A config made ready for calls. Thread-safe: what it remembers is replaced whole, or bounded and idempotent."""

    def __init__(
        self,
        config: Any = None,
        *,
        clients: Mapping[str, Any] | None = None,
        hooks: Iterable[Hook] = (),
        record: bool = False,
    ) -> None:
        """record: whether the config's ledger is opened, because calls will be made."""
        self.config = Config.load(config)
        self.registry = self.config.registry
        self.clients = dict(clients or {})
        self._keeper = _keeper(self.config) if record else None
        self.hooks: tuple[Hook, ...] = (*((self._keeper,) if self._keeper else ()), *hooks)
        self.health = Health()
        self.ring = KeyRing()
        self._policies: dict[Rules, Policy] = {}
        self._plans: dict[Any, Plan] = {}
        self._endpoints: dict[tuple[str, Quirks], Endpoint] = {}
        self._told: set[str] = set()
        for name in self.clients:
            self.registry.provider(name)

    def close(self) -> None:
        """Lets go of the ledger; a later call opens it anew."""
        if self._keeper is not None:
            self._keeper.close()

    # Before a call

    def begin(self, messages: Messages, options: Mapping[str, Any], *, stream: bool) -> Running:
        """A call ready to be driven. Raises ConfigError, Unsupported, PolicyDenied or ModelUnavailable."""
        request, parse = build(messages, options)
        timeout = options.get("timeout")
        plan = self.plan(
            options.get("model"),
            options.get("use"),
            options.get("facts"),
            seconds(timeout) if isinstance(timeout, str) else timeout,
            options.get("retries"),
        )
        return Running(self, plan, request, dict(options.get("provider_options") or {}), parse, stream)

    def plan(
        self,
        model: str | None = None,
        use: Iterable[str] | None = None,
        facts: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        retries: int | None = None,
    ) -> Plan:
        """The plan for a route or target, made once for each kind of call."""
        asked = uses(use) if use else ()
        given = Facts(facts) if facts else None
        key = (model, asked, given, timeout, retries, _today())  # terms come into force, models retire
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._make_plan(self.config.route(model), asked, given, timeout, retries)
        return plan

    def _make_plan(
        self, route: Route, use: tuple[str, ...], facts: Facts | None, timeout: float | None, retries: int | None
    ) -> Plan:
        self._announce(route)
        policy = self._policies.setdefault(route.rules, Policy(self.registry, route.rules))
        weights = route.weights or (1.0,) * len(route.targets)
        slots = [self._slot(d, w, policy, use, facts) for d, w in zip(route.targets, weights, strict=True)]
        terms = Terms(
            retries=route.retries if retries is None else retries,
            timeout=route.timeout if timeout is None else timeout,
            attempt_timeout=route.attempt_timeout,
            cooldown=route.cooldown,
        )
        return Plan(
            route=route.name,
            slots={s.candidate.name: s for s in slots},
            candidates=tuple(s.candidate for s in slots),
            terms=terms,
            strategy=route.strategy,
        )

    def _slot(
        self, deployment: Deployment, weight: float, policy: Policy, use: tuple[str, ...], facts: Facts | None
    ) -> Slot:
        provider = deployment.provider
        if provider is None:
            raise ConfigError(f"{deployment.name} names no provider to call")
        table = self.config.providers.get(provider.id)
        decision = policy.decide(deployment, use, facts, table.tier if table else None)
        keys = () if provider.id in self.clients else self.config.keys(provider)
        return Slot(
            candidate=Candidate(
                name=deployment.name,
                provider=provider.id,
                context=deployment.context,
                price=_price(deployment.offer.price if deployment.offer else None),
                weight=weight,
                blocked=self._blocked(deployment, provider, decision, policy.rules, keys),
                decision=decision.id,
                keys=keys,
            ),
            deployment=deployment,
            endpoint=self._endpoint(provider, deployment),
            settings=self._settings(provider.id),
            decision=decision,
            allowed=policy.rules.allows(decision.verdict),
        )

    def _blocked(
        self, deployment: Deployment, provider: Provider, decision: Decision, rules: Rules, keys: tuple[str, ...]
    ) -> Attempt | None:
        """Why a target may not, or can not, be called; None if it may and can."""
        name = deployment.name
        if rules.mode == "enforce" and not rules.allows(decision.verdict):
            return Attempt(name, "denied", short(decision), decision=decision.id)
        try:
            self.registry.check_callable(deployment)
        except ModelUnavailable as error:
            return Attempt(name, "skipped", str(error), decision=decision.id)
        if provider.auth != "none" and not keys and provider.id not in self.clients and provider.kind != "embedded":
            return Attempt(name, "skipped", f"no key: set {self.config.key_hint(provider)}", decision=decision.id)
        if provider.url is None and provider.kind != "embedded":
            return Attempt(name, "skipped", f"no URL: set [providers.{provider.id}] url", decision=decision.id)
        return None

    def _endpoint(self, provider: Provider, deployment: Deployment) -> Endpoint:
        quirks = (deployment.offer and deployment.offer.quirks) or provider.quirks
        endpoint = self._endpoints.get((provider.id, quirks))
        if endpoint is None:
            endpoint = self._endpoints[provider.id, quirks] = Endpoint(
                provider.id,
                dialect=provider.dialect,
                url=provider.url or "local:",
                auth=provider.auth,
                headers=self.config.headers(provider),
                quirks=quirks,
            )
        return endpoint

    def _settings(self, provider: str) -> Settings:
        """How connections to a provider are made."""
        table = self.config.providers.get(provider)
        if table is None:
            return Settings()
        return Settings(
            proxy=table.proxy,
            ca=table.ca,
            client_cert=table.client_cert,
            http2=table.http2,
            connect_timeout=seconds(table.connect_timeout),
            transport=table.transport,
        )

    def _announce(self, route: Route) -> None:
        """Says once what a user should know: that policy only reports, that a model is about to retire."""
        if not self.config.policy_given and route.rules.mode == "report" and self.config.given:
            self._once(
                "report",
                "llmgate: the config has no [policy] table, so licence policy only reports; "
                'to enforce it write [policy] with use = ["commercial"]',
            )
        for deployment in route.targets:
            day = self.registry.retires_on(deployment)
            if day is not None and 0 < (day - _today()).days <= _RETIRES_SOON_DAYS:
                self._once(f"retires {deployment.name}", f"llmgate: {deployment.name} will be retired on {day}")

    def _once(self, what: str, message: str) -> None:
        if what not in self._told:
            self._told.add(what)
            warnings.warn(message, UserWarning, stacklevel=2)

    # After it

    def finish(self, running: Running, reply: Reply, dropped: tuple[str, ...], result: Result) -> Reply:
        """Adds to a reply what only the gate knows: target, story, cost, terms, the parsed object."""
        slot = running.plan.slots[result.candidate.name]
        reply.target = slot.deployment.name
        reply.attempts = result.attempts
        reply.dropped = [*reply.dropped, *dropped]
        reply.terms = slot.decision
        prices = slot.deployment.offer.price if slot.deployment.offer else None
        beside = {*running.modalities, *(name for part in reply.message.content for name in _modalities(part))}
        reply.cost_usd = cost(reply.usage, prices, _today(), beside=beside.intersection(MODALITIES))
        if not slot.allowed:
            result.attempts[-1].reason = f"policy would deny it: {short(slot.decision)}"
        if running.parse is not None and not reply.tool_calls:
            try:
                reply.parsed = running.parse(reply.text)
            except (ValueError, msgspec.MsgspecError) as error:
                raise ProviderError(
                    f"{reply.target} answered what does not fit the schema "
                    f"(it ended with {reply.stop_reason!r}): {str(error)[:300]}",
                    provider=slot.candidate.provider,
                    retryable=True,
                ) from error
        return reply


class Running:
    """One call under way, and what hooks will be told of it."""

    def __init__(
        self,
        core: Core,
        plan: Plan,
        request: ChatRequest,
        options: dict[str, dict[str, Any]],
        parse: Callable[[str], Any] | None,
        stream: bool,
    ) -> None:
        self.core = core
        self.plan = plan
        self.request = request
        self.parse = parse
        self._options = options
        self._stream = stream
        self._clock = time.monotonic
        self._began = self._clock()
        self._record = (
            Call(f"call-{os.urandom(16).hex()}", "chat", stream, plan.route, time.time()) if core.hooks else None
        )
        self._check_modalities()

    @property
    def modalities(self) -> set[str]:
        """What the messages hold beside text."""
        return {name for m in self.request.messages for p in m.content for name in _modalities(p)}

    def flow(self) -> Flow:
        return call(
            self.plan,
            self.request,
            self._options,
            stream=self._stream,
            health=self.core.health,
            ring=self.core.ring,
            clock=self._clock,
        )

    def _check_modalities(self) -> None:
        """Unsupported if no target takes what the messages hold; judged only where the model's facts are known."""
        needed = self.modalities
        if not needed:
            return
        models = [s.deployment.model for s in self.plan.slots.values() if s.candidate.blocked is None]
        if models and all(m is not None and needed - set(m.input) for m in models):
            lacking = ", ".join(f"{m.id} takes {', '.join(m.input)}" for m in models if m)
            raise Unsupported(f"no target takes {' and '.join(sorted(needed))} input: {lacking}")

    def began_answering(self) -> None:
        if self._record is not None:
            self._record.first_token = self._clock() - self._began

    def done(self, reply: Reply, dropped: tuple[str, ...], result: Result) -> Reply:
        try:
            reply = self.core.finish(self, reply, dropped, result)
        except GateError as error:
            error.attempts = tuple(result.attempts)
            raise self.failed(error) from error.__cause__
        self._tell(reply=reply, attempts=reply.attempts)
        return reply

    def broke(self, error: ProviderError, incoming: Incoming, result: Result) -> GateError:
        """The StreamBroken for a stream that failed after its first token."""
        raised = broken(error, incoming.reply())
        raised.partial.target = result.candidate.name
        raised.partial.attempts = result.attempts
        raised.partial.terms = self.plan.slots[result.candidate.name].decision
        result.attempts[-1].outcome = "failed"
        result.attempts[-1].reason = f"{type(raised).__name__}: {raised}"
        self.core.health.failed(result.candidate.name, self.plan.terms.cooldown)
        raised.attempts = tuple(result.attempts)
        return self.failed(raised)

    def left(self, incoming: Incoming, result: Result) -> None:
        """The caller left a stream before its end: what had come was an answer all the same."""
        if self._record is None:
            return
        reply = incoming.reply()
        slot = self.plan.slots[result.candidate.name]
        reply.target, reply.terms, reply.attempts = slot.deployment.name, slot.decision, result.attempts
        self._tell(reply=reply, attempts=result.attempts)

    def failed(self, error: GateError) -> GateError:
        if isinstance(error, PolicyDenied):
            error.decisions = tuple(s.decision for s in self.plan.slots.values())
        self._tell(error=error, attempts=error.attempts)
        return error

    def _tell(self, **outcome: Any) -> None:
        record = self._record
        if record is None:
            return
        self._record = None
        record.seconds = self._clock() - self._began
        record.decisions = tuple(s.decision for s in self.plan.slots.values())
        record.request = self.request
        for name, value in outcome.items():
            setattr(record, name, value)
        for hook in self.core.hooks:
            try:
                hook(record)
            except Exception:  # a hook's mistake must not cost the caller the reply
                import logging

                logging.getLogger("llmgate").exception("a hook failed")


def _keeper(config: Config) -> Keeper | None:
    """The hook that feeds the ledger, where the config has one."""
    if config.ledger is None:
        return None
    from .ledger import open_ledger
    from .ledger.keeper import Keeper

    return Keeper(open_ledger(config.ledger.path), content=config.ledger.content)


def _modalities(part: Part) -> Iterable[str]:
    return (name for kind, name in _MODALITIES if isinstance(part, kind))


def short(decision: Decision) -> str:
    """A decision in one line: the verdict, the first deciding reason, its clause and source."""
    reason = next(iter(decision.deciding), None)
    if reason is None:
        return decision.verdict
    missing = decision.missing_facts if decision.verdict == "conditional" else ()
    hangs = f" (not given: {', '.join(missing)})" if missing else ""
    return f"{decision.verdict}: {reason.summary}{hangs} [{cite(reason)}]"


def _price(prices: Prices) -> tuple[Decimal, Decimal] | None:
    """What routing compares: the rates of today, for prompts of usual length."""
    price = at(prices, _today())
    if price is None or price.input is None or price.output is None:
        return None
    return price.input, price.output


def _today() -> dt.date:
    return dt.date.today()


def license_of(model: Model | None) -> str:
    return " + ".join(model.license) if model and model.license else "unknown"
