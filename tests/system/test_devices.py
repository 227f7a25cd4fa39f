"""What this computer offers, asked for by its name in the settings."""

import gc
import re
from collections.abc import Iterator

import pytest
import torch

from modules.errors import UserError
from modules.families.parts.vae_tiling import VaeTiling
from modules.preset.preset import Preset
from modules.system import devices
from modules.system.bundled import ROOT
from modules.system.devices import (
    CARD_CONTEXT,
    DESKTOP,
    autocast,
    best_dtype,
    card_budget,
    device_named,
    free_memory,
    is_card,
    memory_in_use,
    usable_memory,
    use_tf32,
    use_threads,
)
from modules.text import GB
from modules.trainer import preparation


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    before = torch.get_num_threads()
    yield monkeypatch
    torch.set_num_threads(before)


def test_a_card_that_is_not_there_is_refused_and_auto_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match=r"general.device is cuda.*Set general.device to auto or cpu"):
        device_named("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto").type == device_named("cuda").type == "cuda"


def test_a_number_of_threads_is_taken_but_no_more_than_there_are_cores(threads: pytest.MonkeyPatch) -> None:
    threads.setattr("os.sched_getaffinity", lambda _: set(range(3)), raising=False)
    for wanted, given in ((1, 1), (2, 2), (64, 3)):
        use_threads(wanted)
        assert torch.get_num_threads() == given


def test_left_alone_one_core_stays_free_unless_the_environment_says_otherwise(threads: pytest.MonkeyPatch) -> None:
    threads.setattr("os.sched_getaffinity", lambda _: set(range(3)), raising=False)
    threads.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    use_threads(0)
    assert torch.get_num_threads() == 1
    threads.delenv("OMP_NUM_THREADS")
    use_threads(0)
    assert torch.get_num_threads() == 2
    threads.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    use_threads(0)
    assert torch.get_num_threads() == 1


def test_memory_is_what_the_process_holds() -> None:
    gc.collect()
    before, _ = memory_in_use()
    held = torch.ones(50_000_000)
    assert memory_in_use()[0] - before > 0.5 * held.nbytes  # something else may be let go meanwhile


class Card:
    """A card of 24 GB of which PyTorch has taken 3, and 1 of them for later."""

    share = 1.0

    def mem_get_info(self, _: torch.device) -> tuple[int, int]:
        return 20 * GB, 24 * GB

    def memory_reserved(self, _: torch.device) -> int:
        return 3 * GB

    def memory_allocated(self, _: torch.device) -> int:
        return 2 * GB

    def get_device_capability(self, _: torch.device) -> tuple[int, int]:
        return 8, 6

    def set_per_process_memory_fraction(self, share: float) -> None:
        self.share = share


def test_a_limit_of_the_card_holds_for_all_that_decides_until_it_is_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    card, device = Card(), torch.device("cuda")
    monkeypatch.setattr(devices, "card_module", lambda _: card)
    monkeypatch.setattr(preparation, "device_named", lambda _: device)
    monkeypatch.setattr(devices, "_limit", 0)
    tiling = VaeTiling("auto", device, 8, encoding=10 * 1024, decoding=12 * 1024)  # 10 GB of a square of 1024 pixels

    def found(most: float) -> tuple[int, ...]:
        general = {"card_memory": most, "device": "cuda"}
        preparation.load_options(Preset.model_validate({"model": {"source": "model"}, "general": general}))
        return card_budget(device), free_memory(device), usable_memory(device)

    assert found(0) == (24 * GB - DESKTOP, 20 * GB, 21 * GB)
    assert not tiling.encodes(1024, 1024) and not tiling.decodes((1, 4, 128, 128))
    assert found(12) == (12 * GB, 9 * GB - CARD_CONTEXT, 10 * GB - CARD_CONTEXT)
    assert tiling.encodes(1024, 1024) and tiling.decodes((1, 4, 128, 128))
    assert card.share == (12 * GB - CARD_CONTEXT) / (24 * GB), "PyTorch gives no more"
    assert found(48)[0] == 24 * GB and card.share == 1
    assert found(2)[1:] == (0, 0)
    assert found(0)[0] == 24 * GB - DESKTOP and card.share == 1


def test_half_precision_is_computed_in_only_where_it_is_asked_for() -> None:
    a = torch.ones(2, 2)
    with autocast(torch.device("cpu"), torch.float32):
        assert (a @ a).dtype is torch.float32
    with autocast(torch.device("cpu"), torch.bfloat16):
        assert (a @ a).dtype is torch.bfloat16
        assert torch.nn.functional.layer_norm(a, (2,)).dtype is torch.float32


def test_a_weight_that_was_cast_is_not_kept() -> None:
    """PyTorch keeps casts of trained weights until the context ends: a second set of them all."""
    weight = torch.nn.Parameter(torch.ones(2, 2))
    with autocast(torch.device("cpu"), torch.bfloat16):
        one, other = ((torch.ones(2, 2) @ weight).grad_fn.next_functions[1][0] for _ in range(2))
    assert "ToCopy" in type(one).__name__
    assert one is not other


def test_a_card_multiplies_in_tf32_if_it_may_and_the_cpu_never() -> None:
    card, cpu = torch.device("cuda"), torch.device("cpu")
    try:
        for device, wanted, found in ((card, True, "high"), (card, False, "highest"), (cpu, True, "highest")):
            use_tf32(device, wanted)
            assert torch.get_float32_matmul_precision() == found
    finally:
        use_tf32(cpu, wanted=False)


def test_no_other_file_asks_whether_a_device_is_a_card() -> None:
    asked = re.compile(r"""\.type\s*(==|!=|in)\s*[("'{]+(cuda|cpu)|\bis_cuda\b""")
    files = [path for room in ("app", "modules") for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 300
    assert [path.name for path in files if asked.search(path.read_text(encoding="utf-8"))] == []
    assert is_card(torch.device("cuda", 1))
    assert not is_card(torch.device("cpu"))


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16")])
def test_the_precision_that_suits_a_card(
    capability: tuple[int, int], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert best_dtype(torch.device("cuda")) == dtype
    assert best_dtype(torch.device("cpu")) == "fp32"
