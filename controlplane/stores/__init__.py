"""Where the desired state is kept. Each store honours the contract of `controlplane.domain.store`."""
