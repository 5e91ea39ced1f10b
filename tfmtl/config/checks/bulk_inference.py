"""What can be asked of the configured tasks in bulk."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_bulk_inference(config: "Config") -> None:
    spec = config.bulk_inference
    if spec is None:
        return
    if "scores" in spec.outputs and not config.ranking_tasks:
        raise ValueError("bulk_inference.outputs: scores are of ranking tasks, of which is none")
    towers = next((name for name in spec.outputs if name != "scores"), None)
    if towers and config.retrieval_task is None:
        raise ValueError(
            f"bulk_inference.outputs: {towers} need a task of kind retrieval; add one to tasks"
        )
    if spec.data is None and "scores" in spec.outputs:
        raise ValueError(
            "bulk_inference.outputs: scores are of rows with items; give bulk_inference.data"
        )
    taken = {config.source.log.user, config.source.log.item, *config.tasks, "vector", "items"}
    for name in spec.keep:
        if name in taken | {"scores"}:
            raise ValueError(
                f"bulk_inference.keep: '{name}' is a column of the answers already; leave it out"
            )
    of_users = {"user_vectors", "top_k"} & set(spec.outputs)
    log = config.source.log
    if spec.data is None and of_users and (log.user is None or log.time is None):
        raise ValueError(
            "bulk_inference.data: the log tells of no users and their times, whose rows it could "
            "stand for; give the rows"
        )
