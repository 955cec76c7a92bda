# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core cimport heap
from dataplane.core.layout cimport Layout

cdef Py_ssize_t ENTRY_STRIDE, NOBODY

@cython.locals(top=Py_ssize_t, entry=Py_ssize_t)
cpdef Py_ssize_t take_free(cell[::1] cells, Layout at)
@cython.locals(row=Py_ssize_t)
cpdef free(cell[::1] cells, Layout at, Py_ssize_t entry)
@cython.locals(row=Py_ssize_t)
cpdef fill(cell[::1] cells, Layout at, Py_ssize_t entry, Py_ssize_t worker, stream, Py_ssize_t queue)
@cython.locals(row=Py_ssize_t, wish=Py_ssize_t, backend=Py_ssize_t)
cpdef Py_ssize_t queue_of(cell[::1] cells, Layout at, Py_ssize_t entry)
cpdef Py_ssize_t owner(Layout at, Py_ssize_t queue)
cpdef bint wish_usable(cell[::1] cells, Layout at, Py_ssize_t wish)
cpdef bint wish_counts(cell[::1] cells, Layout at, Py_ssize_t wish, Py_ssize_t backend)
@cython.locals(rota='long long')
cpdef bint usable(cell[::1] cells, Layout at, Py_ssize_t wish, Py_ssize_t server)
@cython.locals(own=Py_ssize_t)
cpdef long long queued(cell[::1] cells, Layout at, Py_ssize_t server)
@cython.locals(row=Py_ssize_t, queue=Py_ssize_t, backend=Py_ssize_t, server=Py_ssize_t, length='long long', longest=Py_ssize_t)
cpdef enqueue(cell[::1] cells, Layout at, Py_ssize_t entry)
@cython.locals(row=Py_ssize_t, queue=Py_ssize_t)
cpdef dequeue(cell[::1] cells, Layout at, Py_ssize_t entry)
cpdef Py_ssize_t head(cell[::1] cells, Layout at, Py_ssize_t queue)
@cython.locals(top=Py_ssize_t)
cpdef bint pass_over(cell[::1] cells, Layout at, Py_ssize_t queue)
@cython.locals(row=Py_ssize_t, worker=Py_ssize_t, last=Py_ssize_t)
cpdef post(cell[::1] cells, Layout at, Py_ssize_t entry)
@cython.locals(row=Py_ssize_t, worker=Py_ssize_t, following=Py_ssize_t, previous=Py_ssize_t)
cpdef unpost(cell[::1] cells, Layout at, Py_ssize_t entry)
@cython.locals(following=Py_ssize_t)
cpdef list mail(cell[::1] cells, Layout at, Py_ssize_t worker)
