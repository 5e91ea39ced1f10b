"""Version directories that are partial, damaged or vanish, and the retries of those that fail."""

import shutil
import threading
import time
from collections.abc import Callable

import pytest

import serving

QUICK = serving.ServerOptions(file_system_poll_wait_seconds=0.1)
SLOW = 200_000


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def base(tmp_path, shop_one):
    shutil.copytree(shop_one, tmp_path / "shop" / "1")
    return tmp_path / "shop"


@pytest.fixture
def client(base):
    with (
        serving.EmbeddedServer({"shop": base}, QUICK) as server,
        serving.Client(server.address, model="shop", timeout=20) as client,
    ):
        yield client


def states(client) -> dict[int, str]:
    return {entry.version: entry.state for entry in client.status()}


def weight(client, steps: int = 1) -> float:
    return float(client.predict("slow", {"steps": steps})["weight"])


def halve(file) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda version: shutil.rmtree(version) or version.mkdir(),
        lambda version: (version / "saved_model.pb").unlink(),
        lambda version: (version / "saved_model.pb").write_bytes(b""),
        lambda version: (version / "saved_model.pb").write_bytes(bytes(range(256)) * 40),
        lambda version: halve(version / "saved_model.pb"),
        lambda version: shutil.rmtree(version / "variables"),
        lambda version: (version / "variables" / "variables.index").write_bytes(b"x" * 100),
        lambda version: halve(next((version / "variables").glob("*.data-*"))),
        lambda version: shutil.rmtree(version / "assets"),
    ],
    ids=[
        "nothing",
        "no graph",
        "an empty graph",
        "noise",
        "half the graph",
        "no variables",
        "another index",
        "half the data",
        "no assets",
    ],
)
def test_damaged_versions_end_with_an_error(client, base, shop_two, damage):
    copy = shutil.copytree(shop_two, base.with_name("copy"))
    damage(copy)
    copy.rename(base / "2")
    wait_until(lambda: states(client) == {2: "END", 1: "AVAILABLE"})
    error = client.status()[0].error
    assert error
    assert str(base.parent) not in error
    assert weight(client) == 1.0


def test_a_version_that_vanishes_while_it_serves(client, base):
    """What is loaded needs its files no longer: the request that runs ends well."""
    held = []
    asker = threading.Thread(target=lambda: held.append(weight(client, SLOW)))
    asker.start()
    time.sleep(0.1)
    shutil.rmtree(base / "1")
    wait_until(lambda: states(client)[1] in ("UNLOADING", "END"))
    with pytest.raises(serving.ServingError, match=r"^NOT_FOUND"):
        weight(client)
    asker.join()
    assert held == [1.0]
    wait_until(lambda: states(client) == {1: "END"})


def test_versions_that_come_and_go_at_once(client, base, shop_two):
    for number in range(2, 10):
        shutil.copytree(shop_two, base / str(number))
        time.sleep(0.03 * (number % 4))
        shutil.rmtree(base / str(number))
        assert weight(client) in (1.0, 2.0)
    wait_until(lambda: {n for n, state in states(client).items() if state != "END"} == {1})
    assert states(client)[1] == "AVAILABLE"
    assert weight(client) == 1.0


def loads_of(caplog, number: int) -> int:
    return sum(f"version {number} failed to load" in record.message for record in caplog.records)


def test_retries_end_until_the_version_comes_anew(base, shop_two, caplog):
    options = serving.ServerOptions(
        file_system_poll_wait_seconds=0.05,
        load_retry_interval_micros=100_000,
        max_num_load_retries=2,
    )
    with (
        serving.EmbeddedServer({"shop": base}, options) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        (base / "2").mkdir()
        wait_until(lambda: loads_of(caplog, 2) == 3)
        time.sleep(0.5)
        assert loads_of(caplog, 2) == 3
        shutil.copytree(shop_two, base / "2", dirs_exist_ok=True)
        time.sleep(0.3)
        assert states(client) == {2: "END", 1: "AVAILABLE"}
        # Gone and back, it is another version of the same number.
        (base / "2").rename(base / "away")
        time.sleep(0.3)
        (base / "away").rename(base / "2")
        wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})
