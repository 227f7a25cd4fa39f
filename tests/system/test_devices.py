"""What this computer offers, asked for by its name in the settings."""

import gc
import re
from collections.abc import Iterator

import pytest
import torch

from modules.errors import UserError
from modules.system.bundled import ROOT
from modules.system.devices import autocast, best_dtype, device_named, is_card, memory_in_use, use_tf32, use_threads


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
