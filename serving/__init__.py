"""Serving a recommender: a client, an embedded server and what puts versions under it.

Public names load on first use, so that `import serving` costs nothing and the client never
imports TensorFlow:

    with serving.Client("localhost:8500", model="shop") as client:
        found = client.recommend(user_id="u17", query="running shoes", k=10)
"""

import importlib
from typing import Any

_MODULES = {
    "TLS": "serving.client",
    "AsyncClient": "serving.client",
    "Client": "serving.client",
    "EmbeddedServer": "serving.server.server",
    "ServerOptions": "serving.server.options",
    "ServingError": "serving.errors",
    "export": "serving.exporting",
    "newest_model": "serving.pushing.versions",
}

__all__ = [
    "TLS",
    "AsyncClient",
    "Client",
    "EmbeddedServer",
    "ServerOptions",
    "ServingError",
    "export",
    "newest_model",
]


def __getattr__(name: str) -> Any:
    """Imports a public name's module when the name is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
