"""The requests of a load test as a client would send them."""

from collections.abc import Iterable, Mapping
from typing import Any

from serving.client import Client
from serving.loadtest.plan import Load


def encoded(client: Client, signature: str, requests: Iterable[Mapping[str, Any]]) -> Load:
    """Requests of one signature, serialized once.

    Args:
        client: Of the model that is asked.
        signature: The signature's key.
        requests: Inputs by name of each; `{"examples": rows}` for signatures of examples.

    Raises:
        ServingError: NOT_FOUND without such a signature; INVALID_ARGUMENT for wrong inputs.
    """
    sent = [client.message(signature, inputs) for inputs in requests]
    path = sent[0].path if sent else ""
    return Load(signature, path, [send.request.SerializeToString() for send in sent])
