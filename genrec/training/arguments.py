"""What Hugging Face's Trainer is told for one phase."""

import os
from pathlib import Path

import torch
from transformers import TrainingArguments

from genrec import ranks
from genrec.errors import GenRecError
from genrec.training.history import BEST
from genrec.training.settings import Settings
from genrec.training.workers import WORKERS


def arguments(
    config: Settings,
    folder: Path,
    epochs: int,
    learning_rate: float,
    device: torch.device,
    validated: bool,
) -> TrainingArguments:
    """Trainer's arguments for a phase; a validated phase keeps its best epoch, another its last.

    Raises:
        GenRecError: The precision is not to be had on the device.
    """
    on_gpu = device.type == "cuda"
    every_epoch = "epoch" if validated else "no"
    precision = choose_precision(config.precision, device)
    _forget_earlier_runs(precision)
    args = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=max(
            1, config.step_examples // (ranks.world_size() * config.gradient_accumulation)
        ),
        gradient_accumulation_steps=config.gradient_accumulation,
        gradient_checkpointing=config.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if config.gradient_checkpointing else None,
        learning_rate=learning_rate,
        weight_decay=config.weight_decay,
        warmup_ratio=config.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=0.0 if config.sparse_ids else config.clip,  # sparse gradients are clipped by their optimiser
        optim="adamw_torch_fused",
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not on_gpu,
        torch_compile=config.torch_compile,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,  # none changes
        dataloader_num_workers=WORKERS[device.type],
        dataloader_pin_memory=on_gpu,
        seed=config.seed,
        eval_strategy=every_epoch,
        save_strategy="epoch",
        load_best_model_at_end=validated,
        metric_for_best_model=BEST if validated else None,
        greater_is_better=True if validated else None,
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    if on_gpu:
        args._n_gpu = 1  # else Trainer would split each batch over all GPUs it sees, in one process
    return args


def _forget_earlier_runs(precision: str) -> None:
    """Trainer tells Accelerate precision and compiler by the environment, where they would outlive their run."""
    os.environ["ACCELERATE_MIXED_PRECISION"] = "no" if precision == "fp32" else precision
    for name in [name for name in os.environ if name.startswith("ACCELERATE_DYNAMO_")]:
        del os.environ[name]


def choose_precision(wanted: str, device: torch.device) -> str:
    """The precision of matrix products on a device.

    Raises:
        GenRecError: The device cannot compute in the precision asked for.
    """
    bf16 = device.type == "cpu" or torch.cuda.is_bf16_supported()
    if wanted == "auto":
        return "bf16" if device.type == "cuda" and bf16 else "fp32"
    if wanted == "fp16" and device.type == "cpu":
        raise GenRecError("precision fp16 needs a GPU; on the CPU choose fp32 or bf16")
    if wanted == "bf16" and not bf16:
        raise GenRecError("this GPU does not compute in bf16; choose precision fp16 or fp32")
    return wanted
