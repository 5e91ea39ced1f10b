"""Where Beam runs the data components: on this machine in one process, or as its options say.

    with beam_options("--direct_running_mode=multi_processing --direct_num_workers=2"):
        run(components(config), config, data, output)

The options decide where and how fast, never what comes out: artifacts are the same bytes. They are
therefore no part of the configuration, nor of what decides whether a step is cached.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOCAL = ("--runner=FnApiRunner", "--direct_running_mode=in_memory")
"""The runner is always named: Beam's own default may download another one."""

_UNSUPPORTED = {
    "DirectRunner": "it may choose the Prism runner and download it; use FnApiRunner",
    "SwitchingDirectRunner": "it may choose the Prism runner and download it; use FnApiRunner",
    "BundleBasedDirectRunner": "it keeps all rows in memory; use FnApiRunner",
    "DaskRunner": "of a pipeline's outputs it writes the last alone and says that all is done",
    "InteractiveRunner": "it is for notebooks; use FnApiRunner",
}

_OPTIONS: ContextVar[tuple[str, ...]] = ContextVar("beam options", default=())


@contextmanager
def beam_options(line: str) -> Iterator[None]:
    """Has pipelines started inside run with further options of Beam.

    Args:
        line: options as on a command line, quoted as in a shell; empty for none.

    Raises:
        ValueError: the line is none of options, or names a runner that is not supported.
    """
    token = _OPTIONS.set(parsed(line))
    try:
        yield
    finally:
        _OPTIONS.reset(token)


def current_options() -> list[str]:
    """Options of a pipeline that starts now; of two alike the later one counts."""
    return [*LOCAL, *_OPTIONS.get()]


def parsed(line: str) -> tuple[str, ...]:
    """Takes a line of options apart; see `beam_options`."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"{error}, in {line!r}") from None
    if words and not words[0].startswith("--"):
        raise ValueError(
            f"an option begins with --, got {words[0]!r}; e.g. "
            "'--runner=FlinkRunner --flink_master=host:8081'"
        )
    for place, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--runner":
            runner = value or next(iter(words[place + 1 :]), "")
            reason = _UNSUPPORTED.get(runner.rpartition(".")[2])
            if reason:
                raise ValueError(f"{runner} is not supported: {reason}")
    return words
