"""sd-scripts and kohya_ss: their arguments, however they are written down."""
