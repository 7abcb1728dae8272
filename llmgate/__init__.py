"""One client for every model, that knows what each model's licence lets you do.

The names below load on first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Named as themselves: type checkers take that for an export.
    from ._api import check as check, models as models  # noqa: I001 - one line for each module
    from .chat import (
        Audio as Audio,
        ChatRequest as ChatRequest,
        Document as Document,
        Event as Event,
        Image as Image,
        Message as Message,
        NamedTool as NamedTool,
        OutputSchema as OutputSchema,
        Reasoning as Reasoning,
        Reply as Reply,
        Text as Text,
        Tool as Tool,
        ToolCall as ToolCall,
        ToolResult as ToolResult,
        Usage as Usage,
    )
    from .client import AsyncClient as AsyncClient, Client as Client
    from .config import Config as Config
    from .errors import (
        AllTargetsFailed as AllTargetsFailed,
        AuthenticationFailed as AuthenticationFailed,
        ConfigError as ConfigError,
        ConnectionFailed as ConnectionFailed,
        ContentRefused as ContentRefused,
        ContextTooLong as ContextTooLong,
        GateError as GateError,
        InvalidRequest as InvalidRequest,
        MissingExtra as MissingExtra,
        ModelUnavailable as ModelUnavailable,
        Overloaded as Overloaded,
        PolicyDenied as PolicyDenied,
        ProviderError as ProviderError,
        RateLimited as RateLimited,
        StreamBroken as StreamBroken,
        Timeout as Timeout,
        Unsupported as Unsupported,
    )
    from .ledger.provenance import provenance as provenance
    from .policy import Decision as Decision
    from .registry import Model as Model, Registry as Registry

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
    "ledger.provenance": ("provenance",),
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
