"""What a client's calls do, apart from how their messages travel.

Each operation is a generator: it yields a `Send`, is given the server's answer and returns what the
caller gets. The blocking and the asynchronous client drive the same generators.
"""

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from serving import protocol
from serving.client import reading, requests
from serving.client.examples import to_examples
from serving.client.requests import Target
from serving.errors import ServingError
from serving.inputs import make_batch
from serving.inputs.arrow import columns as columns_of
from serving.metadata import Signature
from serving.signatures import INPUTS, RANK_ROWS

T = TypeVar("T")


class Send(NamedTuple):
    """A message to send.

    Attributes:
        path: The gRPC method.
        request: The message.
    """

    path: str
    request: Any


Steps = Generator[Send, Any, T]

_EXAMPLES = "examples"
# What a version answers that has no such signature or takes other inputs.
_OUTDATED = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND")


class Conversation:
    """Operations on the models of one server, and what is known of them.

    The signatures of a version are asked once. Which version is the latest or under a label may
    change at any time: an answer that comes from another version than the last one makes the
    client ask again, and so does a request that the known signature or the server refuses.
    """

    def __init__(self) -> None:
        self._known: dict[Target, dict[str, Signature]] = {}

    def known(self, target: Target, signature: str) -> Signature | None:
        """What has been asked already."""
        return self._known.get(target, {}).get(signature)

    def signatures(self, target: Target) -> Steps[dict[str, Signature]]:
        """Asks for all signatures."""
        answer = yield Send(protocol.GET_MODEL_METADATA, requests.metadata(target))
        self._known[target] = reading.signatures(answer)
        return self._known[target]

    def signature(self, target: Target, name: str) -> Steps[Signature]:
        """Asks for one signature."""
        signatures = yield from self.signatures(target)
        if name not in signatures:
            version = next((found.version for found in signatures.values()), 0)
            raise ServingError(
                "NOT_FOUND",
                f"model `{target.model}` version {version} has no signature `{name}`, "
                f"it has: {', '.join(signatures) or 'none'}",
            )
        return signatures[name]

    def predict(
        self, target: Target, name: str, inputs: Any, broadcast: bool = True
    ) -> Steps[reading.Answer]:
        """Runs a signature; once more when what was known of it proves to be outdated."""
        known = self.known(target, name)
        if known is not None:
            try:
                return (yield from self._run(target, known, inputs, broadcast))
            except ServingError as error:
                if error.code not in _OUTDATED:
                    raise
                refusal = error
        signature = yield from self.signature(target, name)
        if known is not None and signature.version == known.version:
            raise refusal
        return (yield from self._run(target, signature, inputs, broadcast))

    def typed(self, target: Target, name: str, inputs: Any, named: Mapping[str, Any]) -> Steps[Any]:
        """Runs a signature that has a typed call and reads its answer."""
        answer = yield from self.predict(target, name, _joined(inputs, named))
        return reading.READERS[name](answer)

    def classify(
        self, target: Target, name: str, examples: Any, context: Any
    ) -> Steps[list[reading.Classification]]:
        """Classifies examples."""
        message = protocol.ClassificationRequest
        request = yield from self._of_examples(message, target, name, examples, context)
        response = yield Send(protocol.CLASSIFY, request)
        self._note_version(target, response)
        return reading.classifications(response)

    def regress(self, target: Target, name: str, examples: Any, context: Any) -> Steps[np.ndarray]:
        """Gives the number of each example."""
        message = protocol.RegressionRequest
        request = yield from self._of_examples(message, target, name, examples, context)
        response = yield Send(protocol.REGRESS, request)
        self._note_version(target, response)
        return reading.regressions(response)

    def message(self, target: Target, name: str, inputs: Mapping[str, Any]) -> Steps[Send]:
        """The message that runs a signature, without sending it.

        Args:
            target: The version that is asked.
            name: The signature's key.
            inputs: Array-likes by input name; `{"examples": rows}` for a signature of serialized
                examples.
        """
        signature = yield from self.signature(target, name)
        if list(inputs) != [_EXAMPLES] or list(signature.inputs) != [INPUTS]:
            arrays = make_batch(inputs, signature).arrays
            return Send(protocol.PREDICT, requests.predict(target, name, arrays))
        columns = self.known(target, RANK_ROWS)
        examples = to_examples(inputs[_EXAMPLES], columns)
        if signature.method == "classify":
            kind, path = protocol.ClassificationRequest, protocol.CLASSIFY
        elif signature.method == "regress":
            kind, path = protocol.RegressionRequest, protocol.REGRESS
        else:
            rows = [example.SerializeToString() for example in examples]
            arrays = make_batch({INPUTS: rows}, signature).arrays
            return Send(protocol.PREDICT, requests.predict(target, name, arrays))
        return Send(path, requests.of_examples(kind, target, name, examples, None))

    def ask(self, target: Target, name: str, inputs: Mapping[str, Any]) -> Steps[Any]:
        """Sends `message` and reads what comes."""
        send = yield from self.message(target, name, inputs)
        response = yield send
        if send.path == protocol.CLASSIFY:
            return reading.classifications(response)
        if send.path == protocol.REGRESS:
            return reading.regressions(response)
        return reading.outputs(response)

    def status(self, target: Target) -> Steps[list[reading.VersionStatus]]:
        """Asks for the states of a model's versions."""
        return reading.states(
            (yield Send(protocol.GET_MODEL_STATUS, requests.status(target.model)))
        )

    def health(self) -> Steps[str]:
        """Asks whether the server serves."""
        answer = yield Send(protocol.HEALTH, protocol.HealthCheckRequest())
        return protocol.HEALTH_STATES.get(answer.status, str(answer.status))

    def reload(self, config: str) -> Steps[None]:
        """Makes the server serve other models, versions and labels."""
        self._known.clear()
        reading.check_reloaded((yield Send(protocol.RELOAD_CONFIG, requests.reload(config))))

    def _run(
        self, target: Target, signature: Signature, inputs: Any, broadcast: bool
    ) -> Steps[reading.Answer]:
        batch = make_batch(inputs, signature, broadcast)
        request = requests.predict(target, signature.name, batch.arrays)
        response = yield Send(protocol.PREDICT, request)
        version = self._note_version(target, response)
        outputs = reading.outputs(response)
        return reading.Answer(outputs, version, batch, signature.candidate_key)

    def _note_version(self, target: Target, response: Any) -> int:
        """The version that answered; what is known of another one is forgotten."""
        version = response.model_spec.version.value
        known = self._known.get(target, {})
        if any(signature.version != version for signature in known.values()):
            self._known.pop(target, None)
        return version

    def _of_examples(
        self, message: Any, target: Target, name: str, examples: Any, context: Any
    ) -> Steps[Any]:
        known = self._known.get(target) or (yield from self.signatures(target))
        columns = known.get(RANK_ROWS)
        rows = to_examples(examples, columns)
        shared = None if context is None else to_examples(context, columns)[0]
        return requests.of_examples(message, target, name, rows, shared)


def _joined(inputs: Any, named: Mapping[str, Any]) -> Any:
    """Inputs given as a whole and by name; those given by name win."""
    if inputs is None:
        return named
    return {**columns_of(inputs), **named} if named else inputs
