"""Pretrained encoders of texts: a checkpoint's word pieces and network."""
