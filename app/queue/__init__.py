"""The queue on the command line: put into line, ordered, run without a window."""
