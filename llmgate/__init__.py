"""One client for every model, that knows what each model's licence lets you do.

The names below load on first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._api import check, models
    from .chat import (
        Audio,
        ChatRequest,
        Document,
        Event,
        Image,
        Message,
        NamedTool,
        OutputSchema,
        Reasoning,
        Reply,
        Text,
        Tool,
        ToolCall,
        ToolResult,
        Usage,
    )
    from .client import AsyncClient, Client
    from .config import Config
    from .errors import (
        AllTargetsFailed,
        AuthenticationFailed,
        ConfigError,
        ConnectionFailed,
        ContentRefused,
        ContextTooLong,
        GateError,
        InvalidRequest,
        MissingExtra,
        ModelUnavailable,
        Overloaded,
        PolicyDenied,
        ProviderError,
        RateLimited,
        StreamBroken,
        Timeout,
        Unsupported,
    )
    from .policy import Decision
    from .registry import Model, Registry

_HOMES = {
    "_api": ("check", "models"),
    "chat": (
        "Audio",
        "ChatRequest",
        "Document",
        "Event",
        "Image",
        "Message",
        "NamedTool",
        "OutputSchema",
        "Reasoning",
        "Reply",
        "Text",
        "Tool",
        "ToolCall",
        "ToolResult",
        "Usage",
    ),
    "client": ("AsyncClient", "Client"),
    "config": ("Config",),
    "errors": (
        "AllTargetsFailed",
        "AuthenticationFailed",
        "ConfigError",
        "ConnectionFailed",
        "ContentRefused",
        "ContextTooLong",
        "GateError",
        "InvalidRequest",
        "MissingExtra",
        "ModelUnavailable",
        "Overloaded",
        "PolicyDenied",
        "ProviderError",
        "RateLimited",
        "StreamBroken",
        "Timeout",
        "Unsupported",
    ),
    "policy": ("Decision",),
    "registry": ("Model", "Registry"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME, "__version__"]  # noqa: PLE0604 - the names are strings

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
