"""How fast a change reaches every data plane: `python -m bench.push`."""
