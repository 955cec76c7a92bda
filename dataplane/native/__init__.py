"""Rooms that exist compiled only (setup.py, docs/decisions/0016): each stands in for a Python twin, which names it."""
