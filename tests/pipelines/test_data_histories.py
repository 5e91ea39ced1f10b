"""What happened before each row against a loop over all pairs of rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.preprocess.histories import Timeline

late = st.none() | st.integers(0, 4)
rows = st.lists(
    # Key, time, and how much later each of two labels became known to be 1, if ever.
    st.tuples(st.integers(0, 3), st.integers(0, 8), late, late),
    min_size=1,
    max_size=40,
)


def since(drawn, place):
    """When a label was known, -1 where it never was."""
    return np.array([-1 if row[place] is None else row[1] + row[place] for row in drawn])


def timeline(drawn, numbers):
    keys, times, _, _ = zip(*drawn, strict=True)
    return Timeline(np.array(keys, np.uint64), np.array(times), np.array(numbers))


@settings(deadline=None)
@given(rows, st.integers(1, 5), st.randoms())
def test_the_last_events_equal_a_loop(drawn, count, order):
    numbers = list(range(len(drawn)))
    order.shuffle(numbers)
    happened = [since(drawn, 2), since(drawn, 3)]
    found = timeline(drawn, numbers).last(happened, count)
    rows = found.of_rows(np.arange(len(drawn)))
    kinds = found.of_kinds(np.array([7, 8]))
    for place, (key, time, _, _) in enumerate(drawn):
        events = [
            (known[other], numbers[other], kind, other)
            for kind, known in enumerate(happened)
            for other in range(len(drawn))
            if drawn[other][0] == key and 0 <= known[other] < time
        ]
        latest = sorted(events, reverse=True)[:count]
        padding = count - len(latest)
        assert rows[place].tolist() == [other for *_, other in latest] + [-1] * padding
        assert kinds[place].tolist() == [7 + kind for _, _, kind, _ in latest] + [0] * padding
        gaps = [time - known for known, *_ in latest] + [np.nan] * padding
        assert np.array_equal(found.gaps[place], gaps, equal_nan=True)


@settings(deadline=None)
@given(rows, st.integers(1, 9))
def test_counts_and_shares_equal_a_loop(drawn, window):
    life = timeline(drawn, range(len(drawn)))
    told, happened = since(drawn, 2), since(drawn, 3)
    counts = life.count(happened, window)
    positives, known = life.share(told, happened, window)
    for place, (key, time, _, _) in enumerate(drawn):
        alike = [other for other, row in enumerate(drawn) if row[0] == key]
        assert counts[place] == sum(
            happened[o] >= 0 and time - window <= happened[o] < time for o in alike
        )
        counted = [o for o in alike if told[o] >= 0 and time - window <= told[o] < time]
        assert known[place] == len(counted)
        assert positives[place] == sum(0 <= happened[o] < time for o in counted)


def test_what_happens_at_the_same_time_is_not_the_past():
    life = Timeline(np.zeros(3, int), times := np.array([5, 5, 6]), np.arange(3))

    past = life.last([times], 2).of_rows(np.arange(3))
    assert past.tolist() == [[-1, -1], [-1, -1], [1, 0]]
    assert life.count(times, 100).tolist() == [0, 0, 2]


def test_a_window_begins_with_its_first_second():
    life = Timeline(np.zeros(3, int), times := np.array([1, 10, 11]), np.arange(3))

    assert life.count(times, 9).tolist() == [0, 1, 1]
    assert life.count(times, 10).tolist() == [0, 1, 2]


def test_windows_longer_than_time_itself():
    keys, times = np.array([0, 0, 1, 1]), np.array([0, 4_102_444_799, 0, 4_102_444_799])
    life = Timeline(keys, times, np.arange(4))
    century = 100 * 365 * 86_400

    assert life.count(times, 10 * century).tolist() == [0, 1, 0, 1]
    assert [part.tolist() for part in life.share(times, times, 10 * century)] == [[0, 1, 0, 1]] * 2
    never = times + 10 * century
    assert life.last([never], 1).of_rows(np.arange(4)).tolist() == [[-1]] * 4
    # As near as a float of 32 bits comes.
    assert life.last([times], 1).gaps[[1, 3]].tolist() == [[4_102_444_800.0]] * 2
