"""ai-toolkit (ostris): the YAML or JSON of its jobs."""
