"""What both clients are made of."""

import copy
from collections.abc import Awaitable, Callable
from typing import Any, Self

from serving.client.connection import MOST_RETRIES, Address, Connection
from serving.client.requests import Target
from serving.client.steps import Conversation, Steps
from serving.client.tls import TLS
from serving.client.typed import typed
from serving.errors import ServingError
from serving.metadata import Signature

SUMMARIES = {
    "rank": "Ranks the candidates of a user or a query; of several users, one row each.",
    "rank_rows": "Predicts every ranking task for rows of a user and an item each.",
    "retrieve": "Finds the items of the catalogue that suit a user or a query best.",
    "recommend": "Retrieves, filters and ranks items for a user or a query.",
    "embed_user": "The vector of a user or a query.",
    "embed_item": "The vectors of items.",
}


class Settings:
    """A model on a server, and how it is asked; `Client` describes the arguments."""

    _library: Any

    def __init__(
        self,
        address: str,
        model: str,
        timeout: float = 5.0,
        *,
        version: int | None = None,
        label: str | None = None,
        tls: TLS | None = None,
        retries: int = MOST_RETRIES,
        max_message_bytes: int | None = None,
    ):
        self.address = address
        self.model = model
        self.timeout = timeout
        self.version = version
        self.label = label
        self._target = Target(model, version, label).checked()
        place = Address(address, tls, retries, max_message_bytes)
        self._connection = Connection(place, self._library)
        self._conversation = Conversation()
        # {signature: (what was known when it was made, its typed function)}
        self._typed: dict[str, tuple[Signature, Callable[..., Any]]] = {}

    def at(
        self,
        *,
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> Self:
        """The same server asked otherwise, over the same connection.

        Args:
            model: Another model.
            version: A version.
            label: A label.
            timeout: Seconds a call may take.

        Returns:
            A client that shares the connection: closing either closes both.

        Example:
            >>> client.at(label="canary", timeout=0.05).recommend(user_id="u17")
        """
        other = copy.copy(self)
        other.model = model or self.model
        other.timeout = self.timeout if timeout is None else timeout
        if model or version is not None or label is not None:
            other.version, other.label = version, label
        other._target = Target(other.model, other.version, other.label).checked()
        other._typed = {}
        return other

    def _pointed(self, version: int | None, label: str | None) -> Target:
        """The version of a call that names one, else the client's own."""
        if version is None and label is None:
            return self._target
        return Target(self.model, version, label).checked()

    def _function(
        self,
        name: str,
        signature: Signature | None,
        run: Callable[[Steps[Any]], Any] | Callable[[Steps[Any]], Awaitable[Any]],
    ) -> Callable[..., Any]:
        """A typed call, with the parameters of what is known of its signature."""
        made = self._typed.get(name)
        if made is not None and made[0] is signature:
            return made[1]

        def call(inputs: Any = None, /, **named: Any) -> Any:
            return run(self._conversation.typed(self._target, name, inputs, named))

        if signature is None:
            call.__name__ = call.__qualname__ = name
            call.__doc__ = (
                f"{SUMMARIES[name]}\n\nIts parameters are known once the model was asked, with "
                f'`metadata("{name}")` or by a call.'
            )
            return call
        self._typed[name] = (signature, typed(call, signature, SUMMARIES[name]))
        return self._typed[name][1]


def time_is_up(timeout: float) -> ServingError:
    """What a call ends in whose time was used up by the messages before its last."""
    return ServingError("DEADLINE_EXCEEDED", f"the call took longer than {timeout:g} s")
