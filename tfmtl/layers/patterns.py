"""Parts of a network, chosen by patterns of their names."""

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from tfmtl.config import ConfigError

_SHOWN = 24


def matches(name: str, pattern: str) -> bool:
    """Whether a run of a name's parts is what a pattern says, part by part.

    Args:
        name: parts with `/` between them.
        pattern: as many or fewer; in a part, `*` stands for any text and `?` for a character.

    Example:
        >>> matches("towers/click/hidden/dense_0", "towers/click")
        True
        >>> matches("encoders/texts/block_1/query", "block_*/query")
        True
        >>> matches("trunk/expert_10/dense_0", "expert_1")
        False
    """
    parts, wanted = name.split("/"), pattern.strip("/").split("/")
    return any(
        all(fnmatchcase(part, one) for part, one in zip(parts[start:], wanted, strict=False))
        for start in range(len(parts) - len(wanted) + 1)
    )


def chosen(names: Collection[str], patterns: Iterable[str], key: str) -> list[str]:
    """The names that match one of the patterns, in their order.

    Args:
        names: all there are.
        patterns: as `matches` reads them.
        key: where the patterns were given, for the error.

    Raises:
        ConfigError: nothing matches one of the patterns; it says what there is.
    """
    patterns = list(patterns)
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            raise ConfigError(
                f"{key}: nothing is called '{pattern}'; choose among {_listed(list(names))}"
            )
    return [name for name in names if any(matches(name, pattern) for pattern in patterns)]


def _listed(names: Sequence[str]) -> str:
    """The names, as deep as fits in a line."""
    for depth in (4, 3, 2, 1):
        found = list(dict.fromkeys("/".join(name.split("/")[:depth]) for name in names))
        if len(found) <= _SHOWN:
            break
    return ", ".join(found[:_SHOWN]) or "nothing"
