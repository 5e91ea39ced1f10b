"""In which precision the dense layers compute."""

from tfmtl.config import Training
from tfmtl.processor import bfloat16_flags


def dtype_policy(spec: Training) -> str:
    """The Keras dtype policy that a configuration asks for on this machine.

    bfloat16 pays where the processor multiplies matrices in it, by AMX tiles or by the dot products
    of AVX-512: a step of MMoE takes a third less time with the latter (`benchmarks/training.py`
    prints it). Elsewhere it is emulated and slower than float32.

    Returns:
        `mixed_bfloat16` or `float32`.
    """
    if spec.precision == "auto":
        return "mixed_bfloat16" if bfloat16_flags() else "float32"
    return "mixed_bfloat16" if spec.precision == "bfloat16" else "float32"
