"""A server that reads its models from a file, and follows the labels that are given in it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import serving
from serving.pushing.promotion import promote, remove_label
from serving.pushing.versions import push

SHOP = """
config {{
  name: "{name}"
  base_path: "{base}"
  model_platform: "tensorflow"
  model_version_policy {{ specific {{ {versions} }} }}
  {labels}
}}
"""


def entry(base: Path, *versions: int, name: str = "shop", **labels: int) -> str:
    return SHOP.format(
        name=name,
        base=base,
        versions=" ".join(f"versions: {number}" for number in versions),
        labels=" ".join(
            f'version_labels {{ key: "{label}" value: {number} }}'
            for label, number in labels.items()
        ),
    )


def write(file: Path, *entries: str) -> None:
    new = file.with_suffix(".new")
    new.write_text("model_config_list {" + "".join(entries) + "}")
    new.rename(file)


def options(file: Path, **more) -> serving.ServerOptions:
    return serving.ServerOptions(
        model_config_file=file,
        model_config_file_poll_wait_seconds=0.1,
        file_system_poll_wait_seconds=0.1,
        **more,
    )


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def states(client) -> dict[int, str]:
    try:
        return {entry.version: entry.state for entry in client.status()}
    except serving.ServingError as error:
        if error.code != "NOT_FOUND":
            raise
        return {}


def weight(client, **which) -> float | None:
    try:
        return float(client.predict("slow", {"steps": 1}, **which)["weight"])
    except serving.ServingError as error:
        if "version label" not in error.message:
            raise
        return None


@pytest.fixture
def base(tmp_path, shop_one, shop_two):
    """Versions 1 and 2 with weights 1 and 2."""
    for source in (shop_one, shop_two):
        push(source, tmp_path / "serving" / "shop")
    return tmp_path / "serving" / "shop"


def test_the_file_is_read_again(base, tmp_path):
    file = tmp_path / "models.config"
    write(file, entry(base, 1))
    with (
        serving.EmbeddedServer({}, options(file)) as server,
        serving.Client(server.address, model="shop") as shop,
        serving.Client(server.address, model="copy") as copy,
    ):
        assert states(shop) == {1: "AVAILABLE"}
        write(file, entry(base, 1, 2))
        wait_until(lambda: states(shop) == {2: "AVAILABLE", 1: "AVAILABLE"})
        write(file, entry(base, 1, 2, old=1), entry(base, 1, name="copy"))
        wait_until(lambda: states(copy) == {1: "AVAILABLE"})
        assert weight(shop, label="old") == 1.0
        # What cannot be read or is refused leaves everything as it was.
        for text in ("model_config_list {", "", 'model_config_list { config { name: "x" } }'):
            file.write_text(text)
            time.sleep(0.25)
            assert weight(shop, label="old") == 1.0
        file.unlink()
        time.sleep(0.25)
        assert states(shop) == {2: "AVAILABLE", 1: "AVAILABLE"}
        write(file, entry(base, 1, name="copy"))
        wait_until(lambda: states(shop) == {2: "END", 1: "END"})
        assert states(copy) == {1: "AVAILABLE"}


def test_labels_that_are_promoted(base, shop_one):
    """What `tfmtl promote` writes is what the server follows, with new labels allowed."""
    file = base.parent / "models.config"
    promote(base, 1, "stable")
    allowed = options(file, allow_version_labels_for_unavailable_models=True)
    with (
        serving.EmbeddedServer({}, allowed) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        assert states(client) == {2: "AVAILABLE", 1: "AVAILABLE"}
        assert weight(client, label="stable") == 1.0
        promote(base, 2, "canary")
        wait_until(lambda: weight(client, label="canary") == 2.0)
        promote(base, 2, "stable")
        wait_until(lambda: weight(client, label="stable") == 2.0)
        wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})
        # Version 1 is not served: the label moves back in two steps, by way of a new one.
        promote(base, 1, "stable")
        time.sleep(0.3)
        assert weight(client, label="stable") == 2.0
        promote(base, 2, "stable")
        promote(base, 1, "former")
        wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "AVAILABLE"})
        promote(base, 1, "stable")
        wait_until(lambda: weight(client, label="stable") == 1.0)
        push(shop_one, base)
        wait_until(lambda: states(client).get(3) == "AVAILABLE")
        remove_label(base, "canary")
        wait_until(lambda: weight(client, label="canary") is None)
        assert weight(client, label="stable") == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"^NOT_FOUND: models.config: No such file or directory"),
        ("config {", r"^INVALID_ARGUMENT: Invalid protobuf file: 'models.config'"),
        (
            'model_config_list { config { name: "a" base_path: "here" } }',
            r"^INVALID_ARGUMENT: Expected model a to have an absolute path or URI; got "
            r"base_path\(\)=here",
        ),
        ("custom_model_config {}", r"^INVALID_ARGUMENT: ServerModelConfig type not supported"),
        (
            'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" '
            'version_labels { key: "stable" value: 1 } } }',
            r"^FAILED_PRECONDITION: Request to assign label to version 1 of model a, which is not "
            r"currently available for inference",
        ),
        (
            'model_config_list { config { name: "a" base_path: "/no" '
            'model_platform: "tensorflow" } }',
            r"^NOT_FOUND: model `a` has no version",
        ),
    ],
)
def test_a_file_that_cannot_be_served(tmp_path, text, message):
    file = tmp_path / "models.config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(serving.ServingError, match=message) as caught:
        serving.EmbeddedServer({}, options(file)).start()
    assert str(tmp_path) not in str(caught.value)


def test_an_empty_file_serves_nothing_yet(base, tmp_path):
    file = tmp_path / "models.config"
    file.write_text("")
    with (
        serving.EmbeddedServer({}, options(file)) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        assert states(client) == {}
        write(file, entry(base, 2))
        wait_until(lambda: states(client) == {2: "AVAILABLE"})


def test_a_base_path_that_is_a_link(base, shop_one, tmp_path):
    """Links are followed at every look, as where a deployment swaps them."""
    shutil.copytree(shop_one, tmp_path / "other" / "9")
    link = tmp_path / "current"
    link.symlink_to(base)
    served = serving.ServerOptions(file_system_poll_wait_seconds=0.1)
    with (
        serving.EmbeddedServer({"shop": link}, served) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        assert states(client) == {2: "AVAILABLE"}
        (tmp_path / "next").symlink_to(tmp_path / "other")
        (tmp_path / "next").rename(link)
        wait_until(lambda: states(client) == {9: "AVAILABLE", 2: "END"})
