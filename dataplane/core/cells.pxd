# A cell of the board in C. It is volatile: the board's first rule is the order of the stores, which a death may cut anywhere, and
# a C compiler may otherwise change that order, or leave out a store that a later one overwrites.

cdef extern from *:
    """
    typedef volatile long long sluice_cell;
    """
    ctypedef long long cell "sluice_cell"

cpdef copy(cell[::1] cells, Py_ssize_t start, cell[::1] values)
