"""SimpleTuner: its JSON, TOML, environment files and command lines, with the list of datasets that they name."""
