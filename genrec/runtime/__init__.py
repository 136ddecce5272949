"""Serving a bundle with onnxruntime, numpy and pyarrow alone: no torch, no transformers."""

from genrec.runtime.recommender import Recommender

__all__ = ["Recommender"]
