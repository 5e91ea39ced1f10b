"""What was before each row, by loops over all pairs of rows: the reference of the tests.

Everything is said once more here, from what the documentation promises: nothing is taken from the
pipeline.
"""

from dataclasses import dataclass

CLICK_DELAY = 5
PRIORS = {"click": 0.25, "buy": 0.5}


@dataclass(frozen=True)
class Row:
    """A row of the log; `click` is known `CLICK_DELAY` after the row, `buy` at `bought`."""

    number: int
    user: str
    item: str
    brand: str
    scenario: str
    device: str
    time: int
    click: float | None
    buy: float | None
    bought: int | None

    def known(self, label: str) -> int | None:
        """When the label was known to be 1, None where it is not."""
        if label == "rows":
            return self.time
        if label == "click":
            return self.time + CLICK_DELAY if self.click == 1 else None
        if self.buy != 1 or self.bought is None:
            return None
        return max(self.bought, self.time)

    def told(self, label: str) -> int | None:
        """When the row counts for a rate of the label."""
        if getattr(self, label) is None:
            return None
        return self.time + (CLICK_DELAY if label == "click" else 0)


def history(rows, row, labels, last):
    """(item, label, seconds since) of the last events of the row's user, the latest first."""
    events = []
    for other in rows:
        for kind, label in enumerate(labels):
            known = other.known(label)
            if other.user == row.user and known is not None and known < row.time:
                events.append((known, other.number, kind, other.item))
    latest = sorted(events, reverse=True)[:last]
    return [(item, labels[kind], row.time - known) for known, _, kind, item in latest]


def _alike(rows, row, by):
    if not all(getattr(row, key) for key in by):
        return None
    return [r for r in rows if all(getattr(r, key) == getattr(row, key) for key in by)]


def count(rows, row, label, by, window):
    """Events of rows alike within the window before the row; None where a key is missing."""
    alike = _alike(rows, row, by)
    if alike is None:
        return None
    known = [other.known(label) for other in alike]
    return sum(1 for k in known if k is not None and row.time - window <= k < row.time)


def rate(rows, row, label, by, window, smoothing, priors=PRIORS):
    """Smoothed share of positives among rows alike whose label was told within the window."""
    alike = _alike(rows, row, by)
    if alike is None:
        return None
    positives = total = 0
    for other in alike:
        told, known = other.told(label), other.known(label)
        if told is None or not row.time - window <= told < row.time:
            continue
        total += 1
        positives += known is not None and known < row.time
    return (positives + smoothing * priors[label]) / (total + smoothing)


def prior(rows, label, end):
    """Mean of a label over the rows before `end`, as far as it was known then."""
    told = [row for row in rows if row.told(label) is not None and row.told(label) < end]
    known = [row.known(label) for row in told if row.time < end]
    return sum(k is not None and k < end for k in known) / len(known)
