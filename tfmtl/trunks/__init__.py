"""Networks below the tasks: features to `{task: representation}`."""

from collections.abc import Sequence

from tfmtl.config import Trunk as TrunkSpec
from tfmtl.trunks.cgc import Cgc
from tfmtl.trunks.cross_stitch import CrossStitch
from tfmtl.trunks.interface import GatedTrunk, Trunk
from tfmtl.trunks.mmoe import Mmoe
from tfmtl.trunks.none import NoTrunk
from tfmtl.trunks.ple import Ple
from tfmtl.trunks.shared_bottom import SharedBottom
from tfmtl.trunks.single_task import SingleTask

_TRUNKS: dict[str, type[Trunk]] = {
    "single_task": SingleTask,
    "shared_bottom": SharedBottom,
    "cross_stitch": CrossStitch,
    "mmoe": Mmoe,
    "cgc": Cgc,
    "ple": Ple,
    "none": NoTrunk,
}


def build_trunk(spec: TrunkSpec, tasks: Sequence[str], dtype: str) -> Trunk:
    """The trunk that a configuration describes."""
    return _TRUNKS[spec.kind](tasks, dtype=dtype, **spec.model_dump(exclude={"kind"}))


__all__ = [
    "Cgc",
    "CrossStitch",
    "GatedTrunk",
    "Mmoe",
    "NoTrunk",
    "Ple",
    "SharedBottom",
    "SingleTask",
    "Trunk",
    "build_trunk",
]
