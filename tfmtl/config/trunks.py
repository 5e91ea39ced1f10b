"""Networks below the tasks: what they share and what is their own."""

from typing import Annotated, Literal

from pydantic import Field

from tfmtl.config.base import Rate, Spec, Units

Count = Annotated[int, Field(ge=1)]
Layers = Annotated[Units, Field(min_length=1)]


class SingleTask(Spec):
    """A network a task, nothing shared but the embeddings: the baseline."""

    kind: Literal["single_task"]
    units: Units = [256, 128]
    dropout: Rate = 0.0


class SharedBottom(Spec):
    """One network below all tasks (Caruana 1997)."""

    kind: Literal["shared_bottom"]
    units: Units = [256, 128]
    dropout: Rate = 0.0


class CrossStitch(Spec):
    """A network a task; after every layer the tasks' activations are mixed (Misra et al. 2016)."""

    kind: Literal["cross_stitch"]
    units: Layers = [256, 128]
    same_task: Annotated[float, Field(gt=0, le=1)] = 0.9
    """What a task's own activations weigh at first; those of the other tasks share the rest."""
    dropout: Rate = 0.0


class Mmoe(Spec):
    """Multi-gate mixture of experts (Ma et al. 2018)."""

    kind: Literal["mmoe"]
    experts: Count = 4
    units: Layers = [128, 64]
    dropout: Rate = 0.0


class Cgc(Spec):
    """Customized gate control: experts of all tasks and of each (Tang et al. 2020)."""

    kind: Literal["cgc"]
    shared_experts: Count = 2
    task_experts: Count = 1
    units: Layers = [128, 64]
    dropout: Rate = 0.0


class Ple(Spec):
    """Progressive layered extraction: several levels of CGC (Tang et al. 2020)."""

    kind: Literal["ple"]
    levels: Count = 2
    shared_experts: Count = 2
    task_experts: Count = 1
    units: Layers = [64]
    """Widths of an expert's layers, at every level."""
    dropout: Rate = 0.0


class NoTrunk(Spec):
    """No network: tasks are predicted by `model.factorised` and a bias alone, no feature is read
    but its two ids."""

    kind: Literal["none"]


Trunk = Annotated[
    SingleTask | SharedBottom | CrossStitch | Mmoe | Cgc | Ple | NoTrunk,
    Field(discriminator="kind"),
]
