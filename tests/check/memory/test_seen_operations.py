"""An operation that was seen before is answered as it was the first time."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from modules.check.memory.memory_tracker import address_of, counted


def test_an_operation_that_was_seen_before_is_answered_alike() -> None:
    with counted(torch.device("cpu")) as ledger:
        for _ in range(3):
            before = ledger.live
            whole = torch.empty(2, 3, dtype=torch.int64)
            assert (whole + 1).dtype is torch.int64 and (whole + 1.0).dtype is torch.float32
            assert address_of(whole.view(6)) == address_of(whole)
            assert address_of(whole + 1) != address_of(whole)
            assert whole.add_(1) is whole and ledger.live - before == whole.nbytes
            assert torch.empty(2, 3).t_().shape == (3, 2)
            assert [x.shape for x in torch.empty(5, 2).split(3)] == [(3, 2), (2, 2)]
            assert torch.empty(4, 2)[1:].storage_offset() == 2
            del whole
            assert ledger.live == before
        for start in (8, 16, 24):  # seen of the first, and then of parts that begin elsewhere
            part = torch.empty(64, dtype=torch.uint8)[start : start + 24].view(torch.int16)
            assert part.storage_offset() == start // 2 and part[2:].storage_offset() == start // 2 + 2
            assert part.as_strided((2, 3), (3, 1)).storage_offset() == start // 2
            assert part.as_strided((2, 3), (3, 1), 1).storage_offset() == 1


def test_what_gives_no_tensor_or_draws_is_answered_alike() -> None:
    generator = torch.Generator()
    with counted(torch.device("cpu")):
        for _ in range(3):
            weight, image = nn.Parameter(torch.empty(2, 3, 1, 1)), torch.empty(1, 3, 4, 4, requires_grad=True)
            F.conv2d(image, weight).sum().backward()  # its backward pass gives three gradients, one of them nothing
            assert image.grad is not None and image.grad.shape == image.shape
            assert weight.grad is not None and weight.grad.shape == weight.shape
            with torch.no_grad():
                assert weight.add_(1) is weight
                torch._foreach_add_([weight], 1)
            assert torch.randint(9, (2,), generator=generator).dtype is torch.int64
            assert torch.rand(2, generator=generator).dtype is torch.float32
            assert torch.empty(5, 2)[torch.empty(3, dtype=torch.int64)].shape == (3, 2)


def test_what_was_seen_is_not_asked_in_inference_mode_whose_tensors_are_of_another_kind() -> None:
    with counted(torch.device("cpu")):
        whole = torch.zeros(7, 5, dtype=torch.int64)
        assert whole[:, :2].shape == (7, 2)
        with torch.inference_mode():
            assert whole[:, :2].shape == (7, 2)
        assert whole[:, :2].shape == (7, 2)


def test_flops_of_what_was_seen_before_are_counted_again() -> None:
    with counted(torch.device("cpu")) as ledger:
        counts = list[int]()
        for _ in range(2):
            before = ledger.flops
            torch.empty(4, 8) @ torch.empty(8, 2)
            counts.append(ledger.flops - before)
    assert counts == [2 * 4 * 8 * 2] * 2
