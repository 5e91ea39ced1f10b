"""Pretrained encoders as trained parts of a model: shared, adapted, saved, trained."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tuned

pytest.importorskip("tensorflow_text", reason='needs the extra: pip install "tfmtl[text]"')

import tfmtl
from tfmtl.config import Config, ConfigError
from tfmtl.layers.pretrained.encoder import load_encoder
from tfmtl.models.adapters import adapt, merge
from tfmtl.models.compression import Compression
from tfmtl.models.encoded_texts import encoded_texts
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.encoders import encoder_path
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.extending import extended, transfer
from tfmtl.training.start_at_checkpoints import start_at_checkpoints
from tfmtl.training.trainer import train

TEXTS = ("title_words", "query")
LORA = {"tuning": "lora", "lora": {"rank": 2}}


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned.write_transformed(tmp_path_factory.mktemp("tuned"), tuned.make_config(LORA))


def make_model(config: Config, transformed: Path) -> MultiTaskModel:
    keras.utils.set_random_seed(1)
    own = Preprocessor(config, transformed)
    model = MultiTaskModel(config, own.vocabulary_sizes, "float32", own.encoders)
    start_at_checkpoints(model, transformed)
    return model


def _encoder_variables(model: MultiTaskModel) -> list[keras.Variable]:
    (encoder,) = model.encoding.texts.encoders.values()
    return encoder.variables


def test_two_features_share_one_encoder_of_the_checkpoint(transformed: Path) -> None:
    config = tuned.make_config(LORA)
    model = make_model(config, transformed)
    x, _, _ = tiny.batch(Preprocessor(config, transformed), 8)
    alone = load_encoder(encoder_path(transformed, "encoder"))
    vectors = model.encoding.texts({n: tf.constant(x[n]) for n in ("title_words", "query")})
    for name, found in vectors.items():
        np.testing.assert_allclose(found, alone(tf.constant(x[name])), atol=1e-6)
    paths = [variable.path for variable in model.variables]
    assert len(set(paths)) == len(paths)
    assert sum(path.endswith("/words") for path in paths) == 1


def test_other_tuning_is_another_encoder(transformed: Path) -> None:
    raw = tuned.make_config(LORA).model_dump(mode="json")
    raw["features"]["query"][0]["encoder"] |= {"tuning": "full", "lora": {}}
    model = make_model(tiny.parse(raw), transformed)
    assert list(model.encoding.texts.encoders) == [("encoder", "lora"), ("encoder", "full")]


def test_vectors_may_stand_for_texts(transformed: Path) -> None:
    config = tuned.make_config(LORA)
    model = make_model(config, transformed)
    x, _, _ = tiny.batch(Preprocessor(config, transformed), 8)
    vectors = encoded_texts(model, x)
    assert vectors["title_words"].shape == (8, 3)
    assert vectors["query"].shape == (8, 4)
    expected, found = model(x), model(vectors)
    for task in expected:
        np.testing.assert_allclose(found[task], expected[task], atol=1e-6)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_step_changes_what_is_tuned_alone(transformed: Path, tuning: str) -> None:
    config = tuned.make_config(LORA if tuning == "lora" else {"tuning": "full"})
    model = make_model(config, transformed)
    adapted = adapt(model)
    model.compile(optimizer=build_optimizer(config.training.optimizer, 10))
    before = [np.array(variable) for variable in _encoder_variables(model)]
    model.learn(*tiny.batch(Preprocessor(config, transformed)))
    changed = {
        variable.path.partition("pretrained_0/")[2]
        for variable, old in zip(_encoder_variables(model), before, strict=True)
        if np.any(np.array(variable) != old)
    }
    blocks = ("block_0", "block_1")
    if tuning == "lora":
        # B is 0 at first, and with it the gradient of A.
        names = {f"{block}/{part}" for block in blocks for part in ("query", "value")}
        assert set(adapted) == names
        assert changed == {f"{name}/lora_kernel_b" for name in names}
        tuned_paths = [v.path for v in model.trainable_variables if "pretrained" in v.path]
        assert len(tuned_paths) == 8
        assert all("lora_kernel" in path for path in tuned_paths)
        slots = [v.name for v in model.optimizer.dense.variables if "pretrained_0" in v.name]
        assert slots
        assert all("lora_kernel" in name for name in slots)
    else:
        assert adapted == []
        kernels = {f"{b}/{part}/kernel" for b in blocks for part in ("query", "value", "outer")}
        assert changed >= {"words", "positions", *kernels}


@pytest.mark.slow
def test_merged_adapters_change_no_prediction_and_leave_nothing(transformed: Path) -> None:
    config = tuned.make_config(LORA)
    model = make_model(config, transformed)
    plain = [variable.path for variable in model.variables]
    trainable = [variable.path for variable in model.trainable_variables]
    adapt(model)
    model.compile(optimizer=build_optimizer(config.training.optimizer, 10))
    batch = tiny.batch(Preprocessor(config, transformed))
    for _ in range(3):
        model.learn(*batch)
    expected = model(batch[0])
    assert merge(model)
    found = model(batch[0])
    for task in expected:
        np.testing.assert_allclose(found[task], expected[task], atol=1e-6)
    assert [variable.path for variable in model.variables] == plain
    assert [variable.path for variable in model.trainable_variables] == trainable


@pytest.mark.slow
def test_training_saving_and_loading_without_the_checkpoint(
    transformed: Path, tmp_path: Path
) -> None:
    config = tuned.make_config(LORA)
    model = train(config, transformed).model
    tfmtl.save_model(model, tmp_path / "model", transformed)
    x, _, _ = tiny.batch(Preprocessor(config, transformed), 8)
    expected = model(x)
    shutil.rmtree(tmp_path / "model" / "encoders")
    loaded = tfmtl.load_model(tmp_path / "model")
    found = loaded(x)
    for task in expected:
        np.testing.assert_allclose(found[task], expected[task], atol=1e-6)
    started = make_model(config, transformed)
    changed = {
        new.path.rpartition("pretrained_0/")[2]
        for new, old in zip(_encoder_variables(loaded), _encoder_variables(started), strict=True)
        if np.any(np.array(new) != np.array(old))
    }
    blocks = ("block_0", "block_1")
    assert changed == {f"{b}/{part}/kernel" for b in blocks for part in ("query", "value")}


@pytest.mark.parametrize("kind", ["int8", "bfloat16"])
def test_stored_in_fewer_bytes(transformed: Path, kind: str) -> None:
    config = tuned.make_config({"tuning": "full"})
    model = make_model(config, transformed)
    x, _, _ = tiny.batch(Preprocessor(config, transformed), 8)
    compression = Compression(model, kind)
    with compression.reading():
        found = model(x)
    unpacked = compression.unpacked()(x)
    whole = sum(int(np.prod(v.shape)) * 4 for v in model.variables)
    assert compression.nbytes < 0.9 * whole
    for task, expected in model(x).items():
        np.testing.assert_allclose(found[task], unpacked[task], atol=1e-5)
        np.testing.assert_allclose(found[task], expected, atol=0.05)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"tuning": "full", "lora": {"rank": 4}}, "lora is of `tuning: lora`, got tuning 'full'"),
        ({"lora": {"targets": ["key"]}}, "lora is of `tuning: lora`, got tuning 'frozen'"),
        ({"tuning": "adapter"}, "tuning"),
        ({"tuning": "lora", "lora": {"rank": 0}}, "rank"),
    ],
)
def test_configurations_that_contradict_themselves(encoder: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tuned.make_config(encoder)


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"rank": 17}, r"features.encoder.lora.rank: expected at most 16, as 'block_0/"),
        ({"targets": ["keys"]}, "features.encoder.lora.targets"),
    ],
)
def test_adapters_that_the_encoder_cannot_have(transformed: Path, lora: dict, message: str) -> None:
    model = make_model(tuned.make_config({"tuning": "lora", "lora": lora}), transformed)
    with pytest.raises((ConfigError, ValueError), match=message):
        adapt(model)


def test_an_unknown_checkpoint(transformed: Path) -> None:
    with pytest.raises(ValueError, match="`encoders` should have the checkpoint 'encoder' of feat"):
        MultiTaskModel(tuned.make_config(LORA), tiny.sizes(tuned.VOCABULARIES))


def test_tuning_goes_on_from_a_frozen_encoder_where_it_was(
    transformed: Path, tmp_path: Path
) -> None:
    """The model is another only by where its vectors come from: it predicts what it did."""
    frozen = tuned.make_config({})
    base = make_model(frozen, transformed)
    config = tuned.make_config(LORA)
    model = extended(base, config, transformed)
    x, _, _ = tiny.batch(Preprocessor(config, transformed), 8)
    read = {name: load_encoder(encoder_path(transformed, "encoder"))(x[name]) for name in TEXTS}
    expected, found = base({**x, **read}), model(x)
    for task in expected:
        np.testing.assert_allclose(found[task], expected[task], atol=1e-5)
    untouched = make_model(config, transformed)
    assert transfer(base, untouched) == ["encoders/encoder"]


def test_tuning_goes_on_from_what_the_encoder_has_learnt(transformed: Path) -> None:
    """Under another name, tuned otherwise, and one of two encoders: files and weights decide."""
    base = make_model(tuned.make_config({"tuning": "full"}), transformed)
    (learnt,) = base.encoding.texts.encoders.values()
    for variable in learnt.variables:
        variable.assign(variable.numpy() + 0.01)
    raw = tuned.make_config(LORA).model_dump(mode="json")
    for side in ("item", "query"):
        raw["features"][side][-1]["encoder"]["checkpoint"] = "moved"
    raw["features"]["query"][0]["encoder"]["checkpoint"] = "other"
    config = tiny.parse(raw)
    about = base.encoders["encoder"]
    encoders = {"other": {**about, "fingerprint": "0"}, "moved": about}
    sizes = Preprocessor(config, transformed).vocabulary_sizes
    model = MultiTaskModel(config, sizes, "float32", encoders)
    assert transfer(base, model) == ["encoders/other"]
    moved = model.encoding.texts.encoders["moved", "lora"]
    for one, other in zip(moved.variables, learnt.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    other = model.encoding.texts.encoders["other", "lora"]
    assert not np.any(np.array(other.words))


def test_a_tuned_encoder_does_not_become_a_frozen_one(transformed: Path) -> None:
    base = make_model(tuned.make_config({"tuning": "full"}), transformed)
    frozen = make_model(tuned.make_config({}), transformed)
    with pytest.raises(ConfigError, match=r"encoder of 'title_words' was tuned.*give tuning: full"):
        transfer(base, frozen)
