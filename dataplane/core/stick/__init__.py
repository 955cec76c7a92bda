"""core: stick tables: what a table keeps of its keys, and everything that happens to its entries (configuration manual, 11).

Pure like the rest of the core: an entry is a row of signed 64-bit cells, time is an argument, and who calls has taken the
lock of the shard. Memory and locks are in `dataplane.stick`.
"""
