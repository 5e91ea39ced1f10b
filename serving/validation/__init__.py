"""Whether stock TF Serving would load and run a SavedModel, decided without its binary."""
