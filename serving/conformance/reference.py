"""A small SavedModel that the cases know the answers of, in two versions with labels.

    tfmtl conformance --export /tmp/reference
    tensorflow_model_server --model_config_file=/tmp/reference/models.config ...

It is written as a graph with stock operations only, so that any TF Serving loads it. `WEIGHT` of
a version is its number:

    serving_default   score = x @ [[WEIGHT], [WEIGHT]], the item's place in WORDS or -1, the item
    scaled            y = x * by, by default 10
    candidates        a user with items: score = WEIGHT * place of the item
    classify, regress tf.Examples with a feature x of two numbers: score as above
    slow              goes round `steps` times
"""

import os
import shutil
from pathlib import Path
from typing import Any

NAME = "reference"
STABLE, CANARY = 1, 2
WORDS = ("apple", "bread", "cheese")
SIGNATURES = ("serving_default", "scaled", "candidates", "classify", "regress", "slow")
CONFIG = "models.config"

_MODEL_CONFIG = """model_config_list {{
  config {{
    name: "{name}"
    base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: {stable} versions: {canary} }} }}
    version_labels {{ key: "stable" value: {stable} }}
    version_labels {{ key: "canary" value: {canary} }}
  }}
}}
"""


def export(directory: Path) -> Path:
    """Writes the model's versions and the configuration that serves them.

    Args:
        directory: Where to; it is made. What an earlier call has left there is replaced.

    Returns:
        The path of `models.config`, whose base path is absolute.

    Raises:
        OSError: The directory cannot be written to.
    """
    base = Path(directory).resolve() / NAME
    base.mkdir(parents=True, exist_ok=True)
    for number in (STABLE, CANARY):
        scratch = base / f"writing-{os.getpid()}"
        shutil.rmtree(scratch, ignore_errors=True)
        _write(scratch, float(number))
        shutil.rmtree(base / str(number), ignore_errors=True)
        scratch.rename(base / str(number))
    config = base.parent / CONFIG
    scratch = config.with_suffix(f".{os.getpid()}")
    escaped = str(base).replace("\\", "\\\\").replace('"', '\\"')
    text = _MODEL_CONFIG.format(name=NAME, base=escaped, stable=STABLE, canary=CANARY)
    scratch.write_text(text, encoding="utf-8")
    scratch.rename(config)
    return config


def _write(directory: Path, weight: float) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session, [tf.saved_model.SERVING], _signatures(tf, weight)
        )
        builder.save()


def _signatures(tf: Any, weight: float) -> dict[str, Any]:
    serialized = tf.compat.v1.placeholder(tf.string, [None], "examples")
    features = {"x": tf.io.FixedLenFeature([2], tf.float32, [0.0, 0.0])}
    score = _score(tf, tf.io.parse_example(serialized, features)["x"], weight)
    classes = tf.tile(tf.constant([["low", "high"]]), [tf.shape(score)[0], 1])
    both = {"classes": classes, "scores": tf.concat([-score, score], 1)}
    return {
        "serving_default": _default(tf, weight),
        "scaled": _scaled(tf),
        "candidates": _candidates(tf, weight),
        "classify": _signature(tf, {"inputs": serialized}, both, "classify"),
        "regress": _signature(tf, {"inputs": serialized}, {"outputs": score[:, 0]}, "regress"),
        "slow": _slow(tf),
    }


def _signature(
    tf: Any, inputs: dict[str, Any], outputs: dict[str, Any], method: str = "predict"
) -> Any:
    info = tf.compat.v1.saved_model.build_tensor_info
    return tf.compat.v1.saved_model.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tf.identity(tensor)) for name, tensor in outputs.items()},
        f"tensorflow/serving/{method}",
    )


def _score(tf: Any, x: Any, weight: float) -> Any:
    return tf.matmul(x, tf.constant([[weight], [weight]]))


def _place(tf: Any, item: Any) -> Any:
    """The place of each item in `WORDS`, -1 where it has none."""
    equal = tf.equal(item[..., tf.newaxis], tf.constant(WORDS))
    return tf.where(tf.reduce_any(equal, -1), tf.argmax(tf.cast(equal, tf.int32), -1), -1)


def _default(tf: Any, weight: float) -> Any:
    item = tf.compat.v1.placeholder(tf.string, [None], "item")
    x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
    outputs = {"score": _score(tf, x, weight), "id": _place(tf, item), "item": item}
    return _signature(tf, {"item": item, "x": x}, outputs)


def _scaled(tf: Any) -> Any:
    x = tf.compat.v1.placeholder(tf.int32, [None], "scaled_x")
    by = tf.compat.v1.placeholder(tf.int64, [None], "by")
    signature = _signature(tf, {"x": x, "by": by}, {"y": tf.cast(x, tf.int64) * by})
    signature.defaults["by"].CopyFrom(tf.make_tensor_proto([10], tf.int64))
    return signature


def _candidates(tf: Any, weight: float) -> Any:
    user = tf.compat.v1.placeholder(tf.string, [None], "user")
    item = tf.compat.v1.placeholder(tf.string, [None, None], "items")
    known = tf.cast(tf.strings.length(user) >= 0, tf.float32)[:, tf.newaxis]
    score = weight * known * tf.cast(_place(tf, item), tf.float32)
    return _signature(tf, {"user": user, "item": item}, {"score": score})


def _slow(tf: Any) -> Any:
    steps = tf.compat.v1.placeholder(tf.int32, [None], "steps")
    _, total = tf.while_loop(
        lambda i, _: i < tf.reduce_max(steps),
        lambda i, x: (i + 1, tf.matmul(x, x) * 0.01),
        (0, tf.ones([32, 32])),
    )
    return _signature(tf, {"steps": steps}, {"y": tf.cast(steps, tf.float32) + 0.0 * total[0, 0]})
