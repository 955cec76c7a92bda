{{- /* Everything that sluice-controlplane is told. */ -}}
{{- define "sluice.controlplane.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: SLUICE_STORE
  value: kubernetes
- name: SLUICE_NAME
  value: {{ include "sluice.controlplane" . }}
{{- with .Values.watchNamespaces }}
- name: SLUICE_WATCH
  value: {{ join "," . | quote }}
{{- end }}
- name: SLUICE_AUDIENCE
  value: {{ .Values.tokens.audience | quote }}
- name: SLUICE_DATAPLANE_ACCOUNTS
  value: {{ include "sluice.namespace" . }}:{{ include "sluice.dataplane.serviceAccount" . }}
- name: SLUICE_LISTEN
  value: {{ printf "%s:8000" .Values.controlplane.bindAddress | quote }}
- name: SLUICE_HEALTH_LISTEN
  value: {{ printf "%s:8001" .Values.controlplane.bindAddress | quote }}
- name: SLUICE_TLS_CERT
  value: /etc/sluice/tls/tls.crt
- name: SLUICE_TLS_KEY
  value: /etc/sluice/tls/tls.key
- name: SLUICE_LEADER_CA
  value: /etc/sluice/tls/ca.crt
- name: SLUICE_LEADER_NAME
  value: {{ include "sluice.controlplane.link" . }}.{{ include "sluice.namespace" . }}.svc.{{ .Values.clusterDomain }}
- name: SLUICE_REMOVAL_PERCENT
  value: {{ .Values.controlplane.removalPercent | quote }}
- name: SLUICE_LOG_LEVEL
  value: {{ .Values.controlplane.logLevel }}
{{- end }}
