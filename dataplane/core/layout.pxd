# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

from dataplane.core.cells cimport cell

cdef class Layout:
    cdef public Py_ssize_t workers, servers, backends, frontends, entries, departed, queues, forced, listeners, size, wheels, WHEELS
    cdef Py_ssize_t _next, _frontend_counters, _backend_counters, _server_counters, _listener_counters, _process_counters
    cdef public Py_ssize_t VERSION, REVISION, TABLES, GLOBAL_MAXCONN, RATE_LIMITS, BACKENDS, SEQUENCE, HIGH_WATER, FREE_ROOT, LEASE_ENDS, LEASE_LAST, ROWS, ASIDE, HEARTBEAT
    cdef public Py_ssize_t BACK_AT, MAIL_HEAD, MAIL_TAIL, FEMAXCONN, QUEUE_ROOT, QUEUE_LENGTH, SERVED, IDLE, BECONN, BACKEND
    cdef public Py_ssize_t NEXT_SERVER, SERVER_ID, ROTA, ADMIN, OPSTATE, UWEIGHT, EWEIGHT, LIMIT, MINLIMIT, MAXQUEUE, BACKUP, GENERATION
    cdef public Py_ssize_t CHANGED_AT, TOTAL, MOVE_NEXT, GIVE_NEXT, KEY, NODE, DUE_KEY, DUE_NODE, FWRR_NPOS, FWRR_LPOS, FWRR_REST
    cdef public Py_ssize_t CUMULATIVE, WHEEL, WHEEL_SIZE, BALANCE_FACTOR, AFFINITY, ELECTED
    cdef public Py_ssize_t FWRR_SET, FIRST_SERVER, ALGORITHM, DRAWS, FULLCONN, IN_ROTATION, DYNAMIC_LIMITS, ROTATION_WEIGHT
    cdef public Py_ssize_t ROTATION_MAXW, ACTIVE_UP, BACKUP_UP, BETOTAL, BEWAITING, RECHECK, MOVE_HEAD, MOVE_TAIL, MOVE_SWEEP, MOVE_END
    cdef public Py_ssize_t GIVE_HEAD, GIVE_TAIL, GIVE_SWEEP, GIVE_END, STALE, KIND, CURSOR, FWRR_POS, FWRR_CYCLE, FWRR_LENGTH, E_STATE
    cdef public Py_ssize_t E_WORKER, E_BACKEND, E_WISH, E_KEY, E_SEQ, E_QUEUE, E_SERVER, E_CHILD, E_NEXT, E_PREV, E_RANK, E_LINKED

    cdef Py_ssize_t _take(self, Py_ssize_t cells)
    cpdef Py_ssize_t rows(self, cell[::1] cells) except -1
    cpdef Py_ssize_t served(self, Py_ssize_t worker, Py_ssize_t server)
    cpdef Py_ssize_t idle(self, Py_ssize_t worker, Py_ssize_t server)
    cpdef Py_ssize_t beconn(self, Py_ssize_t worker, Py_ssize_t backend)
    cpdef Py_ssize_t backend_queue(self, Py_ssize_t backend)
    cpdef Py_ssize_t forced_queue(self, Py_ssize_t server)
    cpdef Py_ssize_t frontend_counters(self, Py_ssize_t row, Py_ssize_t frontend)
    cpdef Py_ssize_t backend_counters(self, Py_ssize_t row, Py_ssize_t backend)
    cpdef Py_ssize_t server_counters(self, Py_ssize_t row, Py_ssize_t server)
    cpdef Py_ssize_t listener_counters(self, Py_ssize_t row, Py_ssize_t listener)
    cpdef Py_ssize_t process_counters(self, Py_ssize_t row)
