"""What runs beside the window: the meters; and that none of it brings torch or Tk."""

import ast
import subprocess
import threading

from app.gui.session.hardware import HardwareMonitor, HardwareReader, Reading
from modules.system.bundled import ROOT
from modules.system.runtime import python_command

LOGIC = sorted(
    path
    for place in (
        "draft/*.py",
        "session/*.py",
        "captions/files.py",
        "captions/store.py",
        "captions/token_count.py",
        "concepts/dataset_scan.py",
        "check/findings.py",
    )
    for path in (ROOT / "app" / "gui").glob(place)
    if path.name not in ("__init__.py", "worker_poll.py")
)


def test_a_look_at_this_machine_gives_sensible_numbers() -> None:
    reading = HardwareReader().look()
    assert 0 <= reading.cpu <= 100
    assert 0 < reading.memory < reading.memory_total


class Nvml:
    """NVIDIA's library with a card that falls off."""

    class NVMLError(Exception): ...

    NVML_TEMPERATURE_GPU = 0
    there = True

    def nvmlDeviceGetMemoryInfo(self, _handle: object) -> object:
        if not self.there:
            raise self.NVMLError
        return type("Memory", (), {"used": 5, "total": 10})

    def nvmlDeviceGetUtilizationRates(self, _handle: object) -> object:
        return type("Rates", (), {"gpu": 40})

    def nvmlDeviceGetTemperature(self, _handle: object, _kind: int) -> int:
        raise self.NVMLError


def test_a_card_is_read_and_its_loss_is_no_fault() -> None:
    looker = HardwareReader()
    looker._nvml, looker._handle, looker._name = Nvml(), 0, "A card"
    card = looker.look().card
    assert card and (card.name, card.busy, card.memory, card.memory_total, card.temperature) == ("A card", 40, 5, 10, 0)
    looker._nvml.there = False
    assert looker.look().card is None


def test_meters_look_until_they_are_stopped() -> None:
    looked = threading.Semaphore(0)

    def look() -> Reading:
        looked.release()
        return Reading(1, 2, 3)

    meters = HardwareMonitor(look, every=0.001)
    meters.start()
    meters.start()
    for _ in range(3):
        assert looked.acquire(timeout=60)
    meters.stop()
    assert meters.latest == Reading(1, 2, 3)


def test_no_thread_but_tks_own_touches_tk() -> None:
    """The logic imports no screen at all, so that it cannot."""
    for path in LOGIC:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name for name in names if name.split(".")[0] in ("tkinter", "customtkinter")}, path.name


def test_the_logic_of_the_window_does_not_bring_torch() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in LOGIC]
    code = "; ".join(f"import {name}" for name in [*names, "app.search.search"])
    check = "import sys; print([m for m in ('torch', 'transformers', 'diffusers', 'tkinter') if m in sys.modules])"
    done = subprocess.run(
        python_command("-c", f"{code}; {check}"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
