"""A model that is served with some of the signatures that its tasks make possible."""

from pathlib import Path

import pytest
import tiny
from tensorflow.core.protobuf import saved_model_pb2

import tfmtl
from serving import signatures
from serving.exporting import write_saved_model
from serving.served_model.module import _SIGNATURES
from serving.validation.examples import example_requests, timed_requests
from serving.validation.infra import validate
from serving.warmup_records import read_warmup, request_of
from tfmtl.models.multi_task import MultiTaskModel


@pytest.mark.slow
def test_what_is_configured_is_exported_asked_and_warmed_up(tmp_path: Path) -> None:
    model = tiny.make_model({"serving": {"signatures": ["rank", "embed_item"]}})
    home = tmp_path / "model"
    tfmtl.save_model(model, home, tiny.write_transformed(tmp_path / "transformed"))
    saved_model = tmp_path / "saved_model"
    write_saved_model(model, home, saved_model)
    expected = {"rank_rows", "rank", "embed_item", "serving_default"}
    proto = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    known = proto.meta_graphs[0].signature_def
    assert {name for name in known if not name.startswith("__")} == expected
    requests = example_requests(model, home, 3)
    assert set(requests) == expected
    assert set(timed_requests(model, home, 1, {})) == {"rank_rows", "rank"}
    assert {request_of(record, known)[0] for record in read_warmup(saved_model)} == expected
    report = validate(saved_model, requests)
    assert report.reasons == []
    assert set(report.outputs) == expected


@pytest.mark.parametrize(
    ("task", "kept"),
    [("click", {"rank_rows", "serving_default"}), ("retrieve", {"retrieve", "serving_default"})],
)
def test_the_default_one_is_always_there(tmp_path: Path, task: str, kept: set[str]) -> None:
    changes = {"tasks": {task: tiny.RAW["tasks"][task]}, "serving": {"signatures": []}}
    config = tiny.make_config(changes)
    transformed = tiny.write_transformed(tmp_path / "transformed", config)
    model = MultiTaskModel(config, tiny.sizes())
    tfmtl.save_model(model, tmp_path / "model", transformed)
    assert set(example_requests(model, tmp_path / "model", 1)) == kept


def test_every_signature_can_be_named() -> None:
    every = list(_SIGNATURES)
    assert tiny.make_config({"serving": {"signatures": every}}).serving.signatures == every
    assert signatures.DEFAULT not in every
