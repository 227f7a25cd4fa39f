"""A program between window and engine, so that a run outlives its window: resources/decisions/0032.

`python -m modules.host FOLDER NAME` owns an engine's process. A window speaks to it over a local socket; when the
window goes, the job under way goes on, and a window that is opened later takes it over. No torch in it.
"""
