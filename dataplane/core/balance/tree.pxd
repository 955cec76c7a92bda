# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.layout cimport Layout

cdef class Shape:
    cdef public Layout at
    cdef public Py_ssize_t backend, size, root
    cdef public tuple members
    cdef public dict places, ways
    cdef dict _steps

    cpdef tuple way(self, Py_ssize_t server)
    cpdef Py_ssize_t child(self, Py_ssize_t node)

@cython.locals(server=Py_ssize_t, root=Py_ssize_t)
cpdef Py_ssize_t head(cell[::1] cells, Shape shape, Py_ssize_t leaf, Py_ssize_t node)
@cython.locals(stale='long long', its='long long', winner=Py_ssize_t, rival=Py_ssize_t, sibling=Py_ssize_t, parent=Py_ssize_t, where=Py_ssize_t)
cpdef put(cell[::1] cells, Shape shape, Py_ssize_t leaf, Py_ssize_t node, Py_ssize_t server, long long key)
@cython.locals(one=Py_ssize_t, other=Py_ssize_t, left=Py_ssize_t, right=Py_ssize_t)
cpdef play(cell[::1] cells, Shape shape, Py_ssize_t leaf, Py_ssize_t node, Py_ssize_t number)
@cython.locals(first=Py_ssize_t, over=Py_ssize_t)
cdef _replay(cell[::1] cells, Shape shape, Py_ssize_t leaf, Py_ssize_t node, Py_ssize_t server)
cpdef Py_ssize_t first_made(cell[::1] cells, Shape shape)
