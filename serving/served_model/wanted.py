"""Which of the possible signatures a model is served with."""

from serving import signatures
from tfmtl.config import Config


def default_signature(config: Config) -> str:
    """The signature that a request means which names none."""
    return signatures.RANK_ROWS if config.ranking_tasks else signatures.RETRIEVE


def is_wanted(name: str, config: Config) -> bool:
    """Whether `serving.signatures` has a signature, or it is the one there always is."""
    wanted = config.serving.signatures
    return wanted is None or name in wanted or name == default_signature(config)
