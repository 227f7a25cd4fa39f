"""Whoever imports this asks the driver, not CUDA, whether there is a card: a process that forks must not begin CUDA."""

import os

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
