"""What tensors of text encoders are called in llama.cpp's files, and in those of transformers.

Image models have their native names there, and those stay. Of Llama and Mistral, llama.cpp changes the order of rows in
queries and keys: what its two halves of each head were stands there in turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

IN_TURNS = ("llama", "mistral3")
LANGUAGE_MODELS = ("qwen2", "qwen2vl", "qwen3", "qwen3vl", *IN_TURNS)
T5 = ("t5", "t5encoder")
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
IN_LAYER = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
T5_OUTER = {"token_embd": "shared", "enc.output_norm": "encoder.final_layer_norm"}
IN_T5_BLOCK = {
    "attn_q": "0.SelfAttention.q", "attn_k": "0.SelfAttention.k", "attn_v": "0.SelfAttention.v",
    "attn_o": "0.SelfAttention.o", "attn_rel_b": "0.SelfAttention.relative_attention_bias",
    "attn_norm": "0.layer_norm", "ffn_gate": "1.DenseReluDense.wi_0", "ffn_up": "1.DenseReluDense.wi_1",
    "ffn_down": "1.DenseReluDense.wo", "ffn_norm": "1.layer_norm",
}  # fmt: skip
LAYER = re.compile(r"(enc\.)?blk\.(\d+)\.(\w+)")


def transformers_names(names: Iterable[str], architecture: str) -> dict[str, str]:
    """Each name of a file -> what transformers calls the tensor; itself for what is no text encoder of these."""
    return {name: _name(name, architecture) for name in names}


def _name(name: str, architecture: str) -> str:
    path, _, leaf = name.rpartition(".")
    layer = LAYER.fullmatch(path)
    found = ""
    if architecture in LANGUAGE_MODELS:
        found = OUTER.get(path, "")
        if layer and not layer[1] and layer[3] in IN_LAYER:
            found = f"model.layers.{layer[2]}.{IN_LAYER[layer[3]]}"
    elif architecture in T5:
        found = T5_OUTER.get(path, "")
        if layer and layer[1] and layer[3] in IN_T5_BLOCK:
            found = f"encoder.block.{layer[2]}.layer.{IN_T5_BLOCK[layer[3]]}"
    return f"{found}.{leaf}" if found else name


def heads_in_turns(names: Iterable[str], metadata: Mapping[str, str]) -> dict[str, int]:
    """Of the tensors whose rows stand in turns, by their names here: how many heads each has.

    Raises:
        ValueError: the file does not say.
    """
    architecture, found = metadata.get("general.architecture", ""), dict[str, int]()
    for name in names if architecture in IN_TURNS else ():
        for end, field in ((".q_proj.weight", "head_count"), (".k_proj.weight", "head_count_kv")):
            if name.endswith(end):
                found[name] = int(metadata.get(f"{architecture}.attention.{field}", ""))
    return found
