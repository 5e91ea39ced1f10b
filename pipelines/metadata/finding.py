"""Which artifact a user means: a name, a number, a path in a run's directory, a pushed version."""

import os
from pathlib import Path

from pipelines.metadata.opening import StoreError
from pipelines.metadata.reader import Reader
from pipelines.metadata.records import RAW_FILE, Artifact
from serving.pushing.rollback import original

_NAMES_SHOWN = 12


def run_directory_of(path: Path, store: str) -> Path | None:
    """The nearest directory above a path that holds a store; the path itself may be gone.

    Args:
        path: of a file or directory.
        store: the store's file name.
    """
    whole = _absolute(path)
    return next((parent for parent in whole.parents if (parent / store).is_file()), None)


def find(reader: Reader, directory: Path, wanted: str) -> Artifact:
    """The artifact that is meant; of several of one name the one that is there, or the last.

    Args:
        reader: the store.
        directory: the run's directory.
        wanted: `model`, `#12`, `serving/shop/3`, `out/shop/evaluation.json`, a raw file's name.

    Raises:
        StoreError: there is no such artifact; the line names those there are.
    """
    number = wanted.removeprefix("#")
    if number.isdecimal():
        found = reader.artifact(int(number))
    else:
        found = _current(reader.artifacts(wanted)) or _at(reader, directory, wanted)
    if found is None:
        raise StoreError(f"{directory} knows no artifact '{wanted}'; it knows {_names(reader)}")
    return found


def _at(reader: Reader, directory: Path, wanted: str) -> Artifact | None:
    """The artifact at a path, relative to the working directory, the run's or the data's."""
    home = _absolute(directory)
    for path in (_absolute(Path(wanted)), home / wanted):
        if path.is_relative_to(home):
            found = _inside(reader, directory, path.relative_to(home).parts)
            if found is not None:
                return found
    run = reader.last_run()
    path, data = _absolute(Path(wanted)), _absolute(Path(run.data if run else "."))
    name = path.relative_to(data) if path.is_relative_to(data) else path
    return _current(reader.artifacts(name.as_posix()))


def _inside(reader: Reader, directory: Path, parts: tuple[str, ...]) -> Artifact | None:
    match parts:
        case ("serving", name, version, *_) if version.isdecimal():
            return _pushed(reader, directory, name, int(version))
        case ("artifacts", name, *_):
            return _current(reader.artifacts(name))
        case (name, *_):
            # What a run publishes has the artifact's name: model/, evaluation.json.
            return _current(reader.artifacts(Path(name).stem))
    return None


def _pushed(reader: Reader, directory: Path, name: str, version: int) -> Artifact:
    """What the Pusher said of a version, or of the one that a rollback has copied; of a number that
    was used again, the last."""
    pushed = original(directory / "serving" / name, version)
    for artifact in reversed(reader.artifacts("pushed")):
        if (artifact.properties.get("name"), artifact.properties.get("version")) == (name, pushed):
            return artifact
    raise StoreError(f"no run of {directory} has pushed version {version} of {name}")


def _current(found: list[Artifact]) -> Artifact | None:
    """The last that is there, else the last that was."""
    return max(found, key=lambda one: (one.state == "LIVE", one.id), default=None)


def _names(reader: Reader) -> str:
    known = dict.fromkeys(one.name for one in reader.artifacts() if one.type != RAW_FILE)
    names = list(known) or ["none, as no step has ended"]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
