"""Where the raw rows lie and which columns carry the keys and the time."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.durations import Duration, seconds
from tfmtl.config.next_event import NextEvent
from tfmtl.config.tables import Lookup, SideTable, TableSource


class Impressions(TableSource):
    """Rows of what was shown to whom and what came of it, one row an impression."""

    time: str | None = "timestamp"
    """Column of the unix time in seconds; null where rows have none, the split is then random."""
    user: str | None = "user_id"
    """Column of the user's key; null where rows have none, there are no histories then."""
    item: str = "item_id"
    weight: str | None = None
    """Column of the row's weight in losses and metrics; 1 where there is none."""
    label_times: dict[str, str] = {}
    """Label column -> column of the unix time at which the label became known to be 1, null where
    it is 0. A label without one is taken to be known at the row's own time."""


class Negatives(Spec):
    """Items the user did not meet, drawn to stand beside the events.

    Each sampled row keeps the probability with which a draw gives its item. Predicted
    probabilities are those among rows so drawn; they are not corrected for it.
    """

    per_positive: Annotated[int, Field(ge=1)] = 4
    by: Literal["popularity", "uniform"] = "popularity"
    """`popularity` draws items as often as they occur in the events of the row's own split,
    `uniform` draws each of them alike."""
    power: Annotated[float, Field(gt=0, le=4)] = 1.0
    """Popularity is raised to this power: 0.75 draws rare items more often than they occur."""
    in_category: str | None = None
    """Column of `source.items`: only items with the row's own item's value of it are drawn, which
    makes hard negatives."""

    @model_validator(mode="after")
    def _power_of_popularity(self) -> Self:
        if self.by == "uniform" and self.power != 1:
            raise ValueError("power: uniform has no popularity to raise; leave it out")
        return self


class Events(TableSource):
    """Rows of what users did.

    Without impressions, the rows of one user, item and split become one row whose labels say which
    events occurred, so that no label looks over a split's boundary. Its time is that of its first
    event.

    With impressions, an event makes the labels of one impression 1: the latest of those that are
    equal in the columns `on`, at most `within` before it.

    With `next`, every event is a row, which is predicted from the user's events before it.
    """

    time: str = "timestamp"
    user: str = "user_id"
    item: str = "item_id"
    event: str | None = "event"
    """Column with the kind of event; null where all are of one kind."""
    labels: Annotated[dict[str, list[str]], Field(min_length=1)]
    """Label column -> the events that make it 1, e.g. `{purchase: [transaction]}`; an empty list
    where `event` is null."""
    negatives: Negatives = Negatives()
    on: Annotated[list[str], Field(min_length=1)] | None = None
    """Columns of both events and impressions that say which impression an event may belong to, e.g.
    `[request_id, item_id]`; compared as texts."""
    within: Duration | None = None
    """How long after its impression an event still belongs to it, e.g. `1d`."""
    next: NextEvent | None = None
    """Makes a row of every event, to be predicted from what its user did before."""

    @property
    def kinds(self) -> list[str]:
        """The kinds of events that labels name."""
        return list(dict.fromkeys(kind for kinds in self.labels.values() for kind in kinds))

    @property
    def weight(self) -> str | None:
        return None

    @property
    def window(self) -> int:
        """Seconds of `within`."""
        assert self.within is not None
        return seconds(self.within)

    @model_validator(mode="after")
    def _labels_name_events(self) -> Self:
        for label, kinds in self.labels.items():
            if self.event is None and kinds:
                raise ValueError(
                    f"labels.{label}: event is null, so events have no kinds; give [], got {kinds}"
                )
            if self.event is not None and not kinds:
                raise ValueError(f"labels.{label}: name at least one event, got []")
        return self

    @model_validator(mode="after")
    def _next_is_unknown(self) -> Self:
        if self.next is None:
            return self
        if self.negatives != Negatives():
            raise ValueError(
                "negatives: with next every row is an event, no items are sampled; leave it out"
            )
        if self.next.gap in self.labels:
            raise ValueError(
                f"next.gap: '{self.next.gap}' is in labels already; give it another name"
            )
        meanings = {self.item: "the item", self.event: "the kind", self.next.gap: "the gap"}
        for name in self.next.known:
            if name in meanings:
                raise ValueError(
                    f"next.known: '{name}' is {meanings[name]} of the event that is predicted; "
                    f"leave it out"
                )
        return self


class Source(Spec):
    """The raw tables: `impressions`, `events` or both, and what is joined to them by key."""

    impressions: Impressions | None = None
    events: Events | None = None
    items: SideTable | None = None
    users: SideTable | None = None
    lookups: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], Lookup] = {}
    """Further tables, by a name: their columns are context of the log's rows."""
    feedback_delay: dict[str, Duration] = {}
    """Label column -> how long after its event, or its row where there is no time of an event, a
    label is known. Histories and counts know nothing of it before."""
    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The run stops when a larger share of the rows is dead-lettered."""

    @property
    def log(self) -> Impressions | Events:
        """The table whose rows are learnt from: impressions, where there are some."""
        log = self.impressions or self.events
        assert log is not None
        return log

    @property
    def joined_events(self) -> Events | None:
        """The events that make labels of impressions."""
        return self.events if self.impressions else None

    @property
    def keyed(self) -> dict[str, SideTable | Lookup]:
        """The tables that are joined by key, by their keys of the configuration below `source`."""
        sides = {"items": self.items, "users": self.users}
        return {name: side for name, side in sides.items() if side} | {
            f"lookups.{name}": lookup for name, lookup in self.lookups.items()
        }

    @property
    def tables(self) -> dict[str, TableSource]:
        """All tables: `log`, which is the impressions where there are some, `events` where they are
        joined to impressions, and those joined by key."""
        joined = {"events": self.joined_events} if self.joined_events else {}
        return {"log": self.log, **joined, **self.keyed}

    @model_validator(mode="after")
    def _tables_fit(self) -> Self:
        if self.impressions is None and self.events is None:
            raise ValueError("give 'impressions', 'events' or both")
        if self.users and self.log.user is None:
            raise ValueError(
                "users: impressions.user is null, so no row has a user; name the column"
            )
        if self.events:
            _check_events(self.events, self.impressions)
            if self.events.negatives.in_category and not self.items:
                raise ValueError(
                    "events.negatives.in_category: it is a column of source.items; add that table"
                )
        _check_times(self)
        return self


def _check_events(events: Events, impressions: Impressions | None) -> None:
    if events.next and impressions:
        raise ValueError(
            "events.next: it makes rows of events, and there are impressions, which are rows; "
            "leave one of the two out"
        )
    if impressions is None:
        for name in ("on", "within"):
            if getattr(events, name) is not None:
                raise ValueError(
                    f"events.{name}: it joins events to impressions, and there are none; leave it "
                    f"out or add impressions"
                )
        return
    for name, example in (("on", "[request_id, item_id]"), ("within", "1d")):
        if getattr(events, name) is None:
            raise ValueError(
                f"events.{name}: it says which impression an event belongs to; give it, such as "
                f"{example}"
            )
    if "negatives" in events.model_fields_set:
        raise ValueError(
            "events.negatives: with impressions no items are sampled, what was shown and not "
            "taken is negative; leave it out"
        )
    if impressions.time is None:
        raise ValueError(
            "events: impressions.time is null, so no event can come after one; name the column"
        )
    for label in impressions.label_times:
        if label in events.labels:
            raise ValueError(
                f"impressions.label_times.{label}: events make this label and give its time; "
                f"leave one of the two out"
            )


def _check_times(source: Source) -> None:
    times = source.impressions.label_times if source.impressions else {}
    if source.feedback_delay and source.events and source.events.next:
        raise ValueError("feedback_delay: with events.next an event is known at once; leave it out")
    for label in source.feedback_delay:
        if label in times:
            raise ValueError(
                f"feedback_delay.{label}: impressions.label_times gives the time already; leave "
                f"one of the two out"
            )
    needed = [f"{name}.valid_from" for name, table in source.keyed.items() if table.valid_from]
    needed += ["impressions.label_times"] if times else []
    needed += ["feedback_delay"] if source.feedback_delay else []
    if needed and source.log.time is None:
        raise ValueError(f"{needed[0]}: impressions.time is null; name that column")
