"""A light client of TF Serving's gRPC protocol; it never imports TensorFlow.

    with Client("localhost:8500", model="shop") as client:
        found = client.recommend(user_id="u17", query="running shoes", k=10)
        print(found.items, found.tasks["click"])

It works against `tensorflow_model_server` and the embedded server alike.
"""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
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


class Client(Settings):
    """Queries one model on one server. Safe to share between threads.

    `rank`, `rank_rows`, `retrieve`, `recommend`, `embed_user` and `embed_item` are functions whose
    keyword parameters are the inputs the model declares: `help(client.recommend)` says what they
    are. A call about one user takes plain values and lists and answers the same; about several,
    every value is a list with a row for each. Values may be Python's, numpy's or Arrow's.

    Args:
        address: `host:port`.
        model: The model's name on the server.
        timeout: Seconds a call may take, its deadline on the server as well.
        version: A model version; the latest when left out.
        label: A label in place of a version, such as `"canary"`.
        tls: Encryption; a plain connection when left out.
        retries: How often a call that ended in UNAVAILABLE is sent again before its deadline,
            up to 4.
        max_message_bytes: Longest request and longest answer; any length when left out.

    Raises:
        ServingError: INVALID_ARGUMENT for settings that cannot be.
    """

    _library = grpc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the client cannot be used afterwards."""
        self._connection.close()

    @property
    def rank(self) -> Callable[..., Ranking]:
        """Ranks the candidates of a user or a query."""
        return self._call(RANK)

    @property
    def rank_rows(self) -> Callable[..., Predictions]:
        """Predicts every ranking task for rows of a user and an item each."""
        return self._call(RANK_ROWS)

    @property
    def retrieve(self) -> Callable[..., Recommendations]:
        """Finds the items of the catalogue that suit a user or a query best."""
        return self._call(RETRIEVE)

    @property
    def recommend(self) -> Callable[..., Recommendations]:
        """Retrieves, filters and ranks items for a user or a query."""
        return self._call(RECOMMEND)

    @property
    def embed_user(self) -> Callable[..., np.ndarray]:
        """The vector of a user or a query, `[dim]`; of several, `[users, dim]`."""
        return self._call(EMBED_USER)

    @property
    def embed_item(self) -> Callable[..., np.ndarray]:
        """The vectors of items, `[rows, dim]`."""
        return self._call(EMBED_ITEM)

    def predict(
        self,
        signature: str,
        inputs: Any,
        version: int | None = None,
        broadcast: bool = True,
        *,
        label: str | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs any signature on one batch.

        Args:
            signature: The signature's key.
            inputs: Array-likes by input name, or an Arrow table. Each is cast to the declared
                type; a scalar or a value of one row is repeated to the batch.
            version: A model version; the client's own, else the latest, when left out.
            broadcast: False sends every input at its own length.
            label: A label in place of a version.

        Returns:
            The outputs by name; strings as `object` arrays of `bytes`.

        Raises:
            ServingError: INVALID_ARGUMENT naming the wrong, missing or unknown input, before
                anything is sent; otherwise the server's code and message.
        """
        target = self._pointed(version, label)
        return self._run(self._conversation.predict(target, signature, inputs, broadcast)).outputs

    def classify(
        self, examples: Any, context: Any = None, signature: str = CLASSIFY
    ) -> list[Classification]:
        """Classifies rows given as examples.

        Args:
            examples: Rows `{column: value}`, serialized `tf.Example`s, or an Arrow table.
            context: Columns that all rows share.
            signature: The signature's key.

        Returns:
            The classes and scores of every row.

        Raises:
            ServingError: As `predict`.
        """
        return self._run(self._conversation.classify(self._target, signature, examples, context))

    def regress(self, examples: Any, context: Any = None, signature: str = REGRESS) -> np.ndarray:
        """A number for each of the rows given as examples, float32 `[rows]`; as `classify`."""
        return self._run(self._conversation.regress(self._target, signature, examples, context))

    def ask(self, signature: str, inputs: Mapping[str, Any]) -> Any:
        """Runs any signature by the gRPC method it was made for.

        Args:
            signature: The signature's key.
            inputs: Array-likes by input name; `{"examples": rows}` where the signature reads
                serialized examples, with rows as `classify` takes them.

        Returns:
            What `predict`, `classify` or `regress` return.

        Raises:
            ServingError: As `predict`.
        """
        return self._run(self._conversation.ask(self._target, signature, inputs))

    def message(self, signature: str, inputs: Mapping[str, Any]) -> Send:
        """The message that `ask` would send."""
        return self._run(self._conversation.message(self._target, signature, inputs))

    def metadata(
        self, signature: str, version: int | None = None, *, label: str | None = None
    ) -> Signature:
        """What a signature takes and gives, asked from the server.

        Args:
            signature: The signature's key.
            version: A model version; the client's own, else the latest, when left out.
            label: A label in place of a version.

        Raises:
            ServingError: What the server answered, or NOT_FOUND with the known signatures.
        """
        target = self._pointed(version, label)
        return self._run(self._conversation.signature(target, signature))

    def signatures(self) -> dict[str, Signature]:
        """All signatures of the version, asked from the server."""
        return self._run(self._conversation.signatures(self._target))

    def status(self) -> list[VersionStatus]:
        """The versions of the model the server knows, newest first.

        Raises:
            ServingError: NOT_FOUND when the server has never seen the model.
        """
        return self._run(self._conversation.status(self._target))

    def health(self) -> str:
        """What the server's health service says, such as `"SERVING"`.

        Raises:
            ServingError: UNIMPLEMENTED for a server without that service.
        """
        return self._run(self._conversation.health())

    def reload_config(self, config: str) -> None:
        """Makes the server serve other models, versions and labels.

        Args:
            config: The text of a `models.config`.

        Raises:
            ServingError: INVALID_ARGUMENT for what is none; what the server answered.
        """
        self._run(self._conversation.reload(config))

    def _call(self, name: str) -> Callable[..., Any]:
        known = self._conversation.known(self._target, name)
        if known is None:
            known = self._run(self._conversation.signature(self._target, name))
        return self._function(name, known, self._run)

    def _run(self, steps: Steps[T]) -> T:
        """Sends what the steps of an operation ask for, within the time of one call."""
        deadline = time.monotonic() + self.timeout
        try:
            send = next(steps)
            while True:
                try:
                    answer = self._send(send, deadline - time.monotonic())
                except ServingError as error:
                    send = steps.throw(error)
                else:
                    send = steps.send(answer)
        except StopIteration as ended:
            return ended.value

    def _send(self, send: Send, seconds: float) -> Any:
        if seconds <= 0:
            raise time_is_up(self.timeout)
        try:
            return self._connection.method(send.path)(send.request, timeout=seconds)
        except grpc.RpcError as error:
            raise failure(error) from error
        except ValueError as error:  # another thread closed the client meanwhile
            raise closed() from error
