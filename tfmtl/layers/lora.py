"""Low-rank adapters: small changes of large weights, learnt in place of the weights."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import keras

from tfmtl.config import ConfigError
from tfmtl.layers.patterns import chosen

_KEY = "training.lora.targets"


@runtime_checkable
class Adaptable(Protocol):
    """A layer of several weights that takes adapters, such as an `EmbeddingCollection`."""

    name: str
    adapted: list[str]
    """Names of the weights that have adapters."""

    @property
    def adaptable(self) -> Mapping[str, tuple[int, int]]:
        """Rows and columns of every weight, by its name in the layer."""
        ...

    def enable_lora(self, names: Sequence[str], rank: int, lora_alpha: float) -> None:
        """Gives weights adapters."""
        ...

    def merge_lora(self) -> None:
        """Takes the changes into the weights, and the adapters away."""
        ...


class Target(NamedTuple):
    """A weight that can have an adapter.

    Attributes:
        layer: whose it is.
        own: its name within the layer; None for the kernel of a Keras layer.
        shape: rows and columns.
    """

    layer: keras.Layer
    own: str | None
    shape: tuple[int, int]


def targets_of(layer: keras.Layer, name: str = "") -> dict[str, Target]:
    """The weights below a layer that can have adapters, by name: dense kernels, tables.

    Args:
        layer: a built layer.
        name: what the layer's own name is taken to be.
    """
    found: dict[str, Target] = {}
    for one in layer._flatten_layers():
        if isinstance(one, Adaptable):
            names = {own: f"{one.name}/{own}" for own in one.adaptable}
            found |= {
                _below(layer, path, name): Target(one, own, one.adaptable[own])
                for own, path in names.items()
            }
        elif isinstance(one, keras.layers.Dense | keras.layers.EinsumDense) and one.built:
            kernel = next(weight for weight in one.weights if weight.name == "kernel")
            *rows, columns = kernel.shape
            size = 1
            for row in rows:
                size *= row
            # A matrix of one column has rank 1: there is nothing to save.
            if min(size, columns) > 1:
                path = kernel.path.rpartition("/")[0]
                found[_below(layer, path, name)] = Target(one, None, (size, columns))
    return found


def adapt(
    layer: keras.Layer | Mapping[str, Target],
    rank: int,
    alpha: float | None = None,
    targets: Sequence[str] = ("*",),
    key: str = _KEY,
) -> list[str]:
    """Lets weights learn by low-rank changes only: `W + alpha / rank * A B`.

    `A` is `[rows, rank]` and random, `B` is `[rank, columns]` and zero, so that nothing changes at
    first. `W` stays as it is until `merge`.

    Reference: Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022, section
    4.1; `A` and `B` are named by the order in which they are multiplied, which the paper's are not.

    Args:
        layer: a built layer or model, or weights by name as `targets_of` gives them.
        rank: of the changes.
        alpha: their scale; the rank where not given, a scale of 1.
        targets: patterns of the weights' names.
        key: where the targets were given, for errors.

    Returns:
        Names of the weights that have adapters now.

    Raises:
        ConfigError: a pattern that nothing matches, or a weight whose smaller side is below the
            rank.

    Example:
        >>> adapt(encoder, rank=8, targets=["block_*/query", "block_*/value"])
        >>> encoder.compile(...); encoder.fit(...)
        >>> merge(encoder)
    """
    known = layer if isinstance(layer, Mapping) else targets_of(layer)
    names = chosen(known, targets, key)
    for name in names:
        rows, columns = known[name].shape
        if rank > min(rows, columns):
            raise ConfigError(
                f"{key.rpartition('.')[0]}.rank: expected at most {min(rows, columns)}, as '{name}'"
                f" has {rows:,} rows and {columns:,} columns; got {rank}. Lower it, or choose other"
                " targets"
            )
    alpha = float(rank if alpha is None else alpha)
    grouped: dict[int, list[Target]] = {}
    for name in names:
        grouped.setdefault(id(known[name].layer), []).append(known[name])
    for group in grouped.values():
        one = group[0].layer
        if isinstance(one, Adaptable):
            one.enable_lora([target.own for target in group if target.own], rank, alpha)
        else:
            one.enable_lora(rank, lora_alpha=alpha)
    return names


def merge(layer: keras.Layer) -> bool:
    """Takes the changes of all adapters below a layer into its weights, which then learn again.

    Returns:
        Whether there were any.
    """
    found = False
    for one in layer._flatten_layers():
        if isinstance(one, Adaptable):
            found |= bool(one.adapted)
            one.merge_lora()
        elif getattr(one, "lora_enabled", False):
            found = True
            _merge_kernel(one)
    return found


def has_adapters(layer: keras.Layer) -> bool:
    """Whether a weight below a layer has an adapter."""
    return any(
        bool(one.adapted) if isinstance(one, Adaptable) else getattr(one, "lora_enabled", False)
        for one in layer._flatten_layers()
    )


def _merge_kernel(layer: keras.layers.Dense | keras.layers.EinsumDense) -> None:
    kernel = next(weight for weight in layer.weights if weight.name == "kernel")
    merged = layer.kernel
    # Keras has no way back from `enable_lora`: its weights are deleted as attributes are.
    del layer.lora_kernel_a, layer.lora_kernel_b
    layer.lora_enabled, layer.lora_rank, layer.lora_alpha = False, None, None
    kernel.assign(merged)
    kernel.trainable = True


def _below(layer: keras.Layer, path: str, name: str) -> str:
    """A path as seen from a layer."""
    parts = path.split("/")
    inner = parts[parts.index(layer.name) + 1 :] if layer.name in parts else parts
    return "/".join([name, *inner] if name else inner)
