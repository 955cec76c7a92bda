# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell, copy
from dataplane.core cimport index as indexes
from dataplane.core cimport pump
from dataplane.core.layout cimport Layout

@cython.locals(backend=Py_ssize_t, server=Py_ssize_t)
cpdef commit(cell[::1] cells, Layout at, revision, indexes.Index index=*)
