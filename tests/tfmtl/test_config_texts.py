"""What a text feature may say, and what is said of mistakes."""

import pytest
import tiny

from tfmtl.config import CharacterTokens, ConfigError, TextFeature, WordTokens, dump, parse


def text(**changes: object) -> dict[str, object]:
    return {"name": "query", "kind": "text", **changes}


def made(**changes: object) -> TextFeature:
    (feature,) = tiny.make_config({"features.query": [text(**changes)]}).features.query
    return feature


def test_a_name_stands_for_tokens_with_their_defaults() -> None:
    assert made().tokens == made(tokens="words").tokens == WordTokens(ngrams=(1, 1))
    assert made(tokens="characters").tokens == CharacterTokens(ngrams=(2, 4))
    assert made(tokens={"kind": "words", "ngrams": [1, 3]}).tokens.ngrams == (1, 3)


def test_tokens_are_written_as_they_were_read() -> None:
    config = tiny.make_config(
        {"features.query": [text(tokens={"kind": "characters", "ngrams": [3, 5]})]}
    )
    assert parse(config.model_dump(mode="json", exclude_none=True)) == config
    assert "ngrams:" in dump(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": "letters"}, "tokens.*'letters'.*'words', 'characters'"),
        ({"tokens": {"ngrams": [1, 2]}}, "tokens.*kind"),
        ({"tokens": {"kind": "words", "ngrams": [2, 1]}}, r"ngrams.*\[2, 1\].*other way round"),
        ({"tokens": {"kind": "words", "ngrams": [0, 1]}}, "ngrams.*greater than or equal to 1"),
        ({"tokens": {"kind": "characters", "ngrams": [3, 9]}}, "ngrams.*less than or equal to 8"),
        ({"tokens": {"kind": "characters", "ngrams": 3}}, "ngrams.*tuple"),
        ({"max_bytes": 0}, "max_bytes.*greater than or equal to 1"),
        ({"max_bytes": 2_000_000}, "max_bytes.*less than or equal to 1048576"),
        ({"hash_buckets": 0}, "hash_buckets.*greater than or equal to 1"),
        (
            {"table": "words", "hash_buckets": 9},
            "table 'words' has hash_buckets None elsewhere, got 9; features that share a table",
        ),
        ({"table": "words", "oov_buckets": 2}, "has oov_buckets 1 elsewhere, got 2"),
    ],
)
def test_mistakes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        made(**{"dim": 3, **changes})
    assert "\n" not in str(raised.value)
