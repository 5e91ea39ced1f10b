"""What the pipeline does beside what the library brings."""

from pathlib import Path

from tfmtl.config.base import Spec


class Pipeline(Spec):
    """Steps of one's own.

    Example:
        `{components: [my_components.py]}`
    """

    components: list[str] = []
    """Python files with components: functions with `@component`, each of which runs as soon as
    what it reads is there. A path is relative to the configuration's file."""

    def located(self, directory: Path) -> "Pipeline":
        """The same with paths that do not depend on a directory."""
        files = [str((directory / file).resolve()) for file in self.components]
        return self.model_copy(update={"components": files})
