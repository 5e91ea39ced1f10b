"""The index of the items' vectors: exact, or an inverted file; of stock TensorFlow ops alone."""
