"""Recommending to many: everybody in a file, or everybody the model knows, into Parquet."""

from genrec.bulk.engine import recommend_to_many
from genrec.bulk.job import Job

__all__ = ["Job", "recommend_to_many"]
