"""What planes and processes say to each other: plain data, strict checks, no input or output. Standard library only."""
