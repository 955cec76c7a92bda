"""The parent process of a data plane: listeners, workers, the order of changes, its figures and its door for people."""
