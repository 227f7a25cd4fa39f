"""How busy this machine is: processor, memory, graphics card. Measured in a thread, read by the window's tick."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import psutil

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Card:
    """The graphics card."""

    name: str
    busy: float  # percent
    memory: int  # bytes that are taken, by whomever
    memory_total: int
    temperature: int  # degrees Celsius; 0 where the card does not say
    capability: tuple[int, int] = (0, 0)  # CUDA's compute capability; zeros where the driver does not say


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the machine."""

    cpu: float  # percent of all cores
    memory: int  # bytes that are taken
    memory_total: int
    card: Card | None = None


class HardwareMonitor:
    """Looks every second from `start` until `stop`. `latest` is a plain attribute: reading it never waits."""

    def __init__(self, look: Callable[[], Reading] | None = None, every: float = EVERY_S) -> None:
        self.latest: Reading | None = None
        self._look, self._every = look, every
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="meters", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread; waits for the look that is under way."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        look = self._look or HardwareReader().look
        while not self._ended.is_set():
            self.latest = look()
            self._ended.wait(self._every)


class HardwareReader:
    """Asks the system, and NVIDIA's library where there is one and a card."""

    def __init__(self) -> None:
        self._nvml, self._handle, self._name = _first_card()
        self._capability = _capability(self._nvml, self._handle)
        psutil.cpu_percent()  # counts from here on

    def look(self) -> Reading:
        memory = psutil.virtual_memory()
        return Reading(psutil.cpu_percent(), memory.total - memory.available, memory.total, self._card())

    def _card(self) -> Card | None:
        nvml = self._nvml
        if nvml is None:
            return None
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
            busy = nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu
        except nvml.NVMLError:
            return None  # the driver is being replaced, or the card has fallen off: no number is better than an old one
        return Card(self._name, float(busy), int(memory.used), int(memory.total), self._temperature(), self._capability)

    def _temperature(self) -> int:
        try:
            return int(self._nvml.nvmlDeviceGetTemperature(self._handle, self._nvml.NVML_TEMPERATURE_GPU))
        except self._nvml.NVMLError:
            return 0


def _capability(nvml: Any, handle: Any) -> tuple[int, int]:
    try:
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle) if nvml else (0, 0)
    except (nvml.NVMLError, AttributeError):  # a driver or a library from before 2020
        return 0, 0
    return int(major), int(minor)


def _first_card() -> tuple[Any, Any, str]:
    """NVIDIA's library, the card and its name; None where there is no such library, driver or card."""
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return None, None, ""
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        name = nvml.nvmlDeviceGetName(handle)
    except nvml.NVMLError:
        return None, None, ""
    return nvml, handle, name.decode() if isinstance(name, bytes) else str(name)
