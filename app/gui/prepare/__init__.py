"""Images made ready: what is cut and what is left out, looked at before anything is written."""
