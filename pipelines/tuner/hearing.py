"""What a run within a run says, passed on."""

import io
from collections.abc import Callable


class Heard(io.StringIO):
    """A text file that tells each line written to it, its spaces set right.

    Args:
        tell: told of every line that is not empty.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def write(self, text: str, /) -> int:
        for line in text.splitlines():
            if line.strip():
                self._tell(" ".join(line.split()))
        return len(text)
