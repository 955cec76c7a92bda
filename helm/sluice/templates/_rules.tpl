{{- /* What the control plane may do where Services are: look, tell of what it found, and keep operators' wishes. */ -}}
{{- define "sluice.controlplane.rules" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [sluice.dev]
  resources: [backendpolicies]
  verbs: [get, list, watch]
- apiGroups: [sluice.dev]
  resources: [serveroverrides]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [sluice.dev]
  resources: [backendpolicies/status, serveroverrides/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}

{{- /* What it may do in its own namespace: lead, keep records, and see which data planes there are. A name cannot be given with
`create`, since the object has none yet when that is judged. */ -}}
{{- define "sluice.controlplane.ownRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "sluice.controlplane" . }}]
  verbs: [get, update]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "sluice.controlplane" . }}, {{ include "sluice.snapshot" . }}]
  verbs: [get, update]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end }}

{{- /* The ConfigMap in which the leader keeps the last state, which the next leader and data planes begin with. */ -}}
{{- define "sluice.snapshot" -}}
{{ include "sluice.controlplane" . }}-snapshot
{{- end }}
