"""Times, sizes and artifacts as people read them."""

from datetime import datetime

from pipelines.console.tally import duration
from pipelines.metadata.records import RAW_FILE, Artifact, Execution

_DIGITS = 12
_STATES = {"DELETED": "replaced since", "ABANDONED": "not finished", "PENDING": "being made"}
_UNITS = ("kB", "MB", "GB", "TB")


def at(seconds: float) -> str:
    """Local time: `2026-11-22 16:20:07`."""
    return datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="seconds")


def clock(seconds: float) -> str:
    """Hours where there are some, minutes and seconds: `0:08`, `2:21`, `1:02:21`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(count: int) -> str:
    """Bytes: `812 B`, `1.2 MB`."""
    if count < 1000:
        return f"{count} B"
    power = min((len(str(count)) - 1) // 3, len(_UNITS))
    return f"{count / 1000**power:.1f} {_UNITS[power - 1]}"


def short(digits: str) -> str:
    """The first digits of a hash."""
    return digits[:_DIGITS]


def artifact_text(artifact: Artifact) -> str:
    """`pushed #9, version 1 of shop`; of a raw file its size and hash."""
    found = artifact.properties
    if artifact.type == RAW_FILE:
        known = found.get("sha256")
        content = f"sha256 {short(known)}" if known else "content not known"
        return f"{artifact.name}  {size(found['bytes'])}  {content}"
    parts = [f"{artifact.name} #{artifact.id}"]
    if found.get("version") is not None:
        parts.append(f"version {found['version']} of {found.get('name')}")
    if "blessed" in found:
        parts.append("blessed" if found["blessed"] else "not blessed")
    if artifact.state in _STATES:
        parts.append(_STATES[artifact.state])
    return ", ".join(parts)


def execution_text(execution: Execution) -> str:
    """`Trainer, run 3, 2026-11-22 16:20:07, 8.2 s`."""
    parts = [execution.component, f"run {execution.run}", at(execution.started)]
    if execution.ended is not None:
        parts.append(duration(execution.ended - execution.started))
    if execution.state in ("RUNNING", "FAILED"):
        killed = execution.error is not None and execution.ended is None
        parts.append("killed" if killed else execution.state.lower())
    return ", ".join(parts)
