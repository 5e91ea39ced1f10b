"""Which items may be answered: what a request excludes, asks for and bounds, and what is there."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf

from serving.index.interface import Allowed
from serving.served_model.catalogue_columns import Texts, flags, numbers, texts
from serving.served_model.items import HeldItems
from serving.served_model.optional import defaults
from serving.signatures import EXCLUDE, EXCLUDE_SEEN, ONLY, allow, deny, maximum, minimum
from tfmtl.config import Config
from tfmtl.config.scored import item_columns


class Filters(tf.Module):
    """The filters of a model's items.

    Args:
        items: the catalogue.
        keys: type of the items' keys in requests.
        seen: inputs of requests that hold keys of items seen before, `[batch, any]`.
        exclude_seen: whether these are left out where a request does not say.
        text: columns of texts.
        number: columns of numbers, `{column: float32 [items]}`, NaN where missing.
        available: which items may be answered at all, bool `[items]`; all where None.

    Attributes:
        seen: the argument.
        spec: inputs of a request, without those that `seen` names.
        defaults: of these inputs: none of them filters, but for what is seen.
    """

    def __init__(
        self,
        items: HeldItems,
        keys: tf.DType,
        seen: list[str],
        exclude_seen: bool,
        text: Mapping[str, Texts],
        number: Mapping[str, np.ndarray],
        available: np.ndarray | None,
    ) -> None:
        super().__init__(name="filters")
        self._items, self.seen, self._text = items, seen, dict(text)
        self._number = {
            name: tf.Variable(values, trainable=False, name=f"filter_{name}")
            for name, values in number.items()
        }
        self._available = None
        if available is not None:
            self._available = tf.Variable(available, trainable=False, name="available")
        lists = [(EXCLUDE, keys), (ONLY, keys)]
        lists += [(made(name), tf.string) for name in text for made in (allow, deny)]
        bounds = [made(name) for name in number for made in (minimum, maximum)]
        spec = {name: tf.TensorSpec([None, None], dtype, name) for name, dtype in lists}
        spec |= {name: tf.TensorSpec([None], tf.float32, name) for name in bounds}
        absent = defaults(spec)
        if seen:
            spec[EXCLUDE_SEEN] = tf.TensorSpec([None], tf.bool, EXCLUDE_SEEN)
            absent[EXCLUDE_SEEN] = np.array([exclude_seen])
        self.spec, self.defaults = spec, absent

    def allowed(self, raw: Mapping[str, tf.Tensor]) -> Allowed:
        """What a request allows.

        Args:
            raw: the request, `[batch, ...]`, with the inputs of `spec` and those of histories. In
                lists "" is padding, and -1 in lists of int64 keys.

        Returns:
            A function of places; -1 is never allowed.
        """
        if not self._items.count:
            return lambda places: tf.zeros_like(
                raw[ONLY][:, :0] if places is None else places, tf.bool
            )
        conditions = [_not(_among(self._unwanted(raw), self._items.count))]
        conditions.append(self._only(raw[ONLY]))
        for name, column in self._text.items():
            conditions.append(_of_texts(column, raw[allow(name)], raw[deny(name)]))
        for name, values in self._number.items():
            conditions.append(_between(values, raw[minimum(name)], raw[maximum(name)]))
        if self._available is not None:
            conditions.append(_at(self._available))

        def allowed(places: tf.Tensor | None) -> tf.Tensor:
            known = [] if places is None else [places >= 0]
            held = None if places is None else tf.maximum(places, 0)
            return reduce(tf.logical_and, [*known, *(one(held) for one in conditions)])

        return allowed

    def _unwanted(self, raw: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Places of items that must not be answered, int32 `[batch, any]`; -1 is padding."""
        places = [self._items.places(_texts_of(raw[EXCLUDE]))]
        if self.seen:
            seen = tf.concat([_texts_of(raw[name]) for name in self.seen], axis=1)
            places.append(tf.where(raw[EXCLUDE_SEEN][:, None], self._items.places(seen), -1))
        return tf.concat(places, axis=1)

    def _only(self, keys: tf.Tensor) -> Allowed:
        keys = _texts_of(keys)
        asked = tf.reduce_any(keys != "", axis=1, keepdims=True)
        among = _among(self._items.places(keys), self._items.count)
        return lambda places: among(places) | ~asked


def filters_of(
    config: Config, catalogue: pa.Table, items: HeldItems, keys: tf.DType, scratch: Path
) -> Filters:
    """The filters that are configured.

    Args:
        config: the configuration.
        catalogue: the model's catalogue.
        items: the same items.
        keys: type of the items' keys in requests.
        scratch: directory that is there until the SavedModel is written.

    Raises:
        ValueError: the catalogue lacks a column, or a value of it is no line of text.
    """
    spec, kinds = config.serving.recommend, item_columns(config)
    seen = [
        name
        for history in config.features.history
        for name, of in history.item_inputs.items()
        if config.features.by_name[of].raw == config.source.log.item
    ]
    return Filters(
        items,
        keys,
        seen,
        spec.exclude_seen,
        {n: texts(catalogue, n, scratch) for n in spec.filters if kinds[n] == "text"},
        {n: numbers(catalogue, n) for n in spec.filters if kinds[n] == "number"},
        None if spec.available is None else flags(catalogue, spec.available),
    )


def _texts_of(keys: tf.Tensor) -> tf.Tensor:
    """Keys as the catalogue has them, "" where they are padding."""
    return keys if keys.dtype == tf.string else tf.where(keys < 0, "", tf.strings.as_string(keys))


def _not(condition: Allowed) -> Allowed:
    return lambda places: ~condition(places)


def _at(values: tf.Variable) -> Allowed:
    def condition(places: tf.Tensor | None) -> tf.Tensor:
        return values[None, :] if places is None else tf.gather(values, places)

    return condition


def _between(values: tf.Variable, least: tf.Tensor, largest: tf.Tensor) -> Allowed:
    low, high = least[:, None], largest[:, None]

    def condition(places: tf.Tensor | None) -> tf.Tensor:
        held = _at(values)(places)
        return ((held >= low) | tf.math.is_nan(low)) & ((held <= high) | tf.math.is_nan(high))

    return _unless(tf.reduce_all(tf.math.is_nan(low) & tf.math.is_nan(high)), condition)


def _of_texts(column: Texts, wanted: tf.Tensor, unwanted: tf.Tensor) -> Allowed:
    """Whether an item's text is among those wanted, if there are any, and not among the others."""
    asked = tf.reduce_any(wanted != "", axis=1, keepdims=True)
    marked, denied = (_marked(column.codes_of(one), column.count + 1) for one in (wanted, unwanted))
    fits = (marked | ~asked) & ~denied

    def condition(places: tf.Tensor | None) -> tf.Tensor:
        if places is None:
            return tf.gather(fits, column.codes, axis=1)
        return tf.gather(fits, tf.gather(column.codes, places), batch_dims=1)

    return _unless(tf.reduce_all(fits), condition)


def _unless(nothing: tf.Tensor, condition: Allowed) -> Allowed:
    """A condition that is not looked at where a request asks for nothing of its kind."""
    return lambda places: tf.cond(nothing, lambda: tf.constant([[True]]), lambda: condition(places))


def _among(listed: tf.Tensor, count: int) -> Allowed:
    """Whether a place is among those listed for its row, `[batch, any]`."""

    def condition(places: tf.Tensor | None) -> tf.Tensor:
        if places is None:
            return _marked(listed, count)
        # Sorted and searched, long lists do not need a comparison with every place.
        ordered = tf.pad(tf.sort(listed, axis=1), [[0, 0], [0, 1]], constant_values=count)
        found = tf.gather(ordered, tf.searchsorted(ordered, places), batch_dims=1)
        return found == places

    return condition


def _marked(places: tf.Tensor, size: int) -> tf.Tensor:
    """True at the places of each row, bool `[batch, size]`; negative ones are nowhere."""
    batch = tf.shape(places, tf.int64)[0]
    flat = tf.cast(places, tf.int64) + size * tf.range(batch)[:, None]
    chosen = tf.boolean_mask(flat, places >= 0)
    nowhere = tf.fill([batch * size], False)
    marks = tf.tensor_scatter_nd_update(nowhere, chosen[:, None], tf.fill(tf.shape(chosen), True))
    return tf.reshape(marks, [batch, size])
