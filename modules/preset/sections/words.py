"""New words: what the text encoders learn to read, alone (an embedding) or beside any other method."""

from __future__ import annotations

from modules.preset.setting import Section, Setting
from modules.preset.text.interval import IntervalText


class Word(Section):
    """New word"""

    token: str = Setting("<new>", "Word", min_length=1, max_length=100)
    """The word that will stand for the concept in captions and prompts. Letters, digits and < > - _ only."""
    vectors: int = Setting(4, "Vectors", ge=1, le=75)
    """How many tokens the word takes up. More hold more detail. Usual: 1 to 8."""
    start: str = Setting("", "Start word")
    """Words that come closest to the concept, to start from: "cat", "oil painting". Empty: starts near the average
    word."""
    file: str = Setting("", "Start from file", scope="machine", widget="file", level="expert")
    """An embedding file to go on from, of Seachange or another program. It says how many vectors there are. Empty: the
    start word."""
    train: bool = Setting(True, "Train", level="expert")
    """Off: the word is used as its file has it and stays so; only with a file."""
    learning_rate: float = Setting(0.0, "Learning rate", ge=0, le=10, level="expert", zero="as the run")
    """For this word alone. Words learn at far higher rates than weights: beside a LoRA or a full fine-tune about 1e-3,
    alone about 5e-3. 0: the learning rate of the run."""
    stop_after: IntervalText = Setting("never", "Stop training after", level="expert", widget="interval")
    """Freeze the word after so many steps or epochs, and let the rest go on with it: "500 steps", "3 epochs", "never".
    Usual beside another method: half of the run."""
    keep_norm: bool = Setting(True, "Keep usual length", level="expert")
    """Holds the new vectors at the average length of the model's own words, which keeps them from shouting others
    down."""
