"""The pipeline on Kubeflow Pipelines: every component a container that runs `tfmtl step`."""
