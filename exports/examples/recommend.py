"""Recommend from a genrec bundle without genrec: python recommend.py BUNDLE ITEM_ID ..., oldest item first."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pyarrow.parquet as pq

bundle, history = Path(sys.argv[1]), sys.argv[2:]
ids = pq.read_table(bundle / "items.parquet", columns=["item_id"])["item_id"].to_pylist()
index = {item: number for number, item in enumerate(ids, start=1)}
session = ort.InferenceSession(bundle / "recommender.onnx", providers=["CPUExecutionProvider"])
none = np.zeros((1, 0), np.int64)
request = {
    "history": np.array([[index.get(item, 0) for item in history]], np.int64),  # zeros are padding
    "user": np.array([0], np.int64),  # 0 is a visitor; users.parquet has the indexes of known users
    "exclude_seen": np.array(True),
    "banned": none,  # item indexes to keep out
    "allowed": none,  # where a row has a number, everything else is kept out
}
items, scores = session.run(["items", "scores"], request)
for item, score in zip(items[0], scores[0], strict=True):
    if item:  # 0 where fewer than k items are allowed
        print(ids[item - 1], f"{score:.4f}")  # the score is the item's log-probability
