"""The words that registry data may use: uses, facts, verdicts, grades, triggers."""

from __future__ import annotations

import re
from typing import Literal, get_args

Use = Literal[
    "commercial",
    "research",
    "modify",
    "redistribute",
    "host",
    "train-on-outputs",
    "sell-outputs",
    "confidential-input",
    "serve-minors",
    "resell-access",
    "military",
]
USES: tuple[str, ...] = get_args(Use)

Verdict = Literal["permitted", "conditional", "unknown", "prohibited"]
VERDICTS: tuple[str, ...] = get_args(Verdict)
"""From best to worst: the worst of several wins."""

Grade = Literal["P", "S", "K", "U"]
"""How a fact is known. P: the text was opened, its hash is recorded. S: a dated reading by others.
K: commonly known, not opened. U: unconfirmed. K and U carry only the verdict `unknown`."""
GRADES: tuple[str, ...] = get_args(Grade)

Trigger = Literal["product_uses", "product_contains", "host", "redistribute", "publish_model", "publish_output"]
ObligationKind = Literal[
    "display",
    "naming",
    "notice",
    "licence-copy",
    "change-notice",
    "attribution",
    "flow-down",
    "marking",
    "share-alike",
    "register",
    "report",
]

FactKind = Literal["number", "country", "countries", "text", "texts", "flag", "tier", "date"]
FACTS: dict[str, FactKind] = {
    "monthly_active_users": "number",
    "annual_revenue_usd": "number",
    "monthly_revenue_usd": "number",
    "established": "country",
    "users_in": "countries",
    "sector": "texts",
    "provider_tier": "tier",
    "trained_model_distributed": "flag",
    "trained_model_competes": "flag",
    "trained_model_family": "text",
    "contracts": "texts",
    "registered": "texts",
    "date": "date",
}
"""What the answer may hang on, and the kind of its value (DESIGN: `Facts`)."""

DATED = frozenset({"monthly_active_users", "annual_revenue_usd", "monthly_revenue_usd"})
"""Facts that may also be asked at a month: `monthly_active_users@2024-06`."""

MODEL_FACTS: dict[str, FactKind] = {
    "model.id": "text",
    "model.family": "text",
    "model.developer": "text",
    "model.input": "texts",
    "model.output": "texts",
    "model.weights": "text",
    "target.hosted": "flag",
}
"""What a condition may ask of the model, or of how it is reached (`target.hosted`: as someone's service); always
known, never asked of the user."""

TARGET_FACTS: dict[str, FactKind] = {
    **MODEL_FACTS,
    "model.lifecycle": "text",
    "model.context": "number",
    "model.parameters": "number",
    "target.wire": "text",
    "provider.id": "text",
    "provider.kind": "text",
    "provider.country": "country",
    "license.id": "texts",
    "license.osi_approved": "flag",
    "license.grade": "text",
    **{f"use.{use}": "text" for use in USES},
}
"""What a company's own rule may ask of a target besides (docs/config.md). Data may not: what the registry does not know
of a target makes such a rule `unknown`."""

Modality = Literal["text", "image", "audio", "video", "document", "3d", "embedding", "score"]

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def is_fact(name: str) -> bool:
    """True if a condition may name this fact, dated or not."""
    base, at, month = name.partition("@")
    if not at:
        return name in FACTS or name in MODEL_FACTS
    return base in DATED and _MONTH.fullmatch(month) is not None


# Members of the European Union; the EEA adds Iceland, Liechtenstein and Norway.
_EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
REGIONS: dict[str, frozenset[str]] = {
    "EU": frozenset(_EU.split()),
    "EEA": frozenset([*_EU.split(), "IS", "LI", "NO"]),
}
"""Names that expand to countries (ISO 3166-1 alpha-2)."""


def countries(names: list[str] | tuple[str, ...]) -> frozenset[str]:
    """Country codes with `EU` and `EEA` expanded."""
    return frozenset(c for n in names for c in REGIONS.get(n.upper(), (n.upper(),)))


# ISO 3166-1 alpha-2.
COUNTRIES = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split()
)
