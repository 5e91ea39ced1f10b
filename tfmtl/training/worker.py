"""One worker of a training on several.

    export TF_CONFIG='{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker",
        "index": 0}}'
    python -m tfmtl.training.worker --config shop.yaml --transformed DIR --output DIR

Every machine reads the same examples and the same configuration, with an index of its own. The
worker of index 0 reports on stdout, in lines of JSON, and writes the model; `--work` must lie
where all workers can read it.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains as one of the workers that TF_CONFIG names.

    Args:
        arguments: the words after the program's name; those of the process if not given.

    Returns:
        The exit code: 0, or 1 where training could not go on, with the reason on stdout.
    """
    options = _parser().parse_args(arguments)
    if options.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    from tfmtl.config import ConfigError, load
    from tfmtl.training.errors import TrainingError

    try:
        return _train(options, load(options.config))
    except (ConfigError, TrainingError) as error:
        kind = "config" if isinstance(error, ConfigError) else "training"
        _tell({"error": str(error), "kind": kind})
        return FAILED


def _train(options: argparse.Namespace, config: Any) -> int:
    from tfmtl.training.artifact import make_model

    chief = _index() == 0

    def on_batch(done: int, total: int, note: str) -> None:
        if chief:
            _tell({"done": done, "total": total, "note": note})

    outcome = make_model(
        config,
        options.transformed,
        options.output if chief else None,
        on_batch,
        work=options.work,
        logs=options.logs,
        base=options.base,
    )
    if chief:
        _tell({"summary": outcome.summary, "anew": outcome.anew})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tfmtl.training.worker", description=__doc__)
    parser.add_argument("--config", required=True, help="the configuration, a YAML file")
    parser.add_argument("--transformed", type=Path, required=True, help="Transform's artifact")
    parser.add_argument("--output", type=Path, required=True, help="where the model goes")
    parser.add_argument("--work", type=Path, help="directory of the checkpoint")
    parser.add_argument("--logs", type=Path, help="directory of TensorBoard's files")
    parser.add_argument("--base", type=Path, help="a trained model to go on from")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when stdin is closed")
    return parser


def _index() -> int:
    return int(json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0))


def _tell(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


def _end_with_stdin() -> None:
    """Ends the process when the one that started it is no more, however that came about."""
    while os.read(sys.stdin.fileno(), 1024):  # a buffered read would be in the way of a normal end
        pass
    os._exit(FAILED)


if __name__ == "__main__":
    sys.exit(main())
