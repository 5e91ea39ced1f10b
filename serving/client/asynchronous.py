"""The client of asyncio: what `Client` does, awaited.

async with AsyncClient("localhost:8500", model="shop") as client:
    found = await client.recommend(user_id="u17", query="running shoes", k=10)
"""

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
import numpy as np

from serving.client.connection import closed, failure
from serving.client.reading import VersionStatus
from serving.client.results import Classification, Predictions, Ranking, Recommendations
from serving.client.settings import Settings, time_is_up
from serving.client.steps import Send, Steps
from serving.errors import ServingError
from serving.metadata import Signature
from serving.signatures import (
    CLASSIFY,
    EMBED_ITEM,
    EMBED_USER,
    RANK,
    RANK_ROWS,
    RECOMMEND,
    REGRESS,
    RETRIEVE,
)

T = TypeVar("T")


class AsyncClient(Settings):
    """Queries one model on one server from the tasks of one event loop.

    Its arguments and calls are those of `Client`, which describes them; the calls are awaited. As
    an attribute cannot ask the server, `rank`, `recommend` and the others bear the model's
    parameters once the model was asked, by `await client.metadata("recommend")` or by a call.
    """

    _library = grpc.aio

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; the client cannot be used afterwards."""
        closing = self._connection.close()
        if closing is not None:
            await closing

    @property
    def rank(self) -> Callable[..., Awaitable[Ranking]]:
        """Ranks the candidates of a user or a query."""
        return self._call(RANK)

    @property
    def rank_rows(self) -> Callable[..., Awaitable[Predictions]]:
        """Predicts every ranking task for rows of a user and an item each."""
        return self._call(RANK_ROWS)

    @property
    def retrieve(self) -> Callable[..., Awaitable[Recommendations]]:
        """Finds the items of the catalogue that suit a user or a query best."""
        return self._call(RETRIEVE)

    @property
    def recommend(self) -> Callable[..., Awaitable[Recommendations]]:
        """Retrieves, filters and ranks items for a user or a query."""
        return self._call(RECOMMEND)

    @property
    def embed_user(self) -> Callable[..., Awaitable[np.ndarray]]:
        """The vector of a user or a query, `[dim]`; of several, `[users, dim]`."""
        return self._call(EMBED_USER)

    @property
    def embed_item(self) -> Callable[..., Awaitable[np.ndarray]]:
        """The vectors of items, `[rows, dim]`."""
        return self._call(EMBED_ITEM)

    async def predict(
        self,
        signature: str,
        inputs: Any,
        version: int | None = None,
        broadcast: bool = True,
        *,
        label: str | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs any signature on one batch; see `Client.predict`."""
        target = self._pointed(version, label)
        steps = self._conversation.predict(target, signature, inputs, broadcast)
        return (await self._run(steps)).outputs

    async def classify(
        self, examples: Any, context: Any = None, signature: str = CLASSIFY
    ) -> list[Classification]:
        """Classifies rows given as examples; see `Client.classify`."""
        return await self._run(
            self._conversation.classify(self._target, signature, examples, context)
        )

    async def regress(
        self, examples: Any, context: Any = None, signature: str = REGRESS
    ) -> np.ndarray:
        """A number for each of the rows given as examples; see `Client.regress`."""
        return await self._run(
            self._conversation.regress(self._target, signature, examples, context)
        )

    async def metadata(
        self, signature: str, version: int | None = None, *, label: str | None = None
    ) -> Signature:
        """What a signature takes and gives; see `Client.metadata`."""
        target = self._pointed(version, label)
        return await self._run(self._conversation.signature(target, signature))

    async def signatures(self) -> dict[str, Signature]:
        """All signatures of the version, asked from the server."""
        return await self._run(self._conversation.signatures(self._target))

    async def status(self) -> list[VersionStatus]:
        """The versions of the model the server knows, newest first; see `Client.status`."""
        return await self._run(self._conversation.status(self._target))

    async def health(self) -> str:
        """What the server's health service says; see `Client.health`."""
        return await self._run(self._conversation.health())

    async def reload_config(self, config: str) -> None:
        """Makes the server serve other models, versions and labels; see `Client.reload_config`."""
        await self._run(self._conversation.reload(config))

    def _call(self, name: str) -> Callable[..., Awaitable[Any]]:
        return self._function(name, self._conversation.known(self._target, name), self._run)

    async def _run(self, steps: Steps[T]) -> T:
        """Sends what the steps of an operation ask for, within the time of one call."""
        deadline = time.monotonic() + self.timeout
        try:
            send = next(steps)
            while True:
                try:
                    answer = await self._send(send, deadline - time.monotonic())
                except ServingError as error:
                    send = steps.throw(error)
                else:
                    send = steps.send(answer)
        except StopIteration as ended:
            return ended.value

    async def _send(self, send: Send, seconds: float) -> Any:
        if seconds <= 0:
            raise time_is_up(self.timeout)
        try:
            return await self._connection.method(send.path)(send.request, timeout=seconds)
        except grpc.RpcError as error:
            raise failure(error) from error
        except grpc.aio.UsageError as error:  # another task closed the client meanwhile
            raise closed() from error
