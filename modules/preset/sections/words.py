"""New words: what the text encoders learn to read, alone (an embedding) or beside any other method."""

from __future__ import annotations

from modules.preset.setting import Section, Setting
from modules.preset.text.interval import IntervalText


class Word(Section):
    """Embedding"""

    token: str = Setting(
        "<new>", "Token", min_length=1, max_length=100, aliases="token_string, placeholder_token, embedding.trigger"
    )
    """The word that will stand for the concept in captions and prompts. Letters, digits and < > - _ only."""
    vectors: int = Setting(
        4, "Vectors per token", ge=1, le=75, aliases="num_vectors_per_token, token_count, num_vectors, embedding.tokens"
    )
    """How many tokens the word takes up. More hold more detail. Usual: 1 to 8."""
    start: str = Setting(
        "",
        "Initial text",
        aliases="init_word, initializer_token, initial_embedding_text, initialization text, initial_phrase",
    )
    """Words that come closest to the concept, to start from: "cat", "oil painting". Empty: starts near the average
    word."""
    file: str = Setting(
        "", "Continue from file", scope="machine", widget="file", level="expert",
        aliases="embedding.model_name, initial_embedding_file, weights",
    )  # fmt: skip
    """An embedding file to train further, of Seachange or another program. It says how many vectors there are. Empty:
    the initial text."""
    train: bool = Setting(True, "Train", level="expert", aliases="train_ti")
    """Off: the word is used as its file has it and stays so; only with a file."""
    learning_rate: float = Setting(
        0.0, "Learning rate", ge=0, le=10, level="expert", zero="as the run",
        aliases="embedding_learning_rate, textual_inversion_learning_rate",
    )  # fmt: skip
    """For this embedding alone. Embeddings learn at far higher rates than weights: beside a LoRA or a full fine-tune
    about 1e-3, alone about 5e-3. 0: the learning rate of the run."""
    stop_after: IntervalText = Setting(
        "never", "Stop training after", level="expert", widget="interval", aliases="ti_train_steps_ratio"
    )
    """Freeze the embedding after this many steps or epochs, and train the rest further: "500 steps", "3 epochs",
    "never". Usual beside another method: half of the run."""
    keep_norm: bool = Setting(True, "Preserve embedding norm", level="expert")
    """Keeps the new vectors at the average norm of the model's own embeddings, so that they do not drown out the other
    words."""
