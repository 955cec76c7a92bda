# C types of figures.py for the compiled package: every cell is an int64, every address a Py_ssize_t.
cimport cython

from dataplane.core.cells cimport cell

cdef Py_ssize_t COUNTERS
cdef Py_ssize_t _FIRST_CLASS, _OTHER, _BIN, _BOUT, _TIMES, _LASTSESS, _STOT, _REQ_TOT, _LBTOT, _SCUR, _REUSE
cdef Py_ssize_t _SESS_SEC, _RATE_MAX, _REQ_SEC, _REQ_RATE_MAX
cdef Py_ssize_t _QTIME, _CTIME, _RTIME, _TTIME, _QTIME_MAX, _CTIME_MAX, _RTIME_MAX, _TTIME_MAX


cdef class Figures:
    cdef public cell[::1] cells
    cdef public object layout
    cdef public Py_ssize_t worker, process
    cdef Py_ssize_t _frontends, _backends, _servers, _listeners, _rows_at, _rows
    cdef tuple _whole
    cdef dict _open

    cpdef Py_ssize_t frontend(self, Py_ssize_t frontend)
    cpdef Py_ssize_t backend(self, Py_ssize_t backend)
    cpdef Py_ssize_t server(self, Py_ssize_t server)
    cpdef Py_ssize_t listener(self, Py_ssize_t listener)
    @cython.locals(total='long long', gauge=Py_ssize_t, gauges=tuple)
    cpdef long long connections(self, Py_ssize_t frontend)
    @cython.locals(total='long long', gauge=Py_ssize_t)
    cpdef long long all_connections(self)
    @cython.locals(block=Py_ssize_t)
    cpdef request(self, Py_ssize_t frontend, long long now)
    @cython.locals(block=Py_ssize_t)
    cpdef selected(self, Py_ssize_t backend, long long now)
    @cython.locals(block=Py_ssize_t)
    cpdef assigned(self, Py_ssize_t backend, Py_ssize_t server, long long now, bint queued)
    cpdef reused(self, Py_ssize_t backend, Py_ssize_t server)
    @cython.locals(klass=Py_ssize_t)
    cpdef finished(
        self, Py_ssize_t frontend, Py_ssize_t backend, Py_ssize_t server, long status, long long received, long long sent,
        bint answered
    )
    cdef _finished(self, Py_ssize_t block, Py_ssize_t klass, long long received, long long sent)
    cdef _moved(self, Py_ssize_t block, long long received, long long sent)
    cpdef timed(
        self, Py_ssize_t backend, Py_ssize_t server, long long second, long long wait, long long connect, long long response,
        long long active
    )
    cdef _timed(
        self, Py_ssize_t block, long long second, long long wait, long long connect, long long response, long long active
    )
    cdef _took(self, Py_ssize_t total, Py_ssize_t most, long long value)
    @cython.locals(first=Py_ssize_t, second='long long', count='long long')
    cdef _rate(self, Py_ssize_t block, Py_ssize_t triple, Py_ssize_t most, long long now)
    cdef _raise_max(self, Py_ssize_t cell, long long value)
