# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.layout cimport Layout

cdef Py_ssize_t ENTRY_STRIDE

@cython.locals(row=Py_ssize_t, top=Py_ssize_t)
cpdef insert(cell[::1] cells, Layout at, Py_ssize_t root, Py_ssize_t entry)
@cython.locals(above=Py_ssize_t, child=Py_ssize_t, following=Py_ssize_t)
cdef _adopt(cell[::1] cells, Layout at, Py_ssize_t parent, Py_ssize_t entry)
@cython.locals(row=Py_ssize_t, below=Py_ssize_t, previous=Py_ssize_t, following=Py_ssize_t, behind=Py_ssize_t)
cpdef remove(cell[::1] cells, Layout at, Py_ssize_t root, Py_ssize_t entry)
@cython.locals(mine='long long', its='long long')
cpdef bint before(cell[::1] cells, Layout at, Py_ssize_t one, Py_ssize_t other)
@cython.locals(row=Py_ssize_t, below=Py_ssize_t, child=Py_ssize_t)
cdef Py_ssize_t _meld(cell[::1] cells, Layout at, Py_ssize_t one, Py_ssize_t other)
@cython.locals(pairs=Py_ssize_t, one=Py_ssize_t, second=Py_ssize_t, root=Py_ssize_t, following=Py_ssize_t)
cdef Py_ssize_t _merge_children(cell[::1] cells, Layout at, Py_ssize_t first)
