"""The signal that ends a server wakes it, whichever thread the system hands it to."""

import signal
import threading

import pytest

from serving.server.ending import EndingSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_gets(number):
    """The waiting thread has it blocked, so that the system hands it to the other one."""
    before = signal.getsignal(number)
    with EndingSignals() as signals:
        waiting = threading.Event()
        raiser = threading.Thread(
            target=lambda: (waiting.wait(), signal.raise_signal(number)), daemon=True
        )
        raiser.start()
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        try:
            threading.Timer(0.2, waiting.set).start()
            signals.wait()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    assert signal.getsignal(number) is before


def test_a_signal_before_the_wait_and_one_of_another_kind():
    with EndingSignals() as signals:
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        signals.wait()
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert signal.set_wakeup_fd(-1) == -1
