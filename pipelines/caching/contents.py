"""What files hold, by hash: a file is read again only when the system says that it is another one.

Size and times of a file are cheap to ask for, its content is not. The time of the last change of
the file's record (ctime), which no program can set back, tells of a file that was overwritten with
one of the same size and time of modification.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.caching.manifests import file_hash
from pipelines.storage.directories import read_json, replace_file


class Contents:
    """Hashes of files, remembered from run to run.

    Args:
        memory: JSON file that keeps what is known; nothing is kept where not given.
    """

    def __init__(self, memory: Path | None = None):
        self._memory = memory
        self._known = read_json(memory) if memory else {}
        self._changed = False

    def sha256(self, path: Path) -> str:
        """Hash of a file's content, 64 hexadecimal digits."""
        return str(self._entry(path)["sha256"])

    def remembered(self, path: Path, make: Callable[[bytes], Any]) -> Any:
        """What `make` says of a file's content, as plain data; made once for a content."""
        entry = self._entry(path)
        if "made" not in entry:
            entry["made"] = make(path.read_bytes())
            self._changed = True
        return entry["made"]

    def save(self) -> None:
        """Keeps what has become known."""
        if self._memory is not None and self._changed:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._memory, json.dumps(self._known))
            self._changed = False

    def _entry(self, path: Path) -> dict[str, Any]:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        entry = self._known.get(str(path))
        if not isinstance(entry, dict) or entry.get("stamp") != stamp:
            entry = {"stamp": stamp, "sha256": file_hash(path)}
            self._known[str(path)] = entry
            self._changed = True
        return entry
