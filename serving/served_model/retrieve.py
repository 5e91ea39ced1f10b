"""Signature `retrieve`: the items of the catalogue with the highest scores."""

import numpy as np
import tensorflow as tf

from serving.served_model.optional import batch_of, defaults, repeated, required
from serving.served_model.parts import Parts, Raw, Served
from serving.signatures import ITEM_ID, SCORE, K


def retrieve(parts: Parts) -> Served:
    """Users and queries in; keys of items and scores out, `[batch, k]`, the best first."""
    names = parts.config.query_features
    asked = parts.preprocessor.raw_spec(names)
    spec = {**asked, K: tf.TensorSpec([None], tf.int32, K)}

    def function(raw: Raw) -> dict[str, tf.Tensor]:
        batch = batch_of(raw)
        given = repeated(raw, batch)
        wanted = tf.reduce_max(tf.concat([given.pop(K), [1]], axis=0))
        queries = parts.query_vectors(given, batch)
        places, scores = parts.index.search(queries, tf.minimum(wanted, parts.items.count))
        return {ITEM_ID: parts.item_ids(places), SCORE: scores}

    given = defaults(asked, required(asked, [parts.user_key]))
    k = np.array([parts.config.serving.recommend.k], np.int32)
    return Served(function, spec, {**given, K: k})
