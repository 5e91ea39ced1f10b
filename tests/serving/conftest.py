"""Small SavedModels, exported once, and a server that serves them."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shutil
import subprocess
from pathlib import Path

import pytest
import tensorflow as tf

import serving

TEN = tf.constant(10, tf.int64)
EXAMPLES = tf.TensorSpec([None], tf.string, "inputs")


class Shop(tf.Module):
    """Strings through a lookup table of a text asset, floats through a variable."""

    def __init__(self, vocabulary: Path, weight: float):
        super().__init__()
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(initializer, -1)
        self.weight = tf.Variable([[weight], [weight]])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "item"),
            tf.TensorSpec([None, 2], tf.float32, "x"),
        ]
    )
    def rank(self, item, x):
        """`score = x @ [[w], [w]]`; the item's line number; the item itself."""
        return {"score": x @ self.weight, "id": self.table.lookup(item), "item": item}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "x")])
    def scaled(self, x, by=TEN):
        """Has a default for one of its inputs."""
        return {"y": tf.cast(x, tf.int64) * by}

    @tf.function(input_signature=[EXAMPLES])
    def classify(self, inputs):
        """Two classes of examples with a number `x`: `scores = [w x, -w x]`."""
        x = self._features(inputs)["x"] * self.weight[0, 0]
        classes = tf.repeat([["up", "down"]], tf.shape(x)[0], axis=0)
        return {"classes": classes, "scores": tf.stack([x, -x], axis=1)}

    @tf.function(input_signature=[EXAMPLES])
    def regress(self, inputs):
        """Examples with numbers `x` and `bias`: `outputs = w x + bias`."""
        features = self._features(inputs)
        return {"outputs": features["x"] * self.weight[0, 0] + features["bias"]}

    def _features(self, inputs):
        number = tf.io.FixedLenFeature([], tf.float32)
        bias = tf.io.FixedLenFeature([], tf.float32, 0.0)
        return tf.io.parse_example(inputs, {"x": number, "bias": bias})

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "steps")])
    def slow(self, steps):
        """Runs as long as it is told to, some 10 us a step."""
        size = tf.ones([32, 32])
        _, total = tf.while_loop(
            lambda i, _: i < steps, lambda i, x: (i + 1, x @ x * 0.01), (0, size)
        )
        return {"weight": self.weight[0, 0] + 0 * total[0, 0]}


def export(directory: Path, weight: float) -> Path:
    """Exports a `Shop` whose variable holds `weight`."""
    vocabulary = directory.with_suffix(".txt")
    vocabulary.write_text("apple\nbread\ncheese\n")
    shop = Shop(vocabulary, weight)
    signatures = {
        "serving_default": shop.rank,
        "scaled": shop.scaled,
        "slow": shop.slow,
        "classify": shop.classify,
        "regress": shop.regress,
    }
    tf.saved_model.save(shop, str(directory), signatures=signatures)
    vocabulary.unlink()
    return directory


@pytest.fixture(scope="session")
def shop_one(tmp_path_factory) -> Path:
    """A SavedModel whose weight is 1."""
    return export(tmp_path_factory.mktemp("exports") / "one", 1.0)


@pytest.fixture(scope="session")
def shop_two(tmp_path_factory) -> Path:
    """The same model with weight 2."""
    return export(tmp_path_factory.mktemp("exports") / "two", 2.0)


@pytest.fixture(scope="session")
def shop_server(tmp_path_factory, shop_one):
    """A server of model `shop`, version 3, for tests that do not change it."""
    base = tmp_path_factory.mktemp("served")
    shutil.copytree(shop_one, base / "3")
    with serving.EmbeddedServer({"shop": base}) as server:
        yield server


@pytest.fixture
def shop_client(shop_server):
    """A light client of `shop_server`."""
    with serving.Client(shop_server.address, model="shop") as client:
        yield client


@pytest.fixture(scope="session")
def reference_config(tmp_path_factory) -> Path:
    """The `models.config` of the reference model, versions 1 and 2 with labels."""
    from serving.conformance.reference import export as export_reference

    return export_reference(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def reference_server(reference_config):
    """A server of the reference model over gRPC and REST."""
    options = serving.ServerOptions(
        model_config_file=reference_config,
        allow_version_labels_for_unavailable_models=True,
        rest_api_port=0,
    )
    with serving.EmbeddedServer({}, options) as server:
        yield server


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    """A directory of keys and certificates: an authority, a server, a client and a stranger."""
    place = tmp_path_factory.mktemp("pem")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *key, "-subj", f"/CN={name}",
                "-keyout", place / f"{name}.key", "-out", place / f"{name}.crt")  # fmt: skip
    (place / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", *key[:-2], "-subj", f"/CN={name}",
                "-keyout", place / f"{name}.key", "-out", place / f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-days", "2", "-in", place / f"{name}.csr",
                "-CA", place / "ca.crt", "-CAkey", place / "ca.key", "-CAcreateserial",
                "-extfile", place / "names", "-out", place / f"{name}.crt")  # fmt: skip
    return place


@pytest.fixture(scope="session")
def varied_shop(tmp_path_factory):
    """The SavedModel of a shop with features of every kind, in a session."""
    import varied
    from asked import Asked, Shop

    from serving.exporting import write_saved_model

    directory = tmp_path_factory.mktemp("varied")
    model = varied.make_model()
    home = varied.write_home(model, directory)
    write_saved_model(model, home, directory / "saved_model")
    with Asked(directory / "saved_model") as ask:
        yield Shop(model, home, directory / "saved_model", ask)
