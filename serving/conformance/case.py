"""What a case is: a request, the answer it should get, and where that is written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from serving.conformance.target import Target

# What a case may need of the server it is run against.
MODEL = "a model with a predict signature"
REFERENCE = "the reference model"
LABELS = "two versions with labels"
REST = "REST"
RELOAD = "a configuration to go back to"

OK = "OK"


class Call(NamedTuple):
    """One gRPC request, as bytes, so that malformed ones can be sent.

    Attributes:
        method: The full name of the method, `/package.Service/Method`.
        payload: The serialized request.
        timeout: Its deadline, seconds.
    """

    method: str
    payload: bytes
    timeout: float = 30.0


class RestCall(NamedTuple):
    """One HTTP request.

    Attributes:
        verb: `GET`, `POST` or another.
        path: The path as it is sent, nothing in it is quoted.
        body: The body; none is sent with an empty one on `GET`.
    """

    verb: str
    path: str
    body: bytes = b""


class Answer(NamedTuple):
    """How a request ended.

    Attributes:
        code: The gRPC status code's name, or the HTTP status in digits.
        message: The status message, or the `error` of a REST answer.
        body: The serialized response, or the body.
    """

    code: str
    message: str
    body: bytes


@dataclass(frozen=True)
class Case:
    """One request and what should come of it.

    Attributes:
        name: `group/what is asked`.
        source: Where the behaviour is written: a file of tensorflow/serving, or of gRPC.
        request: Makes the request for a server.
        codes: The statuses that are right; more than one where versions of TF Serving or the
            server's own limits differ, or where the model decides.
        message: A regular expression that is searched in the status message.
        needs: What the server must offer, or the case is passed over.
        right: Looks at a response that is OK and says what is wrong with it, or nothing.
    """

    name: str
    source: str
    request: "Callable[[Target], Call | RestCall]"
    codes: tuple[str, ...] = (OK,)
    message: str = ""
    needs: frozenset[str] = frozenset()
    right: "Callable[[Answer, Target], str] | None" = None

    @property
    def group(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    @property
    def expected(self) -> str:
        """The codes and the message in one line, for tables."""
        codes = " or ".join(self.codes)
        return f"{codes}: {self.message}" if self.message else codes


def grouped(
    group: str, source: str, needs: frozenset[str] | str = frozenset()
) -> Callable[..., Case]:
    """Makes the cases of one group, which share a source and a need.

    Example:
        >>> case = grouped("predict", "predict_util.cc")
        >>> case("no input", lambda target: ..., "INVALID_ARGUMENT").name
        'predict/no input'
    """
    shared = frozenset([needs]) if isinstance(needs, str) else needs

    def case(
        name: str,
        request: "Callable[[Target], Call | RestCall]",
        code: str = OK,
        message: str = "",
        right: "Callable[[Answer, Target], str] | None" = None,
        needs: str | None = None,
    ) -> Case:
        own = shared | {needs} if needs else shared
        return Case(f"{group}/{name}", source, request, tuple(code.split("|")), message, own, right)

    return case
