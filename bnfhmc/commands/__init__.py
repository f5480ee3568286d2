"""The verbs of the command line but for `run` and `check`: each a function that typer reads its options from."""
