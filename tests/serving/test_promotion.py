"""Labels on versions, in the file that stock TF Serving reads."""

import os
import subprocess
import sys

import pytest

from serving.pushing.model_config import version_labels
from serving.pushing.promotion import describe, promote, remove_label, served_versions
from serving.pushing.rollback import roll_back
from serving.pushing.versions import push

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "saved_model.pb").write_bytes(b"graph")
    return tmp_path / "source"


@pytest.fixture
def base(source, tmp_path):
    """Versions 1 to 4 of `shop`, beside one version of `ads`."""
    push(source, tmp_path / "serving" / "ads")
    for _ in range(4):
        push(source, tmp_path / "serving" / "shop")
    return tmp_path / "serving" / "shop"


def parsed(base):
    """The file as TF Serving's own message reads it: the entries by name."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = (base.parent / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    assert config.WhichOneof("config") == "model_config_list"
    return {entry.name: entry for entry in config.model_config_list.config}


def test_tf_serving_reads_the_labels(base):
    assert promote(base, 2, "stable") is None
    assert promote(base, 3, "canary") is None
    entries = parsed(base)
    assert list(entries) == ["ads", "shop"]
    shop = entries["shop"]
    assert shop.base_path == str(base)
    assert shop.model_platform == "tensorflow"
    assert dict(shop.version_labels) == {"stable": 2, "canary": 3}
    assert shop.model_version_policy.WhichOneof("policy_choice") == "specific"
    assert list(shop.model_version_policy.specific.versions) == [2, 3, 4]
    assert entries["ads"].model_version_policy.WhichOneof("policy_choice") is None
    assert entries["ads"].base_path == str(base.parent / "ads")


def test_a_label_moves_and_goes(base):
    promote(base, 2, "stable")
    assert promote(base, 3, "stable") == 2
    assert served_versions(base) == {3, 4}
    assert version_labels(base) == {"stable": 3}
    assert remove_label(base, "stable") == 3
    assert version_labels(base) == {}
    shop = parsed(base)["shop"]
    assert not shop.version_labels
    assert shop.model_version_policy.WhichOneof("policy_choice") is None
    with pytest.raises(ValueError, match="there is no label 'stable'; there is none"):
        remove_label(base, "stable")


def test_what_is_pushed_next_is_served_too(base, source):
    promote(base, 2, "stable")
    push(source, base)
    assert list(parsed(base)["shop"].model_version_policy.specific.versions) == [2, 5]
    roll_back(base, to=3)
    assert list(parsed(base)["shop"].model_version_policy.specific.versions) == [2, 6]
    push(source, base.parent / "search")
    assert list(parsed(base)) == ["ads", "search", "shop"]


def test_the_path_inside_a_container_stays(base, source):
    promote(base, 2, "stable", base="/models/")
    promote(base, 3, "canary")
    push(source, base)
    entries = parsed(base)
    assert entries["shop"].base_path == "/models/shop"
    assert entries["ads"].base_path == "/models/ads"


def test_without_labels_there_is_no_file(base):
    assert version_labels(base) == {}
    assert served_versions(base) == set()
    assert not (base.parent / "models.config").exists()


def test_the_list_of_versions(base):
    promote(base, 2, "stable")
    promote(base, 2, "canary")
    (base / "3" / "assets.extra" / "manifest.json").write_text("{")
    described = describe(base)
    assert [one.version for one in described] == [4, 3, 2, 1]
    assert described[2].labels == ["canary", "stable"]
    assert described[0].manifest["version"] == 4
    assert described[1].manifest == {}
    assert "the file is damaged" in described[1].damaged


def test_bad_requests(base):
    with pytest.raises(ValueError, match="there is no version 9; there is 1, 2, 3, 4"):
        promote(base, 9, "stable")
    with pytest.raises(ValueError, match="there is no version 1; there is none"):
        promote(base.parent / "nobody", 1, "stable")
    for label in ("", "7", "two words", 'quo"te', "x" * 64, "é"):
        with pytest.raises(ValueError, match="expected a letter, then up to 62"):
            promote(base, 1, label)
    (base / "1" / "assets.extra" / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match="the file is damaged"):
        promote(base, 1, "stable")
    assert not (base.parent / "models.config").exists()


def test_what_a_person_wrote_into_the_file_is_not_lost(base):
    text = 'model_config_list { config { name: "shop" logging_config { } } }'
    (base.parent / "models.config").write_text(text)
    with pytest.raises(ValueError, match=r"got .*logging_config"):
        promote(base, 1, "stable")
    assert (base.parent / "models.config").read_text() == text


def test_nobody_needs_tensorflow_for_it(base):
    program = (
        "import sys; from pathlib import Path\n"
        "from serving.pushing.promotion import describe, promote\n"
        "from serving.pushing.rollback import roll_back\n"
        "base = Path(sys.argv[1])\n"
        "promote(base, 1, 'stable'), describe(base), roll_back(base)\n"
        "assert not {'tensorflow', 'grpc', 'tensorflow_serving'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", program, str(base)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0
