"""A trained model with tasks, scenarios and vocabulary rows that it did not have."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tfmtl.config import Config, ConfigError, TextFeature
from tfmtl.layers.embedding import EmbeddingCollection
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.ranking import RankingNetwork
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import (
    RESERVED,
    label_vocabulary,
    read_vocabulary,
    vocabulary_name,
    vocabulary_path,
)
from tfmtl.training.number_bounds import start_at_quantiles
from tfmtl.training.rated import Rated
from tfmtl.training.start_at_checkpoints import start_at_checkpoints
from tfmtl.training.trainer import start_at_label_means

UNKNOWN = 1
"""Row of what a vocabulary does not know, the first one."""
_DRAWN = "seed_generator_state"
"""Where a dropout is in its random numbers: nothing learnt, and numbered by the process."""


def extended(model: MultiTaskModel, config: Config, transformed: str | Path) -> MultiTaskModel:
    """A model of a configuration that begins where another one is.

    What both have is carried over, so that the tasks there were predict as they did. Of what is
    new, heads start at the training rows' mean label, scenarios at what those before have in
    common, and rows of tables as the row of unknown values, which stood for them until now.

    Args:
        model: the trained model, as `load_model` gives it; it stays as it is.
        config: what the new model shall be: the model's own configuration with more tasks, or with
            more scenarios behind those there are.
        transformed: Transform's artifact, made with the model's vocabularies, which may have grown.

    Returns:
        The new model, to be compiled and trained.

    Raises:
        ConfigError: a task, a scenario or a feature would come to mean something else.

    Example:
        >>> base = tfmtl.load_model("out/shop/model")
        >>> config = tfmtl.config.load("shop_with_wishes.yaml")
        >>> model = tfmtl.extended(base, config, "newer/artifacts/transformed")
        >>> model.freeze("tables", "trunk", "towers/click")
    """
    transformed = Path(transformed)
    preprocessor = Preprocessor(config, transformed)
    rated = Rated(config, transformed / "train")
    sizes = preprocessor.vocabulary_sizes
    grown = MultiTaskModel(config, sizes, model.policy, preprocessor.encoders, rated.counts)
    begin(grown, model, transformed)
    rated.tell(grown)
    return grown


def begin(target: MultiTaskModel, source: MultiTaskModel, transformed: Path) -> list[str]:
    """Lets a new model begin where another one is.

    Returns:
        What started anew, as `transfer` names it.
    """
    if source.home is not None:
        check_vocabularies(target.config, source.home, transformed)
    start_at_checkpoints(target, transformed)
    start_at_label_means(target, transformed / "train")
    start_at_quantiles(target, transformed / "train")
    return transfer(source, target)


def transfer(source: MultiTaskModel, target: MultiTaskModel) -> list[str]:
    """Copies the weights that both models have: tables by their names, pretrained encoders by
    their checkpoints, the rest by their paths.

    Tasks may differ. Scenarios may be added after those there were, and values at the end of
    vocabularies.

    Returns:
        Tables, as `embedding/TABLE`, encoders, as `encoders/CHECKPOINT`, and paths of the target's
        other variables that were not copied.

    Raises:
        ConfigError: a weight of one would come to stand for something else in the other.
    """
    _check_alike(source, target)
    tables = target.encoding.embedding
    anew = _transfer_tables(source.encoding.embedding, tables)
    anew += _transfer_encoders(source, target)
    done = {id(variable) for variable in (*tables.variables, *target.encoding.texts.variables)}
    if source.ranking and target.ranking:
        done |= {id(v) for v in target.ranking.trunk.take_over(source.ranking.trunk)}
    known = {_path(source, variable): variable for variable in source.variables}
    for variable in target.variables:
        old = known.get(_path(target, variable))
        if id(variable) in done or variable.name == _DRAWN:
            continue
        if old is not None and old.shape == variable.shape:
            variable.assign(old.numpy())
        elif old is not None and _is_grown(old, variable):
            values = variable.numpy()
            values[: old.shape[0]] = old.numpy()
            variable.assign(values)
        else:
            anew.append(_path(target, variable))
    if source.ranking and target.ranking:
        _start_scenarios(source, target, target.ranking)
    return anew


def check_vocabularies(config: Config, base: Path, grown: Path) -> None:
    """Refuses vocabularies that do not go on from those of a model.

    Raises:
        ConfigError: naming the vocabulary, and the first value that is another.
    """
    names = {vocabulary_name(feature) for feature in config.features}
    for name in sorted(names):
        if not vocabulary_path(base, name).is_file() or not vocabulary_path(grown, name).is_file():
            continue
        before, after = read_vocabulary(base, name), read_vocabulary(grown, name)
        if after[: len(before)] != before:
            place = next(
                (
                    i
                    for i, pair in enumerate(zip(before, after, strict=False))
                    if len(set(pair)) > 1
                ),
                len(after),
            )
            raise ConfigError(
                f"vocabulary '{name}': expected the model's values first, '{before[place]}' in "
                f"line {place + 1}; make the examples by tfmtl finetune or tfmtl transform"
            )


def _transfer_tables(source: EmbeddingCollection, target: EmbeddingCollection) -> list[str]:
    """Copies the rows of the tables that both have; names those that started anew."""
    copied: dict[str, np.ndarray] = {}
    for name, table in target.tables.items():
        old = source.tables.get(name)
        # A table that is hashed only now keeps its rows: its values were fewer than its rows.
        kept = old and replace(old, rows=table.rows, hashed_from=table.hashed_from)
        alike = old and old.hashed_from in (None, table.hashed_from)
        if old and alike and kept == table and old.rows <= table.rows:
            rows = source.rows_of(name)
            copied[name] = np.concatenate([rows, _new_rows(name, rows, table.rows - len(rows))])
    target.assign_rows(copied)
    return [f"{target.name}/{name}" for name in target.tables if name not in copied]


def _transfer_encoders(source: MultiTaskModel, target: MultiTaskModel) -> list[str]:
    """Copies what tuned encoders of texts have learnt; names those that the source has not tuned.

    Their paths say nothing: encoders are numbered in the order of the features.
    """
    anew = []
    old = source.encoding.texts.encoders
    for (checkpoint, tuning), encoder in target.encoding.texts.encoders.items():
        mark = target.encoders[checkpoint]["fingerprint"]
        known = [key for key in old if source.encoders[key[0]]["fingerprint"] == mark]
        if not known:
            anew.append(f"encoders/{checkpoint}")
            continue
        best = max(known, key=lambda key: key[1] == tuning)
        for one, other in zip(encoder.variables, old[best].variables, strict=True):
            one.assign(other.numpy())
    return anew


def _new_rows(table: str, rows: np.ndarray, count: int) -> np.ndarray:
    """Where added rows of a table start: a scenario at the mean of the others, a value at what
    stood for it as long as it was unknown."""
    start = rows[UNKNOWN]
    if table == columns.SCENARIO and len(rows) > RESERVED:
        start = rows[RESERVED:].mean(axis=0)
    return np.tile(start, (count, 1))


def _is_grown(old: keras.Variable, new: keras.Variable) -> bool:
    """Whether a table that is a variable by itself has more rows now."""
    table = getattr(new, "is_table", False)
    return table and old.shape[1:] == new.shape[1:] and old.shape[0] < new.shape[0]


def _start_scenarios(
    source: MultiTaskModel, target: MultiTaskModel, ranking: RankingNetwork
) -> None:
    before, after = (
        m.config.scenario.values if m.config.scenario else [] for m in (source, target)
    )
    if not 0 < len(before) < len(after):
        return
    towers = [tower for task, tower in ranking.towers.items() if task in source.config.tasks]
    ranking.scenario_net.start_scenarios(len(before), towers)
    for task, layer in ranking.calibrations.items():
        old = source.ranking.calibrations.get(task) if source.ranking else None
        if old is not None:
            scales = old.scales.numpy()
            # Added scenarios are scaled as unknown ones were, whose row is the last.
            added = np.tile(scales[-1:], (len(after) - len(before), 1))
            layer.assign(np.concatenate([scales[:-1], added, scales[-1:]]))


def _check_alike(source: MultiTaskModel, target: MultiTaskModel) -> None:
    old, new = source.inputs_spec, target.inputs_spec
    if list(old) != list(new):
        differing = sorted(set(old) ^ set(new)) or list(new)
        raise ConfigError(
            "features: the tuned model must read the inputs of the model it starts from, in the "
            f"same order; differing: {', '.join(differing)}"
        )
    for name, task in target.config.tasks.items():
        known = source.config.tasks.get(name)
        if known is not None and known.kind != task.kind:
            raise ConfigError(
                f"tasks.{name}: it is of kind {known.kind} in the model that is tuned, got "
                f"{task.kind}; give the new task a name of its own"
            )
    _check_tables(source.encoding.embedding, target.encoding.embedding)
    for name, text in source.encoding.texts.texts.items():
        feature = target.config.features.by_name[name]
        if isinstance(feature, TextFeature) and feature.frozen:
            raise ConfigError(
                f"features: the encoder of '{name}' was tuned ({text.encoder.tuning}) in the model "
                "that is tuned, got tuning: frozen, which reads the checkpoint as it came; to "
                "leave the encoder as it is give tuning: full and training.freeze: [encoders/texts]"
            )
    for name in source.config.class_tasks.keys() & target.config.class_tasks.keys():
        sizes = [m.vocabulary_sizes[label_vocabulary(name)] for m in (source, target)]
        if len(set(sizes)) > 1:
            raise ConfigError(
                f"tasks.{name}: the tuned model must keep the {sizes[0]} classes of the model it "
                f"starts from, got {sizes[1]}"
            )
    before, after = (
        m.config.scenario.values if m.config.scenario else [] for m in (source, target)
    )
    if after[: len(before)] != before:
        raise ConfigError(
            f"scenario.values must begin with {before}, got {after}; add new ones last"
        )


def _check_tables(source: EmbeddingCollection, target: EmbeddingCollection) -> None:
    for name, old in source.tables.items():
        new = target.tables.get(name)
        if new is None:
            continue
        if new.dim != old.dim:
            raise ConfigError(
                f"features: '{name}' has dim {old.dim} in the model that is tuned, got {new.dim}; "
                f"set dim: {old.dim}, or train a model anew"
            )
        if new.rows < old.rows:
            raise ConfigError(
                f"features: '{name}' has {old.rows:,} rows in the model that is tuned, got "
                f"{new.rows:,}; the tuned model must keep the vocabularies it starts from"
            )


def _path(model: MultiTaskModel, variable: keras.Variable) -> str:
    return variable.path.removeprefix(f"{model.name}/")
