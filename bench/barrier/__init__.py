"""How long a change holds everybody up, and how long a worker waits for the lock, under full load."""
