"""How a request is signed: one function per scheme."""

from __future__ import annotations

from collections.abc import Callable

from ..transport import HttpRequest

Sign = Callable[[HttpRequest, str], None]


def _header(name: str, form: str = "{}") -> Sign:
    def sign(request: HttpRequest, key: str) -> None:
        request.headers[name] = form.format(key)

    return sign


SCHEMES: dict[str, Sign] = {
    "bearer": _header("authorization", "Bearer {}"),
    "x-api-key": _header("x-api-key"),
    "x-goog-api-key": _header("x-goog-api-key"),
    "api-key": _header("api-key"),
    "none": lambda _request, _key: None,
}
"""Scheme, as the registry names it, to the function that signs with it."""
