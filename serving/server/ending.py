"""Waiting for the signal that ends a server."""

import signal
import socket
from types import FrameType, TracebackType
from typing import Self

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class EndingSignals:
    """Takes SIGTERM and SIGINT from when it is entered, and waits for the first of them.

    The system may hand a signal to any thread of the process, of which gRPC and TensorFlow have
    many, and a lock that the main thread waits for is not woken then. So the signal's number is
    written to a socket, as it arrives, and the main thread reads from there.

    Example:
        >>> with EndingSignals() as signals:
        ...     server.start()
        ...     signals.wait()
    """

    def __enter__(self) -> Self:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._before = signal.set_wakeup_fd(self._sender.fileno())
        self._handlers = {number: signal.signal(number, _noted) for number in _NUMBERS}
        return self

    def wait(self) -> None:
        """Returns when one has arrived, also if that was before the call."""
        while self._receiver.recv(1)[0] not in _NUMBERS:
            pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before)
        self._receiver.close()
        self._sender.close()


def _noted(number: int, frame: FrameType | None) -> None:
    """Python writes to the socket only for signals that have a handler."""
