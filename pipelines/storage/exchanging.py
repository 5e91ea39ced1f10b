"""Two directories change names in one step, where the system can do that."""

import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Any

_HERE = -100  # AT_FDCWD: relative paths are those of the working directory.
_EXCHANGE = 2  # RENAME_EXCHANGE
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


def exchange(first: Path, second: Path) -> bool:
    """Lets two existing paths on one file system change places, so that neither is ever absent.

    Returns:
        Whether it was done; not where the system or the file system cannot do it.

    Raises:
        OSError: it failed for another reason.
    """
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(first), None, str(second))


@cache
def _renameat2() -> Any:
    """Linux's system call as the C library has it; None elsewhere."""
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
