"""A real Kubernetes for tests, made on this machine out of Go modules and Debian packages.

`build` makes one program, kubekit, which is etcd, the API server and the other parts, kubectl and helm; it is kept outside
the checkout and made again only when its sources change. `cluster` runs those parts from a work directory: the control plane
alone on loopback, or with `node` a whole node in namespaces of its own, whose pods run under containerd. `images` makes and
loads images, `alone` runs a command in a network in which nothing but this machine exists, `end` ends what was begun. The
command line is `python -m tests.cluster.kit`.

Every file of a cluster lies in its work directory: `kubeconfig`, `pki/`, and in `run/` for each part its log, its process
and a script that starts it again.
"""
