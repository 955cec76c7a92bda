"""The control plane's pure room: desired state, the log of changes, convergence of data planes. No input or output."""
