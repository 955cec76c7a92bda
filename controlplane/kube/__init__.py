"""Kubernetes: what is asked of its API server and what is made of the answers. Kubernetes' words stop at this room's door."""
