"""One Keras model for retrieval and ranking tasks."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfmtl.balancing import GradientBalancer, LossBalancer, build_balancer, total
from tfmtl.config import Config, IdFeature, parse
from tfmtl.layers.id_dropout import Dropped, IdDropout
from tfmtl.layers.patterns import chosen
from tfmtl.models.descent import descend
from tfmtl.models.distillation import soften
from tfmtl.models.encoding import Encoding
from tfmtl.models.factorised_retrieval import FactorisedRetrieval
from tfmtl.models.inputs import describe
from tfmtl.models.parts import variables_by_name
from tfmtl.models.ranking import RankingNetwork
from tfmtl.models.replicas import agreed, averaged, gathered
from tfmtl.models.retrieval import RetrievalNetwork
from tfmtl.preprocessing import columns

Tensors = Mapping[str, tf.Tensor]


@keras.saving.register_keras_serializable("tfmtl")
class MultiTaskModel(keras.Model):
    """Embeddings -> trunk -> a tower and a head a ranking task; beside it two retrieval towers.

    All tasks share the embeddings; the ranking tasks share the trunk. The model is built from
    inert data, so that it saves to `.keras` and loads without further code.

    Args:
        config: the configuration.
        vocabulary_sizes: values by vocabulary, reserved ids not counted, and classes by task.
        dtype_policy: `float32` or `mixed_bfloat16`, for trunk and towers. Embeddings, outputs and
            losses are float32.
        encoders: what is known of the pretrained encoders of texts, by checkpoint.
        rated: different pairs of a user and a rated item in training, by task whose factorisation
            has implicit feedback.

    Attributes:
        inputs_spec: `{input: TensorSpec}`.
        ranked_inputs: those of the inputs that ranking tasks read.
        home: directory the model was loaded from, with its vocabularies and catalogue.

    Call arguments:
        inputs: `{input: tensor}` as `model.inputs_spec` describes; other keys are left alone.

    Returns:
        `{task: prediction}`, `[batch]`: probabilities, numbers, and for the retrieval task the
        inner product of query and item; probabilities of classes are `[batch, classes]`.

    Example:
        >>> model = MultiTaskModel(config, {"user_id": 943, "movie_id": 1682})
        >>> model.compile(optimizer=build_optimizer(config.training.optimizer))
        >>> model.fit(read_examples(directory / "train", config), epochs=3)
    """

    def __init__(
        self,
        config: Config,
        vocabulary_sizes: Mapping[str, int],
        dtype_policy: str = "float32",
        encoders: Mapping[str, Mapping[str, Any]] | None = None,
        rated: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(name=config.name.replace("-", "_"))
        self.config = config
        self.vocabulary_sizes = dict(vocabulary_sizes)
        self.policy = dtype_policy
        self.encoders = {name: dict(known) for name, known in (encoders or {}).items()}
        self.rated = dict(rated or {})
        self.home: Path | None = None
        self._frozen: list[str] = []
        inputs = describe(config, vocabulary_sizes, self.encoders)
        self.inputs_spec = inputs.spec
        self.ranked_inputs = inputs.ranked
        self.encoding = Encoding(inputs, dtype_policy)
        self.ranking: RankingNetwork | None = None
        if config.ranking_tasks:
            self.ranking = RankingNetwork(config, inputs, dtype_policy, self.rated)
        self.retrieval: RetrievalNetwork | FactorisedRetrieval | None = None
        if config.retrieval_task and self.ranking and config.model.retrieval.kind == "factorised":
            self.retrieval = FactorisedRetrieval(config, self.ranking)
        elif config.retrieval_task:
            self.retrieval = RetrievalNetwork(config, self.encoding, dtype_policy)
        dropped = {
            feature.name: Dropped(feature.dropout, feature.oov_buckets)
            for feature in config.features
            if isinstance(feature, IdFeature) and feature.dropout
        }
        self.id_dropout = IdDropout(dropped, config.seed) if dropped else None
        self.balancer = build_balancer(config)
        names = ["loss", *(f"loss/{task}" for task in config.tasks), *self._figure_names()]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self(self._example())  # creates every variable

    def _figure_names(self) -> list[str]:
        """What a gradient balancer tells of every step."""
        tasks = list(self.config.ranking_tasks)
        if not isinstance(self.balancer, GradientBalancer):
            return []
        pairs = [f"cosine/{a}/{b}" for i, b in enumerate(tasks) for a in tasks[:i]]
        return [*(f"weight/{task}" for task in tasks), *(f"norm/{task}" for task in tasks), *pairs]

    def _example(self) -> dict[str, tf.Tensor]:
        return {
            name: tf.zeros([2, *spec.shape[1:]], spec.dtype)
            for name, spec in self.inputs_spec.items()
        }

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build: the constructor has made every variable."""
        self.built = True

    def query_vectors(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """Vectors of queries, `[batch, dim]`, from the inputs of the query tower."""
        return self._retrieval_network.query_vectors(inputs, training)

    def item_vectors(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """Vectors of items, `[batch, dim]`, from the inputs of the item tower."""
        return self._retrieval_network.item_vectors(inputs, training)

    @property
    def _retrieval_network(self) -> RetrievalNetwork | FactorisedRetrieval:
        if self.retrieval is None:
            raise ValueError(f"model '{self.config.name}' has no task of kind retrieval")
        return self.retrieval

    def rank(self, inputs: Tensors, training: bool = False) -> dict[str, tf.Tensor]:
        """Predictions of the ranking tasks: `{task: [batch]}`, of tasks of classes
        `[batch, classes]`."""
        if self.ranking is None:
            return {}
        return self.ranking.predict_from(self._scores(self.ranking, inputs, training), inputs)

    def rank_candidates(
        self, users: Tensors, items: Tensors, user_of: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Predictions as `rank` gives them, for candidates of users.

        Args:
            users: inputs that are alike for all candidates of a user, `[users, ...]`; they are
                encoded once.
            items: all other inputs, `[rows, ...]`.
            user_of: the user of each row, int32 `[rows]`.
        """
        if self.ranking is None:
            return {}
        read = [name for name in self.ranking.reads if name in users]
        inputs = {**items, **{name: tf.gather(users[name], user_of) for name in read}}
        encoded = self.encoding.of_candidates(users, items, user_of)
        return self.ranking.predict_from(self.ranking(inputs, encoded), inputs)

    def logits(self, inputs: Tensors) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Logits of the tasks that are calibrated, before that, `{task: [batch]}`, and each row's
        place among the scenarios, `[batch]`."""
        if self.ranking is None:
            raise ValueError(f"model '{self.config.name}' has no ranking task")
        logits = self.ranking.logits(self._scores(self.ranking, inputs))
        return logits, self.ranking.scenario(inputs, next(iter(logits.values())))

    def _scores(
        self, ranking: RankingNetwork, inputs: Tensors, training: bool = False
    ) -> dict[str, tf.Tensor]:
        return ranking(inputs, self.encoding(inputs, training=training), training=training)

    def call(self, inputs: Tensors, training: bool = False) -> dict[str, tf.Tensor]:
        inputs = {**inputs, **self.encoding.text_vectors(inputs)}
        predictions = self.rank(inputs, training)
        if self.retrieval:
            predictions[self.retrieval.task] = self.retrieval(inputs, training=training)
        return predictions

    def losses_by_task(
        self,
        x: Tensors,
        y: Tensors,
        weights: Any = None,
        training: bool = False,
        tasks: Collection[str] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Mean loss of every task on a batch.

        Args:
            x: inputs, with `meta/item` and `meta/sampling_probability` for the retrieval task,
                `meta/group` for ranking losses, and `meta/keep_rate` where negatives were
                downsampled.
            y: `{task: [batch]}`: labels, NaN where missing, numbers of classes among them; of
                multi-label tasks `[batch, labels]`; for the retrieval task 1 where the row is a
                positive.
            weights: of the rows, `[batch]`, or those by task; 1 where not given.
            training: whether dropout is on.
            tasks: those that take part; all where not given. The losses of others are 0, and a
                graph computes nothing for them.

        Returns:
            `{task: scalar}`.
        """
        x = {**x, **self.encoding.text_vectors(x)}
        halves: tuple[list[tf.Tensor], Any] = ([], None)
        if self.ranking:
            halves = self.ranking.shared(x, self.encoding(x, training=training), training)
        return self.losses_from(x, y, weights, *halves, training=training, tasks=tasks)

    def losses_from(
        self,
        x: Tensors,
        y: Tensors,
        weights: Any,
        shared: list[tf.Tensor],
        own: Any,
        training: bool = False,
        tasks: Collection[str] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Mean loss of every task, given what the ranking tasks share."""
        by_task = _by_task(weights, y)
        losses: dict[str, tf.Tensor] = {}
        scores: dict[str, tf.Tensor] = {}
        represented: dict[str, tf.Tensor] = {}
        if self.ranking:
            represented = self.ranking.represent(shared, own, training)
            scores = self.ranking.score(x, represented, own, training)
            rows: tuple[Tensors, Tensors, Tensors] = gathered((y, scores, by_task))
            if training:
                self._show_balancer(*rows)
            meta = {name: x[name] for name in (columns.KEEP_RATE, columns.GROUP) if name in x}
            losses |= self.ranking.losses_from(*rows, meta=gathered(meta))
        if self.retrieval and (tasks is None or self.retrieval.task in tasks):
            task = self.retrieval.task
            losses[task] = self.retrieval.loss_from(x, y[task], by_task[task], training)
        if training and self.config.distillation:
            losses = soften(self, losses, x, y, by_task, scores, represented)
        none = tf.constant(0.0)
        return {
            task: losses[task] if tasks is None or task in tasks else none
            for task in self.config.tasks
        }

    def _show_balancer(self, labels: Tensors, scores: Tensors, weights: Tensors) -> None:
        """Shows the balancer the predictions that it watches, before any calibration."""
        if self.ranking and self.balancer.watched:
            predictions = self.ranking.predict_from(scores)
            for task in self.balancer.watched:
                self.balancer.watch(task, labels[task], predictions[task], weights[task])

    def weigh(self, losses: Tensors, training: bool = False) -> tf.Tensor:
        """The tasks' losses as one: as the balancer weighs them, or with the tasks' own weights
        where it weighs gradients instead."""
        if isinstance(self.balancer, LossBalancer):
            return self.balancer(losses, training=training)
        return total([task.weight * losses[name] for name, task in self.config.tasks.items()])

    def learn(
        self, x: Tensors, y: Tensors, weights: Any, tasks: Collection[str] | None = None
    ) -> dict[str, tf.Tensor]:
        """Takes one step of the optimiser on a batch.

        Args:
            x: inputs, as `losses_by_task` reads them.
            y: labels.
            weights: of the rows.
            tasks: those that take part; all where not given.

        Returns:
            Scalars: `loss`, `loss/TASK`, and what a gradient balancer tells.
        """
        x = self.id_dropout(x) if self.id_dropout else x
        step = descend(self, x, y, weights, tasks)
        self.optimizer.apply(averaged(step.gradients), self.trainable_variables)
        return {**_figures(agreed(step.objective), step.losses), **step.figures}

    def measure(self, x: Tensors, y: Tensors, weights: Any) -> dict[str, tf.Tensor]:
        """The scalars `loss` and `loss/TASK` of a batch that is not learnt from."""
        losses = self.losses_by_task(x, y, weights)
        return _figures(total([self.weigh(losses), *self.losses]), losses)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        return self._track(self.learn(x, y, weights), self.counted(y, weights))

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        return self._track(self.measure(x, y, weights), self.counted(y, weights))

    def counted(self, labels: Tensors, weights: Any) -> dict[str, tf.Tensor]:
        """1 where a batch has a row that a task learns from, else 0: `{task: scalar}`."""
        counted = {}
        for task, own in _by_task(weights, labels).items():
            positives = self.retrieval is not None and task == self.retrieval.task
            rows = labels[task] > 0 if positives else ~tf.math.is_nan(labels[task])
            rows = tf.reduce_any(tf.reshape(rows, [tf.size(own), -1]), axis=1)
            counted[task] = tf.cast(tf.reduce_any(rows & (own > 0)), tf.float32)
        return counted

    def _track(self, figures: Tensors, counted: Tensors) -> dict[str, tf.Tensor]:
        """Takes a batch's figures into their means, a task's loss where the batch has its rows."""
        for name, figure in figures.items():
            weight = counted.get(name.removeprefix("loss/")) if "loss/" in name else None
            self.trackers[name].update_state(figure, weight)
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    def freeze(self, *parts: str, tables: bool = False) -> None:
        """Keeps parts as they are in further training, and lets those go that were kept before.

        Args:
            parts: patterns of their names, as `variables_by_name` gives them: `encoders`, `trunk`,
                `towers/click`, `tables/dim_32`.
            tables: whether the embedding tables are among them.
        """
        variables = variables_by_name(self)
        wanted = chosen(variables, [*parts, *(["tables"] if tables else [])], "training.freeze")
        for name in self._frozen:
            variables[name].trainable = True
        self._frozen = [name for name in wanted if variables[name].trainable]
        for name in self._frozen:
            variables[name].trainable = False

    def get_config(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "vocabulary_sizes": self.vocabulary_sizes,
            "dtype_policy": self.policy,
            "encoders": self.encoders,
            "rated": self.rated,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "MultiTaskModel":
        return cls(
            parse(config["config"]),
            config["vocabulary_sizes"],
            config["dtype_policy"],
            config["encoders"],
            config["rated"],
        )


def _figures(objective: tf.Tensor, losses: Tensors) -> dict[str, tf.Tensor]:
    return {"loss": objective, **{f"loss/{task}": loss for task, loss in losses.items()}}


def _by_task(weights: Any, labels: Tensors) -> dict[str, tf.Tensor]:
    """Weights of the rows for every task. Keras gives weights the structure of the labels."""
    if weights is None:
        return {task: tf.ones(tf.shape(values)[:1]) for task, values in labels.items()}
    if isinstance(weights, Mapping):
        return {task: tf.cast(weights[task], tf.float32) for task in labels}
    return dict.fromkeys(labels, tf.cast(weights, tf.float32))
