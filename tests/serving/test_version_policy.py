"""Which versions are served, and the steps on the way there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.config import file_system_storage_path_source_pb2

from serving.server.version_policy import chosen, next_step

Policy = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [9]),
        ({"latest": {}}, [9]),
        ({"latest": {"num_versions": 2}}, [9, 7]),
        ({"latest": {"num_versions": 99}}, [9, 7, 3]),
        ({"all": {}}, [9, 7, 3]),
        ({"specific": {"versions": [3, 9, 4, 3]}}, [9, 3]),
        ({"specific": {}}, []),
    ],
)
def test_what_a_policy_chooses(policy, expected):
    """AspireLatestVersions, AspireAllVersions and AspireSpecificVersions of
    tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc."""
    assert chosen(Policy(**policy), [7, 3, 9]) == expected
    assert chosen(Policy(**policy), []) == []


@pytest.mark.parametrize(
    ("wanted", "available", "loadable", "step"),
    [
        # The new version is loaded before the old one goes.
        ([2], [1], [2], ("load", 2)),
        ([2], [1, 2], [], ("unload", 1)),
        ([2], [2], [], None),
        # The highest first; as soon as it serves, the old one makes room for the next.
        ([2, 3], [1], [2, 3], ("load", 3)),
        ([2, 3], [1, 3], [2], ("unload", 1)),
        ([2, 3], [3], [2], ("load", 2)),
        # Of two old ones, one is enough until the new one serves.
        ([3], [1, 2], [3], ("unload", 1)),
        ([3], [2], [3], ("load", 3)),
        # A version that cannot be loaded leaves the old one in its place.
        ([3], [2], [], None),
        ([], [1, 2], [], ("unload", 1)),
        ([], [2], [], ("unload", 2)),
        ([], [], [], None),
    ],
)
def test_steps(wanted, available, loadable, step):
    """GetNextAction of tensorflow_serving/core/availability_preserving_policy.cc."""
    taken = next_step(wanted, available, loadable)
    assert (None if taken is None else (taken.kind.value, taken.number)) == step


numbers = st.sets(st.integers(0, 6))


@given(wanted=numbers, available=numbers, broken=numbers)
def test_every_way_there_keeps_a_version(wanted, available, broken):
    served, most = set(available), len(available | wanted)
    while True:
        assert len(served) <= max(len(available), len(wanted) + 1) <= most + 1
        step = next_step(wanted, served, wanted - served - broken)
        if step is None:
            break
        before = bool(served)
        if step.kind.value == "load":
            served.add(step.number)
        else:
            served.remove(step.number)
        assert served or not before or not wanted
    if wanted - broken or wanted & available or not wanted:
        assert served == wanted - (broken - available)
    else:
        assert len(served) == min(len(available), 1)
