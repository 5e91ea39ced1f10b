"""What the processor is good at."""

from functools import cache
from pathlib import Path

_MULTIPLIES_BFLOAT16 = ("amx_bf16", "avx512_bf16")


@cache
def bfloat16_flags() -> tuple[str, ...]:
    """The processor's instructions that multiply matrices in bfloat16; none where unknown."""
    try:
        known = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return ()
    return tuple(flag for flag in _MULTIPLIES_BFLOAT16 if flag in known)
