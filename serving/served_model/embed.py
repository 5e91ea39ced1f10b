"""Signatures `embed_user` and `embed_item`: vectors of the space in which items are retrieved."""

import tensorflow as tf

from serving.served_model.optional import batch_of, defaults, repeated, required
from serving.served_model.parts import Parts, Raw, Served
from serving.served_model.sides import columns_of
from serving.signatures import EMBEDDING
from tfmtl.preprocessing.identifiers import id_texts


def embed_user(parts: Parts) -> Served:
    """Users and queries in, their vectors out, `[batch, dim]`."""
    spec = parts.query_raw

    def function(raw: Raw) -> dict[str, tf.Tensor]:
        batch = batch_of(raw)
        return {EMBEDDING: parts.query_vectors(repeated(raw, batch), batch)}

    return Served(function, spec, defaults(spec, required(spec, [parts.user_key])))


def embed_item(parts: Parts) -> Served:
    """Items in, their vectors out, `[rows, dim]`.

    A row of which the key alone is given is the catalogue's item; of any other row counts what is
    given.
    """
    key, names = parts.item_key, parts.config.item_features
    asked = parts.preprocessor.raw_spec(names)
    spec = {key: tf.TensorSpec([None], parts.key_dtype, key), **asked}
    held = [n for n in names if parts.items.holds(n) and columns_of(parts.config, n) != [key]]

    def function(raw: Raw) -> dict[str, tf.Tensor]:
        given = {n: id_texts(v) for n, v in repeated(raw, batch_of(raw)).items()}
        alone = _alone({name: given[name] for name in spec if name != key}, given[key])
        places = parts.places(given[key])
        known = dict(given)
        for column in parts.items.columns & given.keys():
            known[column] = tf.where(alone, parts.items.raw(column, places), given[column])
        inputs = parts.preprocessor(known, names)
        inputs |= parts.model.encoding.text_vectors(inputs)
        for name, joined in parts.items.join(places, held).items():
            rows = tf.reshape(alone, [-1, *[1] * (joined.shape.rank - 1)])
            inputs[name] = tf.where(rows, joined, inputs[name])
        return {EMBEDDING: parts.model.item_vectors(inputs)}

    return Served(function, spec, defaults(spec, [key]))


def _alone(given: Raw, keys: tf.Tensor) -> tf.Tensor:
    """Whether all else is missing, bool `[rows]`."""
    alone = tf.ones(tf.shape(keys), tf.bool)
    for values in given.values():
        missing = values == "" if values.dtype == tf.string else tf.math.is_nan(values)
        alone &= tf.reduce_all(missing, axis=1) if values.shape.rank == 2 else missing
    return alone
