"""The server that is looked at: how it is asked, and what it says of its model."""

import http.client
import json
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import grpc

from serving import protocol
from serving.conformance.case import LABELS, MODEL, REFERENCE, RELOAD, REST, Answer, Call, RestCall
from serving.conformance.reference import CANARY, SIGNATURES, STABLE
from serving.errors import ServingError

_REST_SECONDS = 30.0
_AVAILABLE = 30


class Target:
    """A server and one of its models.

    Args:
        address: `host:port` of gRPC.
        model: The model's name.
        rest: `host:port` of REST; cases of REST are passed over without.
        config: The `ModelServerConfig` the server runs with, so that it can be put back; cases
            that reload the configuration are passed over without.
        root_certificates: PEM bytes that the server's certificate is checked against; TLS with.
    """

    def __init__(
        self,
        address: str,
        model: str,
        rest: str | None = None,
        config: Any = None,
        root_certificates: bytes | None = None,
    ):
        self.model = model
        self.rest = rest
        self.config = config
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if root_certificates is None:
            self._channel = grpc.insecure_channel(address, options=unlimited)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates)
            self._channel = grpc.secure_channel(address, credentials, options=unlimited)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.close()

    def send(self, call: Call | RestCall) -> Answer:
        """Sends a request and waits for its end, whatever it is."""
        return self._rest(call) if isinstance(call, RestCall) else self._grpc(call)

    @cached_property
    def states(self) -> dict[int, int]:
        """The state of each version the server knows.

        Raises:
            ServingError: The server cannot be reached or does not know the model.
        """
        request = protocol.GetModelStatusRequest()
        request.model_spec.name = self.model
        answer = self._required(Call(protocol.GET_MODEL_STATUS, request.SerializeToString(), 10.0))
        response = protocol.GetModelStatusResponse.FromString(answer.body)
        return {entry.version: entry.state for entry in response.model_version_status}

    @property
    def latest(self) -> int:
        """The version that answers when none is asked for.

        Raises:
            ServingError: UNAVAILABLE when there is none.
        """
        available = [number for number, state in self.states.items() if state == _AVAILABLE]
        if not available:
            raise ServingError("UNAVAILABLE", f"model `{self.model}` has no version to serve")
        return max(available)

    @cached_property
    def signatures(self) -> dict[str, Any]:
        """The model's `SignatureDef` by key, without those of loading and saving."""
        request = protocol.GetModelMetadataRequest(metadata_field=[protocol.SIGNATURE_DEF])
        request.model_spec.name = self.model
        answer = self._required(Call(protocol.GET_MODEL_METADATA, request.SerializeToString()))
        response = protocol.GetModelMetadataResponse.FromString(answer.body)
        packed = protocol.SignatureDefMap.FromString(
            response.metadata[protocol.SIGNATURE_DEF].value
        )
        return {
            name: signature
            for name, signature in sorted(packed.signature_def.items())
            if not name.startswith("__")
        }

    @cached_property
    def signature(self) -> str:
        """The signature that the cases for any model ask: the default one, or the first.

        Empty when none fits.
        """
        found = [
            name
            for name, signature in self.signatures.items()
            if signature.inputs and signature.method_name.endswith("/predict")
        ]
        return "serving_default" if "serving_default" in found else next(iter(found), "")

    @cached_property
    def offers(self) -> frozenset[str]:
        """What cases may need and this server has."""
        available = {number for number, state in self.states.items() if state == _AVAILABLE}
        is_reference = set(SIGNATURES) <= set(self.signatures)
        there = {
            MODEL: bool(self.signature),
            REFERENCE: is_reference,
            LABELS: is_reference and {STABLE, CANARY} <= available,
            REST: self.rest is not None,
            RELOAD: self.config is not None,
        }
        return frozenset(need for need, is_there in there.items() if is_there)

    def _required(self, call: Call) -> Answer:
        answer = self._grpc(call)
        if answer.code != "OK":
            raise ServingError(answer.code, answer.message)
        return answer

    def _grpc(self, call: Call) -> Answer:
        try:
            body = self._channel.unary_unary(call.method)(call.payload, timeout=call.timeout)
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "", b"")
        return Answer("OK", "", body)

    def _rest(self, call: RestCall) -> Answer:
        host, _, port = (self.rest or "").rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=_REST_SECONDS)
        try:
            connection.request(call.verb, call.path, call.body or None)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer("UNAVAILABLE", f"{type(error).__name__}: {error}", b"")
        finally:
            connection.close()
        return Answer(str(response.status), _error(body), body)


def _error(body: bytes) -> str:
    """The `error` of a JSON answer, or the beginning of what was answered instead."""
    try:
        answer = json.loads(body)
    except ValueError:
        return body[:2000].decode(errors="replace")
    return str(answer["error"]) if isinstance(answer, dict) and "error" in answer else ""
