# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.layout cimport Layout

@cython.locals(top='long long', low='long long', full='long long')
cpdef long long limit(cell[::1] cells, Layout layout, Py_ssize_t server, long long beconn)
@cython.locals(top='long long')
cpdef bint below_top(cell[::1] cells, Layout layout, Py_ssize_t server)
