"""Serving a recommender: a client, an embedded server and what puts versions under it.

Public names load on first use, so that `import serving` costs nothing and the client never
imports TensorFlow:

    with serving.Client("localhost:8500", model="shop") as client:
        scores = client.predict("rank", {"user_id": ["u17"], "item_id": ["i3"]})
"""

import importlib
from typing import Any

_MODULES = {
    "Client": "serving.client",
    "EmbeddedServer": "serving.server.server",
    "ServingError": "serving.errors",
    "export": "serving.exporting",
    "newest_model": "serving.pushing.versions",
}

__all__ = ["Client", "EmbeddedServer", "ServingError", "export", "newest_model"]


def __getattr__(name: str) -> Any:
    """Imports a public name's module when the name is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
