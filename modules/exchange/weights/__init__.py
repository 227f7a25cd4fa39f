"""LoRA and model files that do not say how they were trained: what their tensors and the rest of their headers tell."""
