"""Names and numbers that every layer agrees on: column names, file names, special indexes."""

from typing import Final

FORMAT_VERSION: Final = 1
"""Version of the folders that genrec writes; a folder of a newer version is refused."""

UNKNOWN: Final = 0
"""Index of padding, of an unknown user and of an unknown item. Real users and items start at 1."""

INDEX: Final = "index"
USER_ID: Final = "user_id"
ITEM_ID: Final = "item_id"
TITLE: Final = "title"
ATTRIBUTES: Final = "attributes"

USER: Final = "user"
ITEMS: Final = "items"
TIMESTAMPS: Final = "timestamps"
TOKENS: Final = "tokens"

USERS_FILE: Final = "users.parquet"
ITEMS_FILE: Final = "items.parquet"
SEQUENCES_FILE: Final = "sequences.parquet"
TABLE_FILES: Final = (USERS_FILE, ITEMS_FILE, SEQUENCES_FILE)

DATASET_FILE: Final = "dataset.json"
RUN_FILE: Final = "run.json"
MANIFEST_FILE: Final = "manifest.json"
CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"
ITEM_TOKENS_FILE: Final = "item_tokens.parquet"
TRANSITIONS_FILE: Final = "transitions.parquet"
METRICS_FILE: Final = "metrics.jsonl"
EVALUATIONS_FILE: Final = "evaluations.jsonl"
CHECKPOINTS: Final = "checkpoints"

TRAINING: Final = "training"
FINISHED: Final = "finished"
"""Status of a run in run.json, before and after its training is over."""

PRETRAIN: Final = "pretrain"
FINETUNE: Final = "finetune"
"""The phases of training."""

RECOMMENDER_FILE: Final = "recommender.onnx"
