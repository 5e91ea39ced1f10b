"""Environments of the peers, made once and kept."""

import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path.home() / ".cache" / "tfmtl-benchmarks"
REQUIREMENTS = {
    "torch-rechub": ("torch-rechub==0.9.0", "torch==2.13.0"),
    # The last TensorFlow whose tf.keras is Keras 2, for which DeepCTR is written.
    "DeepCTR": ("deepctr==0.9.4", "tensorflow-cpu==2.15.1", "numpy<2"),
    "polars": ("polars==2.1.0",),
    "scikit-learn": ("scikit-learn==1.9.1",),
    "sentence-transformers": ("sentence-transformers==6.2.0", "torch==2.13.0"),
}


def python_of(library: str) -> Path:
    """The interpreter of a library's own environment, which is made where it is missing.

    Raises:
        subprocess.CalledProcessError: pip cannot install the library.
    """
    home = CACHE / library.lower()
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS[library]], check=True)
        (home / "complete").touch()
    return python
