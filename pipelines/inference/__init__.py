"""Bulk inference: a model's answers for whole tables, by Beam's RunInference, as Parquet."""
