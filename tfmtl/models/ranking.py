"""The network of the ranking tasks."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmtl.config import (
    TUNED,
    BinaryTask,
    Config,
    MultiClassTask,
    MultiLabelTask,
    RankingTask,
    RegressionTask,
)
from tfmtl.heads import BinaryHead, MultiClassHead, MultiLabelHead, RankingHead, RegressionHead
from tfmtl.heads.calibration import PlattScaling
from tfmtl.heads.funnels import Funnel, build_funnel
from tfmtl.heads.keep_rate import events, importance, shifted
from tfmtl.heads.listwise import GroupLoss
from tfmtl.heads.thresholds import Thresholds
from tfmtl.layers.encoders import build_interaction
from tfmtl.layers.factorised import Factorised
from tfmtl.layers.resemblance import products, resemblance
from tfmtl.layers.situation import Situation
from tfmtl.models.inputs import Inputs
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED, reserved
from tfmtl.scenario_nets import build_scenario_net
from tfmtl.trunks import GatedTrunk, build_trunk

Tensors = Mapping[str, tf.Tensor]
_TEMPERATURE = 0.1
"""By which a cosine is divided, to be as large as what else the trunk reads."""
Head = RankingHead | MultiClassHead | MultiLabelHead


class RankingNetwork(keras.layers.Layer):
    """Encoded features -> scenario net -> trunk -> a tower and a head a task.

    It works in two halves, as a trunk does: `shared` is what all tasks pass through, `by_task`
    what belongs to single tasks. Balancers that work with gradients stand between the two.

    Args:
        config: the configuration.
        inputs: the model's inputs.
        dtype: dtype policy of scenario net, trunk and towers.
        rated: different pairs of a user and a rated item in training, by task whose factorisation
            has implicit feedback.

    Call arguments:
        inputs: `{input: tensor}`.
        encoded: `{input: [batch, dim]}`.

    Returns:
        Scores before the link: `{task: [batch]}`, of tasks of classes `[batch, classes]`. Those of
        tasks in a funnel are logits over all impressions.
    """

    def __init__(
        self,
        config: Config,
        inputs: Inputs,
        dtype: str,
        rated: Mapping[str, int] | None = None,
        name: str = "ranking",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        tasks = config.ranking_tasks
        self.tasks = list(tasks)
        self._names = inputs.vectors(inputs.ranked, candidate=True)
        self._scenarios = len(config.scenario.values) if config.scenario else 0
        self._ids = [name for name in config.factorised_ids if name in inputs.ranked]
        self._matches = _matches(inputs) if config.model.match_history and inputs.candidate else []
        self._pairs = config.model.match
        if config.model.match_alone:
            matched = {name for pair in self._pairs for name in pair}
            self._names = [name for name in self._names if name not in matched]
        # Compared as they are given, before they are projected.
        self._raw_pairs = [
            pair
            for pair in self._pairs
            if all(inputs.spec[name].dtype == tf.float32 for name in pair)
            and inputs.spec[pair[0]].shape[1:] == inputs.spec[pair[1]].shape[1:]
        ]
        self.interaction = build_interaction(config.model.interaction, dtype)
        self.scenario_net = build_scenario_net(
            config.model.scenario_net, self.tasks, self._scenarios, dtype
        )
        self.trunk = build_trunk(config.model.trunk, self.tasks, dtype)
        self.towers = {
            name: self.scenario_net.tower(name, config.model.tower) for name in self.tasks
        }
        self.heads: dict[str, Head] = {
            name: _head(name, task, inputs.classes.get(name, 1)) for name, task in tasks.items()
        }
        self.calibrations = {
            name: PlattScaling(self._scenarios, name=f"calibration_{name}")
            for name, task in tasks.items()
            if isinstance(task, BinaryTask) and task.calibration
        }
        self.thresholds = {
            name: Thresholds(inputs.classes.get(name, 1), name=f"threshold_{name}")
            for name, task in tasks.items()
            if isinstance(task, BinaryTask | MultiLabelTask) and task.threshold == TUNED
        }
        self.funnel: Funnel | None = None
        if config.funnel:
            self.funnel = build_funnel(config.model.funnel, config.funnel, dtype)
        self._group_losses = {
            name: GroupLoss(task.ranking_loss)
            for name, task in tasks.items()
            if isinstance(task, BinaryTask | RegressionTask) and task.ranking_loss
        }
        self._events, self._shifted = events(config), shifted(config)
        self.factorised: dict[str, Factorised] = {}
        if config.model.factorised:
            user, item = (inputs.tables[inputs.reads[name]].rows for name in self._ids)
            spec = config.model.factorised
            self.factorised = {
                name: Factorised(
                    user,
                    item,
                    spec.dim,
                    spec.l2,
                    pairs=_pairs(name, rated) if spec.implicit else None,
                    reserved=reserved(config.features.by_name[self._ids[0]]),
                    name=f"factorised_{name}",
                )
                for name in self.tasks
                if name not in inputs.classes
            }

    def build(self, *shapes: Any) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    @property
    def reads(self) -> list[str]:
        """Inputs that are read as they are, beside their vectors."""
        scenario = [columns.SCENARIO] if self._scenarios else []
        raw = [name for pair in self._raw_pairs for name in pair]
        return list(dict.fromkeys([*scenario, *(self._ids if self.factorised else []), *raw]))

    def shared(
        self, inputs: Tensors, encoded: Tensors, training: bool = False
    ) -> tuple[list[tf.Tensor], Any]:
        """The half that all tasks pass through.

        Returns:
            The shared representation, for which the tasks compete, and a structure of the tensors
            else that `by_task` reads.
        """
        features, situation = self._adapted(inputs, encoded, training)
        with keras.name_scope(self.trunk.name):
            shared, own = self.trunk.shared(features, training)
        return shared, (own, situation)

    def _adapted(
        self, inputs: Tensors, encoded: Tensors, training: bool
    ) -> tuple[tf.Tensor, Situation | None]:
        """What the trunk reads, and where the rows come from."""
        features = self._features(inputs, encoded)
        situation = self._situation(inputs, encoded, features)
        if situation is not None:
            features = self.scenario_net(features, situation, training=training)
            situation = situation._replace(adapted=features)
        return features, situation

    def by_task(
        self, inputs: Tensors, shared: list[tf.Tensor], own: Any, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """The half that belongs to single tasks: scores by task, and what losses read besides."""
        return self.score(inputs, self.represent(shared, own, training), own, training)

    def represent(
        self, shared: list[tf.Tensor], own: Any, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """The trunk's output by task, `[batch, width]`."""
        with keras.name_scope(self.trunk.name):
            return self.trunk.by_task(shared, own[0], training)

    def score(
        self, inputs: Tensors, representations: Tensors, own: Any, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Scores by task of what `represent` gives."""
        _, situation = own
        hidden = {
            task: self.towers[task](representations[task], situation, training=training)
            for task in self.tasks
        }
        if self.funnel:
            hidden = self.funnel.transfer(hidden)
        scores = {}
        for task in self.tasks:
            scores[task] = self.heads[task](hidden[task])
            if task in self.factorised:
                scores[task] += self.factorised[task](*(inputs[name] for name in self._ids))
        return self.funnel(scores, representations) if self.funnel else scores

    def gates(
        self, inputs: Tensors, encoded: Tensors
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """How rows divide themselves among experts.

        Returns:
            Shares of the trunk's experts by task, `{task: [batch, experts]}` in the order of
            `trunk.experts_by_task`, and those of the scenario net's experts by gate, in the order
            of `scenario_net.experts_by_gate`; both empty where there are no gates.
        """
        features, situation = self._adapted(inputs, encoded, training=False)
        of_trunk = self.trunk.gates(features) if isinstance(self.trunk, GatedTrunk) else {}
        of_net = self.scenario_net.shares(situation) if situation is not None else {}
        return of_trunk, of_net

    def call(
        self, inputs: Tensors, encoded: Tensors, training: bool = False
    ) -> dict[str, tf.Tensor]:
        return self.by_task(inputs, *self.shared(inputs, encoded, training), training)

    def predict_from(self, scores: Tensors, inputs: Tensors | None = None) -> dict[str, tf.Tensor]:
        """Maps scores to predictions: `{task: [batch]}`, of tasks of classes `[batch, classes]`;
        of steps of a funnel also those given the step before, `TASK_after_BEFORE`.

        Args:
            scores: as `by_task` gives them.
            inputs: the rows' inputs, of which calibration reads the scenario; without them there
                is no calibration.
        """
        predictions = {task: self.heads[task].predict_from(scores[task]) for task in self.tasks}
        if inputs is not None:
            logits = self.logits(scores)
            for task, calibration in self.calibrations.items():
                scenario = self.scenario(inputs, logits[task])
                predictions[task] = tf.sigmoid(calibration(logits[task], scenario))
        return self.funnel.predict_from(predictions) if self.funnel else predictions

    def logits(self, scores: Tensors) -> dict[str, tf.Tensor]:
        """Logits of the calibrated tasks' probabilities before calibration, `{task: [batch]}`."""
        heads = {task: self.heads[task] for task in self.calibrations}
        return {
            task: head.logit_of(scores[task])
            for task, head in heads.items()
            if isinstance(head, BinaryHead)
        }

    def scenario(self, inputs: Tensors, rows: tf.Tensor) -> tf.Tensor:
        """Each row's place among the scenarios `[batch]`, their number where it is unknown.

        Args:
            inputs: the rows' inputs.
            rows: a tensor with as many rows, for models that know no scenarios.
        """
        if not self._scenarios:
            return tf.zeros_like(rows, tf.int32)
        ids = inputs[columns.SCENARIO]
        return tf.where(ids >= RESERVED, ids - RESERVED, self._scenarios)

    def losses_from(
        self, labels: Tensors, scores: Tensors, weights: Tensors, meta: Tensors | None = None
    ) -> dict[str, tf.Tensor]:
        """Mean losses.

        Args:
            labels: `{task: [batch]}`, NaN where missing; of multi-label tasks `[batch, labels]`.
            scores: as `by_task` gives them.
            weights: `{task: [batch]}`.
            meta: `{column: [batch]}`: `meta/keep_rate` where negatives were downsampled, and
                `meta/group` for ranking losses.

        Returns:
            `{task: scalar}`.
        """
        meta = meta or {}
        rate = meta.get(columns.KEEP_RATE)
        if rate is not None:
            stand_for = importance({n: labels[n] for n in self._events if n in labels}, rate)
        losses: dict[str, tf.Tensor] = {}
        for task in self.tasks:
            own, options = weights[task], {}
            if rate is not None and task in self._shifted:
                options["keep_rate"] = rate
            elif rate is not None:
                own = own * stand_for
            losses[task] = self.heads[task].loss(labels[task], scores[task], own, **options)
            if self.funnel and task in self.funnel.steps:
                losses[task] = self.funnel.loss(task, losses[task], labels, scores, own)
            if task in self._group_losses:
                losses[task] += self._group_loss(task, labels, scores, weights, meta)
        return losses

    def _group_loss(
        self, task: str, labels: Tensors, scores: Tensors, weights: Tensors, meta: Tensors
    ) -> tf.Tensor:
        if columns.GROUP not in meta:
            raise ValueError(
                f"task '{task}': its ranking_loss needs the input {columns.GROUP}, which "
                f"read_examples gives. Received: {list(meta)}"
            )
        loss = self._group_losses[task]
        values = loss(labels[task], scores[task], weights[task], meta[columns.GROUP])
        return loss.spec.weight * values

    def _features(self, inputs: Tensors, encoded: Tensors) -> tf.Tensor:
        vectors = [encoded[name] for name in self._names]
        matches = [
            encoded[vector] * tf.concat([encoded[name] for name in of], axis=1)
            for vector, of in self._matches
        ]
        for one, other in self._pairs:
            given = inputs if (one, other) in self._raw_pairs else encoded
            matches += [
                products(encoded[one], encoded[other]),
                resemblance(given[one], given[other]) / _TEMPERATURE,
            ]
        features = tf.concat([*vectors, *matches], axis=1)
        return self.interaction(features, vectors) if self.interaction else features

    def _situation(
        self, inputs: Tensors, encoded: Tensors, features: tf.Tensor
    ) -> Situation | None:
        if not self._scenarios:
            return None
        ids = inputs[columns.SCENARIO]
        identity = [encoded[name] for name in self._ids]
        known = ids >= RESERVED
        domain = tf.where(known[:, None], encoded[columns.SCENARIO], 0.0)
        return Situation(
            scenario=self.scenario(inputs, ids),
            domain=domain,
            identity=tf.concat(identity, axis=1) if identity else domain[:, :0],
            features=features,
            adapted=features,
        )


def _pairs(task: str, rated: Mapping[str, int] | None) -> int:
    if rated is None or task not in rated:
        raise ValueError(
            f"`rated` should have the number of rated pairs of task '{task}', whose factorisation "
            f"has implicit feedback. Received: {rated}"
        )
    return rated[task]


def _head(name: str, task: RankingTask, classes: int) -> Head:
    if isinstance(task, MultiClassTask):
        return MultiClassHead(name, classes, task.class_balance)
    if isinstance(task, MultiLabelTask):
        return MultiLabelHead(name, classes)
    if isinstance(task, BinaryTask):
        return BinaryHead(name, task.loss, task.positive_weight)
    return RegressionHead(name, task.range)


def _matches(inputs: Inputs) -> list[tuple[str, list[str]]]:
    """Vectors of histories, and the item features whose embeddings they are compared with."""
    joined = inputs.joined(inputs.spec, candidate=True)
    matches: list[tuple[str, list[str]]] = []
    for history in inputs.histories:
        if history in joined:
            matches.append((history.title, history.of))
        else:
            matches += [(history.input_name(of), [of]) for of in history.of]
    return matches
