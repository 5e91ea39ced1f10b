"""When the next request is due, for the clients of one process."""

import threading

from serving.loadtest.plan import Plan


class Pace:
    """Hands out the requests of a plan. Safe to share between threads.

    Args:
        plan: What is sent and how fast.
        start: When the test begins, as `time.monotonic` tells it.
    """

    def __init__(self, plan: Plan, start: float):
        self._plan = plan
        self._start = start
        self._handed = 0
        self._lock = threading.Lock()

    @property
    def end(self) -> float:
        """When the last request may begin."""
        return self._start + self._plan.seconds

    def next(self, now: float) -> tuple[int, float] | None:
        """The next request.

        Args:
            now: The time.

        Returns:
            Its number, and when it is due; None when all were sent or the time is up.
        """
        with self._lock:
            number = self._handed
            due = max(now, self._start) if self._plan.rate is None else self._due(number)
            over = self._plan.requests is not None and number >= self._plan.requests
            if over or now >= self.end or due >= self.end:
                return None
            self._handed += 1
            return number, due

    def unsent(self, now: float) -> int:
        """How many requests of an open loop were due by now but not handed out."""
        if self._plan.rate is None:
            return 0
        last = min(now, self.end)
        number = self._handed
        most = self._plan.requests
        while self._due(number) < last and (most is None or number < most):
            number += 1
        return number - self._handed

    def _due(self, number: int) -> float:
        return self._start + self._plan.phase + number / (self._plan.rate or 1.0)
