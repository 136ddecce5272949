"""Hugging Face Optimum's layout: encoder, decoder and decoder with past, each checked against torch."""

import warnings
from pathlib import Path
from typing import Any

from optimum.exporters.onnx.convert import export_models, validate_models_outputs
from optimum.exporters.onnx.model_configs import BartOnnxConfig
from optimum.exporters.utils import get_encoder_decoder_models_for_export
from optimum.utils.input_generators import DummyInputGenerator
from optimum.utils.normalized_config import NormalizedSeq2SeqConfig

from genrec.errors import GenRecError
from genrec.model.modeling import GenRecForConditionalGeneration

ENCODER_FILE = "encoder_model.onnx"
DECODER_FILE = "decoder_model.onnx"
DECODER_WITH_PAST_FILE = "decoder_with_past_model.onnx"
SPLIT_FILES = (ENCODER_FILE, DECODER_FILE, DECODER_WITH_PAST_FILE)

TOLERANCE = 1e-4
"""Largest difference from torch that the validation lets pass, the same that "the same list" allows a score."""

_SAMPLE_LENGTH = 16
"""Tokens of the sample that is traced and validated; any length works afterwards."""


class DummyIds(DummyInputGenerator):
    """Random user and item indexes for tracing and validating.

    Args:
        task: Of optimum; not looked at.
        normalized_config: Wraps the model's configuration, whose counts bound the indexes.
        batch_size: Rows.
        sequence_length: Columns.
        kwargs: What other generators take.
    """

    SUPPORTED_INPUT_NAMES = ("user_ids", "item_ids")

    def __init__(
        self,
        task: str,
        normalized_config: NormalizedSeq2SeqConfig,
        batch_size: int = 2,
        sequence_length: int = _SAMPLE_LENGTH,
        **kwargs: Any,
    ) -> None:
        config = normalized_config.config
        self.shape = [batch_size, sequence_length]
        self.sizes = {"user_ids": config.user_rows, "item_ids": config.item_count + 1}

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """Indexes, int [batch, length]; 0 included."""
        return self.random_int_tensor(self.shape, self.sizes[input_name], framework=framework, dtype=int_dtype)


class DummyMergedTokens(DummyInputGenerator):
    """Random tokens for an encoder that sums several at a position; arguments as in `DummyIds`."""

    SUPPORTED_INPUT_NAMES = ("input_ids",)

    def __init__(
        self,
        task: str,
        normalized_config: NormalizedSeq2SeqConfig,
        batch_size: int = 2,
        sequence_length: int = _SAMPLE_LENGTH,
        **kwargs: Any,
    ) -> None:
        config = normalized_config.config
        self.shape, self.vocabulary = [batch_size, sequence_length, config.merged_tokens], config.vocab_size

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """Tokens, int [batch, length, merged_tokens]; padding included."""
        return self.random_int_tensor(self.shape, self.vocabulary, framework=framework, dtype=int_dtype)


class GenRecOnnxConfig(BartOnnxConfig):
    """BART's export with the encoder's ID inputs."""

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Names and dynamic axes of the inputs; the decoder alone reads no IDs."""
        inputs = super().inputs
        if "input_ids" in inputs:
            axes = {0: "batch_size", 1: "encoder_sequence_length"}
            return {**inputs, "user_ids": axes, "item_ids": axes}
        return inputs

    def _create_dummy_input_generator_classes(self, **kwargs: Any) -> list[DummyInputGenerator]:
        shapes = {key: kwargs[key] for key in ("batch_size", "sequence_length") if key in kwargs}
        makers = [DummyIds, DummyMergedTokens] if self._config.merged_tokens else [DummyIds]
        own = [make(self.task, self._normalized_config, **shapes) for make in makers]
        return [*own, *super()._create_dummy_input_generator_classes(**kwargs)]


def export_split(model: GenRecForConditionalGeneration, folder: Path, opset: int) -> None:
    """Write the three graphs into `folder` and compare each with torch.

    Args:
        model: On the CPU, in evaluation mode.
        folder: An existing folder.
        opset: Version of the ONNX operator set.

    Raises:
        GenRecError: A graph's outputs differ from torch's.
    """
    config = GenRecOnnxConfig(model.config, task="text2text-generation", use_past=True)
    parts = get_encoder_decoder_models_for_export(model, config)
    # The sample with a past is one step longer than this, and must still have a position.
    length = min(_SAMPLE_LENGTH, model.config.max_position_embeddings // 2)
    shapes = {"batch_size": 2, "sequence_length": length}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of what BART decides by shapes, which is what is wanted
        _, outputs = export_models(parts, folder, opset=opset, input_shapes=shapes)
        try:
            # In this process: a spawned one would start the caller's script again where it has no main guard.
            validate_models_outputs(
                parts, outputs, folder, atol=TOLERANCE, input_shapes=shapes, use_subprocess=False
            )
        except (ValueError, RuntimeError) as error:
            raise GenRecError(f"an exported graph differs from torch, nothing was written: {error}") from error
