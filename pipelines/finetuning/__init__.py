"""Fine-tuning as a pipeline, going on from a pushed model."""
