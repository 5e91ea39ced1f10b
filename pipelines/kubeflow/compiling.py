"""The pipeline as a Kubeflow pipeline: a YAML file for the Kubeflow Pipelines backend, version 2.

Every component is a container step with the command `tfmtl step COMPONENT`. The run's directory and
the raw files lie on a volume that all steps mount, so that what is cached, recorded and pushed is
what `tfmtl run` would have left there. One directory has one writer: the steps run one after the
other, in the pipeline's order.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.components.base import Component, PipelineError
from tfmtl.config import Config

COMMAND = ("tfmtl", "step")


def compile_pipeline(
    config: Config,
    steps: Sequence[Component],
    path: Path,
    image: str,
    volume: str,
    mount: str,
    data: str,
    output: str,
) -> None:
    """Writes the Kubeflow pipeline.

    Args:
        config: the whole configuration; it goes into the file, as the default of a parameter.
        steps: the components.
        path: YAML file to write.
        image: container image that holds tfmtl.
        volume: name of the persistent volume claim.
        mount: where the steps find the volume.
        data: directory of the raw files, as the steps find it.
        output: the run's directory, as the steps find it.

    Raises:
        PipelineError: kfp is not installed.
    """
    kfp = _kfp()
    made = {step.name: _container(kfp.dsl, step, image) for step in steps}
    makers = {step.produces: step.name for step in steps}
    # In one line: kfp repeats the defaults of parameters in a comment at the top of the file.
    text = json.dumps(config.model_dump(mode="json"), ensure_ascii=False)

    def pipeline(config: str = text, data: str = data, output: str = output) -> None:
        tasks: dict[str, Any] = {}
        for step in steps:
            task = made[step.name](config=config, data=data, output=output)
            before = [makers[name] for name in step.consumes] + list(tasks)[-1:]
            task.after(*(tasks[name] for name in dict.fromkeys(before)))
            task.set_display_name(step.name)
            # Kubeflow looks at the command alone, the step itself at data, code and configuration.
            task.set_caching_options(False)
            kfp.kubernetes.mount_pvc(task, pvc_name=volume, mount_path=mount)
            tasks[step.name] = task

    named = kfp.dsl.pipeline(
        name=_dashed(config.name), description=f"tfmtl: the pipeline of {config.name}"
    )(pipeline)
    kfp.compiler.Compiler().compile(named, str(path))


def _kfp() -> Any:
    try:
        import kfp
        import kfp.compiler
        import kfp.kubernetes
    except ImportError as error:
        raise PipelineError(
            f"compile: expected the Kubeflow Pipelines SDK: {error}; pip install 'tfmtl[kubeflow]'"
        ) from None
    return kfp


def _container(dsl: Any, step: Component, image: str) -> Callable[..., Any]:
    """A container component of one step."""

    def component(config: str, data: str, output: str) -> Any:
        arguments = ["--config-text", config, "--data", data, "--output", output]
        return dsl.ContainerSpec(image=image, command=[*COMMAND, step.name], args=arguments)

    component.__name__ = _dashed(step.name).replace("-", "_")
    # kfp wants to see its own class here, which is imported when this is called.
    component.__annotations__["return"] = dsl.ContainerSpec
    made: Callable[..., Any] = dsl.container_component(component)
    return made


def _dashed(name: str) -> str:
    """`ExampleGen` or `my_shop` in the form that Kubeflow wants: `example-gen`, `my-shop`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", parted.lower()).strip("-") or "pipeline"
