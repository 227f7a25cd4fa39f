"""Training on another machine, over the user's own ssh: resources/decisions/0035.

Here: `job` (a run there, as if it were here), `sending` and `fetching` (files, by content). `there` runs on the other
machine: `files` keeps what was sent, `bridge` joins the line with the host that owns the engine. No torch in it.
"""
