# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core cimport heap, line
from dataplane.core.index cimport Index
from dataplane.core.layout cimport Layout

cdef Py_ssize_t ENTRY_STRIDE, NOBODY, HASHED

@cython.locals(backend=Py_ssize_t)
cpdef list_server(cell[::1] cells, Layout at, Py_ssize_t server)
cpdef list_move(cell[::1] cells, Layout at, Py_ssize_t backend, Py_ssize_t server)
cpdef list_give(cell[::1] cells, Layout at, Py_ssize_t backend, Py_ssize_t server)
@cython.locals(first='long long')
cpdef list_all(cell[::1] cells, Layout at, Py_ssize_t backend)
cpdef list_anew(cell[::1] cells, Layout at, Py_ssize_t backend)
@cython.locals(row=Py_ssize_t, queue=Py_ssize_t, server=Py_ssize_t)
cpdef list_entry(cell[::1] cells, Layout at, Py_ssize_t entry)
cpdef bint pumping(cell[::1] cells, Layout at, Py_ssize_t backend)
cdef bint _listed(cell[::1] cells, Layout at, Py_ssize_t backend)

cdef class Pump:
    cdef public Layout at
    cdef object _room, _choose
    cdef Index _index
    cdef set _rings

    cpdef bint run(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t budget) except -1
    cdef _forget(self, cell[::1] cells, Py_ssize_t backend)
    @cython.locals(shared=Py_ssize_t, server=Py_ssize_t, entry=Py_ssize_t)
    cdef Py_ssize_t _step(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t budget) except -1
    cdef bint _pass_over(self, cell[::1] cells, Py_ssize_t server) except -1
    cpdef Py_ssize_t renew(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t budget) except -1
    @cython.locals(server=Py_ssize_t)
    cdef Py_ssize_t _recheck(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t budget) except -1
    @cython.locals(rota='long long', entry=Py_ssize_t)
    cpdef Py_ssize_t stray(self, cell[::1] cells, Py_ssize_t server) except -2
    @cython.locals(rota='long long', entry=Py_ssize_t)
    cpdef Py_ssize_t heir(self, cell[::1] cells, Py_ssize_t server) except -2
    cdef Py_ssize_t _older(self, cell[::1] cells, Py_ssize_t one, Py_ssize_t other)
    @cython.locals(row=Py_ssize_t, queue=Py_ssize_t, backend=Py_ssize_t, wish='long long', server=Py_ssize_t)
    cpdef move(self, cell[::1] cells, Py_ssize_t entry)
    @cython.locals(row=Py_ssize_t)
    cpdef give(self, cell[::1] cells, Py_ssize_t entry, Py_ssize_t server)
    @cython.locals(row=Py_ssize_t, queue=Py_ssize_t, backend=Py_ssize_t, server=Py_ssize_t)
    cpdef list_room(self, cell[::1] cells, Py_ssize_t entry)
    cdef Py_ssize_t _next(self, cell[::1] cells, Py_ssize_t head, Py_ssize_t sweep)
    cdef _drop_move(self, cell[::1] cells, Py_ssize_t backend)
    cdef _drop_give(self, cell[::1] cells, Py_ssize_t backend)
    @cython.locals(following='long long')
    cdef _advance(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t sweep, Py_ssize_t end)

@cython.locals(last=Py_ssize_t)
cdef _append(cell[::1] cells, Py_ssize_t column, Py_ssize_t head, Py_ssize_t tail, Py_ssize_t server)
@cython.locals(first=Py_ssize_t, following=Py_ssize_t)
cdef _pop(cell[::1] cells, Py_ssize_t column, Py_ssize_t head, Py_ssize_t tail)
