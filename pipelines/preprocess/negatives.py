"""Draws items that a user did not meet, to stand beside those that he or she did.

With w_i the weight of item i in the row's period, M the items the user met in it and C the items of
the row's item's category, or all items, one draw gives an item of C that is not in M, with

    p_i = w_i / (sum of w over C - sum of w over M and C)

Chances are hashes of the rows, so that a row is given the same items whatever rows stand beside it.
"""

import numpy as np

from pipelines.preprocess.hashing import Hashes, mix

_MOST_ROUNDS = 50


class NegativeSampler:
    """Draws items with given weights, avoiding what is taken.

    Each period has weights of its own: were test rows given items of the training period, an item
    being new would tell that it is no negative.

    Args:
        weights: weight of each item in each period, `[periods, items]`; 0 is never drawn.
        categories: category of each item, from 0, `[items]`; where given, items are drawn from the
            category of the row's own item.
    """

    def __init__(self, weights: np.ndarray, categories: np.ndarray | None = None) -> None:
        items = weights.shape[1]
        self._weights = weights.astype(np.float64)
        self._categories = np.zeros(items, np.int64) if categories is None else categories
        # Items of one category stand side by side, so that a range of the sums is a category's.
        self._order = np.argsort(self._categories, kind="stable")
        sums = np.cumsum(self._weights[:, self._order], axis=1)
        self._sums = np.concatenate([np.zeros((len(weights), 1)), sums], axis=1)
        self._ends = np.cumsum(np.bincount(self._categories))
        self._starts = np.append(0, self._ends[:-1])

    def draw(
        self,
        groups: np.ndarray,
        periods: np.ndarray,
        items: np.ndarray,
        taken: np.ndarray,
        count: int,
        rows: Hashes,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws items for rows.

        Args:
            groups: group of each row, within which taken items are shared and which has one period,
                `[n]`.
            periods: period of each row, `[n]`.
            items: own item of each row, `[n]`.
            taken: `[m, 2]`, pairs of a group and an item that must not be drawn for it.
            count: items a row, all different.
            rows: a hash of each row, from which its chances come, `[n]`.

        Returns:
            The items `[n, count]`, -1 where none was found, as for a user who met nearly all of
            them; and the probability of each in one draw, NaN where none was found.
        """
        drawn = np.full((len(groups), count), -1, np.int64)
        if not self._weights.size:
            return drawn, np.full(drawn.shape, np.nan)
        size = self._weights.shape[1]
        categories = self._categories[items]
        keys = np.unique(taken[:, 0] * size + taken[:, 1])
        for turn in range(_MOST_ROUNDS):
            at, places = np.nonzero(drawn < 0)
            if not len(at):
                break
            chances = _chances(rows[at], places + count * turn)
            drawn[at, places] = self._pick(periods[at], categories[at], chances)
            wrong = _contains(keys, groups[at] * size + drawn[at, places])
            drawn[at[wrong], places[wrong]] = -1
            drawn[_repeated(drawn)] = -1
        free = self._free(groups, periods, categories, keys)
        found = self._weights[periods[:, None], drawn]
        with np.errstate(divide="ignore", invalid="ignore"):
            return drawn, np.where(drawn >= 0, found / free[:, None], np.nan)

    def _pick(self, periods: np.ndarray, categories: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """One item for each row, -1 where its period and category have none."""
        picked = np.full(len(periods), -1, np.int64)
        for period, sums in enumerate(self._sums):
            low, high = sums[self._starts[categories]], sums[self._ends[categories]]
            own = (periods == period) & (high > low)
            low, high = low[own], high[own]
            # Rounding must not reach the next category's first item.
            targets = np.minimum(low + chances[own] * (high - low), np.nextafter(high, low))
            picked[own] = self._order[np.searchsorted(sums[1:], targets, side="right")]
        return picked

    def _free(
        self, groups: np.ndarray, periods: np.ndarray, categories: np.ndarray, taken: np.ndarray
    ) -> np.ndarray:
        """Weight of the items that may be drawn for each row: float64 `[n]`."""
        size, kinds = self._weights.shape[1], len(self._ends)
        of_groups = np.zeros(int(max(groups.max(), taken.max(initial=0) // size)) + 1, np.int64)
        of_groups[groups] = periods
        owners, items = np.divmod(taken, size)
        pairs, places = np.unique(owners * kinds + self._categories[items], return_inverse=True)
        weights = np.bincount(places, self._weights[of_groups[owners], items], len(pairs) + 1)
        wanted = groups * kinds + categories
        at = np.searchsorted(pairs, wanted)
        known = np.append(pairs, -1)[at] == wanted
        sums = self._sums[periods, self._ends[categories]]
        sums = sums - self._sums[periods, self._starts[categories]]
        return sums - np.where(known, weights[at], 0.0)


def _chances(rows: Hashes, turns: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1) for rows and turns; 53 bits, for a float64 rounds 64 of them up to 1."""
    with np.errstate(over="ignore"):
        hashes = mix(rows + turns.astype(np.uint64))
    return (hashes >> np.uint64(11)) / 2.0**53


def _contains(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(keys):
        return np.zeros(len(wanted), bool)
    return keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted


def _repeated(drawn: np.ndarray) -> np.ndarray:
    """Marks each item that stands in its row already."""
    order = np.argsort(drawn, axis=1, kind="stable")
    ordered = np.take_along_axis(drawn, order, axis=1)
    again = np.zeros(drawn.shape, bool)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return again & (drawn >= 0)
