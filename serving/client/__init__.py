"""A light client of TF Serving's gRPC protocol, blocking and for asyncio, without TensorFlow."""

from serving.client.asynchronous import AsyncClient
from serving.client.blocking import Client
from serving.client.reading import VersionStatus
from serving.client.results import Classification, Predictions, Ranking, Recommendations
from serving.client.tls import TLS
from serving.client.typed import describe

__all__ = [
    "TLS",
    "AsyncClient",
    "Classification",
    "Client",
    "Predictions",
    "Ranking",
    "Recommendations",
    "VersionStatus",
    "describe",
]
