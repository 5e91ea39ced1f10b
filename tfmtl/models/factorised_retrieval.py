"""Retrieval of the items with the highest predictions of a factorised ranking task."""

from collections.abc import Mapping

import tensorflow as tf

from tfmtl.config import Config
from tfmtl.heads import RetrievalHead
from tfmtl.layers.factorised import Factorised
from tfmtl.models.ranking import RankingNetwork

Tensors = Mapping[str, tf.Tensor]


class FactorisedRetrieval:
    """The retrieval task of a model that is a matrix factorisation: a view without weights.

    With the head's bias `mu`, the vectors `(p_u, mu + b_u, 1)` and `(q_i, 1, b_i)` have the inner
    product `mu + b_u + b_i + p_u . q_i`: the task's score, and of a number the prediction before
    it is clipped to its range. So items can be indexed, and the best of all be found exactly.

    Args:
        config: the configuration, with a retrieval task and towers of kind `factorised`.
        ranking: the network of the ranking tasks, which has the factorisation.

    Attributes:
        task: name of the retrieval task.
        query_features: the input with the user's id.
        item_features: the input with the item's id.

    Call arguments:
        inputs: `{input: tensor}`.

    Returns:
        Scores of users and items, `[batch]`.
    """

    def __init__(self, config: Config, ranking: RankingNetwork) -> None:
        if config.retrieval_task is None:
            raise ValueError("a retrieval network needs a task of kind retrieval. Received: none")
        self.task, spec = config.retrieval_task
        self.head = RetrievalHead(spec, self.task)
        self.query_features, self.item_features = config.query_features, config.item_features
        of = config.model.retrieval.of or next(iter(ranking.factorised))
        self._factorised: Factorised = ranking.factorised[of]
        self._ranked_by = ranking.heads[of]

    def query_vectors(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """Vectors of users, `[batch, dim + 2]`."""
        vectors = self._factorised.user_vectors(inputs[self.query_features[0]])
        place = tf.one_hot(vectors.shape[1] - 2, vectors.shape[1])
        return vectors + place * self._ranked_by.output_layer.bias

    def item_vectors(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """Vectors of items, `[batch, dim + 2]`."""
        return self._factorised.item_vectors(inputs[self.item_features[0]])

    def __call__(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        return self.head(self.query_vectors(inputs), self.item_vectors(inputs))

    def loss_from(
        self, inputs: Tensors, labels: tf.Tensor, weights: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """0: all is learnt by the ranking task."""
        return tf.constant(0.0)
