"""How fast what is written at the API server is in force: `python -m bench.kubernetes`."""
