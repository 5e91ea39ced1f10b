"""Multi-task, multi-scenario recommenders in Keras 3. Public names load when first used."""

from importlib import import_module
from typing import Any

_HOME = {
    "Config": "tfmtl.config",
    "ConfigError": "tfmtl.config",
    "load_config": "tfmtl.models.saved",
    "load_model": "tfmtl.models.saved",
    "load_preprocessor": "tfmtl.models.saved",
    "save_model": "tfmtl.models.saved",
    "adapt": "tfmtl.models.adapters",
    "merge": "tfmtl.models.adapters",
    "extended": "tfmtl.training.extending",
    "set_rates": "tfmtl.models.parts",
    "MultiTaskModel": "tfmtl.models.multi_task",
    "SparseAdagrad": "tfmtl.optimizers",
    "SplitOptimizer": "tfmtl.optimizers",
    "build_optimizer": "tfmtl.optimizers",
    "read_examples": "tfmtl.training.examples",
    "train": "tfmtl.training.trainer",
}

__version__ = "0.1.0"
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "config":
        return import_module("tfmtl.config")
    if name not in _HOME:
        raise AttributeError(f"module 'tfmtl' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
