"""OneTrainer: its configuration of every version, with concepts and samples."""
