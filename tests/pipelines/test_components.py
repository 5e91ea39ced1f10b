"""Components: what a signature may say, and what is said of one that says something else."""

from pathlib import Path

import pytest
from fake_pipeline import make_config

from pipelines.artifacts import Artifact, Examples, Model, Output, Statistics
from pipelines.components.base import Context, PipelineError, Summary, component
from pipelines.pipeline import components


def context_of(directory: Path) -> Context:
    return Context(make_config(), directory, directory, directory, lambda *reported: None)


@component(reads=lambda config: config.seed)
def Trainer(
    context: Context, examples: Examples, statistics: Statistics, model: Output[Model]
) -> Summary:
    (model.path / "seen").write_text(f"{examples.path} {statistics.path}")
    return {"rows": 3}


def test_the_signature_is_the_spec():
    assert Trainer.name == "Trainer"
    assert Trainer.consumes == ("examples", "statistics")
    assert Trainer.produces == "model"
    assert Trainer.reads(make_config(seed=7)) == 7


def test_it_is_called_with_artifacts_of_a_directory(tmp_path):
    assert Trainer.execute(context_of(tmp_path), Path("/a"), tmp_path) == {"rows": 3}
    assert (tmp_path / "seen").read_text() == "/a/examples /a/statistics"


def test_it_may_be_called_as_it_is_written(tmp_path):
    found = Trainer(
        context_of(tmp_path), Examples(Path("x")), Statistics(Path("y")), Output(tmp_path)
    )
    assert found == {"rows": 3}


def test_without_reads_everything_counts_but_the_list_of_components():
    @component()
    def Own(context: Context, model: Output[Model]) -> Summary:
        return {}

    assert Own.reads(make_config(seed=1)) != Own.reads(make_config(seed=2))
    named = make_config(pipeline={"components": ["/elsewhere/own.py"]})
    assert Own.reads(named) == Own.reads(make_config())


def no_context(model: Output[Model]) -> Summary:
    return {}


def nothing() -> Summary:
    return {}


def no_output(context: Context, examples: Examples) -> Summary:
    return {}


def two_outputs(context: Context, model: Output[Model], other: Output[Examples]) -> Summary:
    return {}


def untyped(context: Context, examples, model: Output[Model]) -> Summary:
    return {}


def a_path(context: Context, examples: Path, model: Output[Model]) -> Summary:
    return {}


def an_output_of_a_path(context: Context, model: Output[Path]) -> Summary:
    return {}


def no_class_of_its_own(context: Context, model: Output[Artifact]) -> Summary:
    return {}


def a_default(
    context: Context,
    model: Output[Model],
    examples: Examples = Examples(Path()),  # noqa: B008
) -> Summary:
    return {}


def many(context: Context, model: Output[Model], *examples: Examples) -> Summary:
    return {}


def twice(context: Context, one: Examples, two: Examples, model: Output[Model]) -> Summary:
    return {}


def itself(context: Context, before: Model, model: Output[Model]) -> Summary:
    return {}


def unknown(context: Context, model: "Output[Modle]") -> Summary:  # noqa: F821
    return {}


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (no_context, "component no_context: its first parameter should be annotated as Context"),
        (nothing, "component nothing: its first parameter should be annotated as Context"),
        (
            no_output,
            "component no_output: expected one parameter annotated as Output[...], got 0",
        ),
        (
            two_outputs,
            "component two_outputs: expected one parameter annotated as Output[...], got 2",
        ),
        (
            untyped,
            "component untyped, parameter examples: expected an artifact class, or Output[...] "
            "of one, got no annotation",
        ),
        (
            a_path,
            "component a_path, parameter examples: expected an artifact class, or Output[...] "
            "of one, got Path",
        ),
        (
            an_output_of_a_path,
            "component an_output_of_a_path, parameter model: expected an artifact class, or "
            "Output[...] of one, got pipelines.artifacts.Output[pathlib.Path]",
        ),
        (
            no_class_of_its_own,
            "component no_class_of_its_own, parameter model: expected an artifact class, or "
            "Output[...] of one, got pipelines.artifacts.Output[pipelines.artifacts.Artifact]",
        ),
        (
            a_default,
            "component a_default, parameter examples: expected a plain parameter without a default",
        ),
        (
            many,
            "component many, parameter examples: expected a plain parameter without a default",
        ),
        (twice, "component twice, parameter two: another parameter is 'examples' already"),
        (itself, "component itself, parameter model: another parameter is 'model' already"),
        (unknown, "component unknown: name 'Modle' is not defined in its signature; import it"),
    ],
)
def test_a_wrong_signature_is_told_when_it_is_defined(function, line):
    with pytest.raises(TypeError) as caught:
        component()(function)
    assert str(caught.value) == line


@pytest.mark.parametrize("name", [None, "", "Model", "a/b", ".hidden", 3])
def test_an_artifact_has_a_name_that_a_directory_can_have(name):
    with pytest.raises(TypeError, match="artifact class Made: expected a `name` of lower case"):
        type("Made", (Artifact,), {} if name is None else {"name": name})


def test_a_component_that_returns_no_summary_is_told_so(tmp_path):
    @component()
    def Forgetful(context: Context, model: Output[Model]) -> Summary:
        return None  # type: ignore[return-value]

    with pytest.raises(PipelineError, match=r"expected a Summary, .* got NoneType"):
        Forgetful.execute(context_of(tmp_path), tmp_path, tmp_path)


def test_the_pipeline_is_wired_so_that_every_artifact_is_made_before_it_is_read():
    made: set[str] = set()
    steps = components(make_config())
    for step in steps:
        assert made.issuperset(step.consumes)
        assert step.produces not in made
        made.add(step.produces)
    assert [step.name for step in steps] == [
        "ExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "Transform",
        "Trainer",
        "Evaluator",
        "InfraValidator",
        "Pusher",
    ]
