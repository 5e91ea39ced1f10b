"""Importing TFRS leaves Keras as the user had it."""

import subprocess
import sys

import pytest

CHECK = """
import keras, tensorflow as tf
{before}
import tfmtl.heads
import tensorflow_recommenders
assert tf.keras.__version__ == keras.__version__, tf.keras.__version__
assert tf.keras.__version__.startswith("3."), tf.keras.__version__
assert tf.keras.layers.Layer is keras.layers.Layer
import tensorflow.keras
from tensorflow.keras.layers import Dense
assert Dense is keras.layers.Dense
assert issubclass(tfmtl.heads.BinaryHead, tf.keras.layers.Layer)
print("kept")
"""


@pytest.mark.parametrize(
    "before",
    ["", pytest.param("import tensorflow.keras; tf.keras.layers.Layer", marks=pytest.mark.slow)],
    ids=["untouched", "touched"],
)
def test_tf_keras_stays_keras_3(before: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CHECK.format(before=before)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.strip() == "kept", ended.stderr
