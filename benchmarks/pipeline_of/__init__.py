"""Parts of the pipeline's benchmark: each has `measured(work, quick)`."""
