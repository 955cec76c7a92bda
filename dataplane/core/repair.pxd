# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell, copy
from dataplane.core cimport heap, line, pump
from dataplane.core.index cimport Index, chain, forget
from dataplane.core.layout cimport Layout

cdef Py_ssize_t ENTRY_STRIDE

@cython.locals(high=Py_ssize_t, first=Py_ssize_t, count=Py_ssize_t, backend=Py_ssize_t)
cpdef rebuild(cell[::1] cells, Layout at, beat=*)
@cython.locals(total='long long', rows=Py_ssize_t, worker=Py_ssize_t, server=Py_ssize_t)
cdef _rebuild_backend(cell[::1] cells, Layout at, Py_ssize_t backend)
@cython.locals(high=Py_ssize_t)
cdef Py_ssize_t _high_water(cell[::1] cells, Layout at)
@cython.locals(entry=Py_ssize_t, row=Py_ssize_t, sequence='long long', state='long long')
cdef long long _rebuild_entries(cell[::1] cells, Layout at, Py_ssize_t high) except -1
@cython.locals(row=Py_ssize_t, server=Py_ssize_t)
cpdef take_back(cell[::1] cells, Layout at, Py_ssize_t entry, Index index)
@cython.locals(entry=Py_ssize_t)
cpdef set_aside(cell[::1] cells, Layout at, Py_ssize_t worker, Index index)
@cython.locals(entry=Py_ssize_t, row=Py_ssize_t, looks=Py_ssize_t)
cpdef back(cell[::1] cells, Layout at, Py_ssize_t worker, Py_ssize_t budget)
@cython.locals(entry=Py_ssize_t, row=Py_ssize_t, left=Py_ssize_t, first=Py_ssize_t, count=Py_ssize_t)
cpdef bint clear(cell[::1] cells, Layout at, Py_ssize_t worker, Py_ssize_t budget) except -1
cdef _clear_run(cell[::1] cells, Py_ssize_t first, Py_ssize_t count)
