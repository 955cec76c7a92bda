"""What the tests against a real Kubernetes stand on, beside `tests.integration.harness`.

`api` is a client of the API server that shares no code with the product's, `pods` makes Pods by hand and plays the kubelet
for them, `running` is the cluster of the session as tests may treat it. Nothing here imports the planes' code.
"""
