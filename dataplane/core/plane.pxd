# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core cimport commit as commits
from dataplane.core cimport line, pump, repair
from dataplane.core.index cimport Index
from dataplane.core.layout cimport Layout
from dataplane.core.limit cimport limit

cdef Py_ssize_t COUNTERS, ENTRY_STRIDE, NOBODY, HASHED

cdef class Plane:
    cdef public cell[::1] cells
    cdef public Layout at
    cdef public Py_ssize_t worker, back_slice
    cdef public object draw
    cdef public Index index
    cdef public set _rings
    cdef public list _touched
    cdef object _room
    cdef pump.Pump _pump
    cdef Py_ssize_t _mine, _served, _beconn, _most_served, _most_streams

    @cython.locals(backend=Py_ssize_t)
    cpdef tuple leave(self, Py_ssize_t budget=*)
    @cython.locals(most='long long')
    cpdef bint room(self, Py_ssize_t server) except -1
    cpdef Py_ssize_t choose(self, Py_ssize_t backend, Py_ssize_t avoid) except -2
    cpdef enter(self, bint torn, beat=*)
    @cython.locals(backend=Py_ssize_t, seq='long long')
    cpdef admit(self, stream, long long tables, long long now)
    cpdef again(self, stream, long long tables, Py_ssize_t avoid)
    cpdef move_to(self, stream, Py_ssize_t backend, long long tables, long long now)
    @cython.locals(row=Py_ssize_t, server=Py_ssize_t)
    cpdef tuple settle(self, waiting)
    cpdef cancel(self, stream)
    @cython.locals(server=Py_ssize_t)
    cpdef release(self, stream)
    cpdef bint is_over(self, stream) except -1
    cpdef bint is_barred(self, stream) except -1
    cpdef commit(self, revision)
    cpdef set_aside(self, Py_ssize_t worker)
    cpdef bint clear(self, Py_ssize_t worker, Py_ssize_t budget=*) except -1
    @cython.locals(backend=Py_ssize_t)
    cpdef bint pump_idle(self, Py_ssize_t budget=*) except -1
    @cython.locals(worker=Py_ssize_t, held='long long', waiting='long long')
    cpdef bint is_removable(self, Py_ssize_t server) except -1
    @cython.locals(wish=Py_ssize_t, server=Py_ssize_t, shared=Py_ssize_t, pumping=bint)
    cdef _decide(self, stream, Py_ssize_t backend)
    @cython.locals(stale=Py_ssize_t)
    cdef bint _is_whole(self, Py_ssize_t backend) except -1
    @cython.locals(most='long long')
    cdef bint _own_queue_full(self, Py_ssize_t server) except -1
    @cython.locals(total='long long', most=Py_ssize_t)
    cdef _serve(self, stream, Py_ssize_t server)
    @cython.locals(entry=Py_ssize_t)
    cdef _wait(self, stream, Py_ssize_t queue, bint look)
    @cython.locals(place='long long')
    cdef _note_position(self, stream, Py_ssize_t queue)
    @cython.locals(most=Py_ssize_t)
    cdef _take(self, stream, Py_ssize_t entry, Py_ssize_t server)
    @cython.locals(server=Py_ssize_t)
    cdef _give_back(self, stream)
    @cython.locals(backend=Py_ssize_t)
    cdef _freed(self, Py_ssize_t server)
    cdef _refuse(self, stream, why)
    @cython.locals(total='long long', most=Py_ssize_t)
    cdef _count(self, Py_ssize_t backend)
    cdef _end(self, stream)
    cdef _uncount(self, Py_ssize_t backend)
