"""Settings of other programs: OneTrainer, kohya_ss and sd-scripts, and the headers of models and LoRA files.

`reading.read` tells which program wrote a file by what is in it, and gives our settings and a row for each of theirs.
"""
