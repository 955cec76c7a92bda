"""The command line of the control plane: what an operator types during a maintenance."""
