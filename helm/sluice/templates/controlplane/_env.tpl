{{- /* Everything that sluice-controlplane is told. */ -}}
{{- define "sluice.controlplane.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: SLUICE_STORE
  value: kubernetes
- name: SLUICE_LISTEN
  value: {{ printf "%s:8000" .Values.controlplane.bindAddress | quote }}
- name: SLUICE_HEALTH_LISTEN
  value: {{ printf "%s:8001" .Values.controlplane.bindAddress | quote }}
- name: SLUICE_TLS_CERT
  value: /etc/sluice/tls/tls.crt
- name: SLUICE_TLS_KEY
  value: /etc/sluice/tls/tls.key
- name: SLUICE_REMOVAL_PERCENT
  value: {{ .Values.controlplane.removalPercent | quote }}
- name: SLUICE_LOG_LEVEL
  value: {{ .Values.controlplane.logLevel }}
{{- end }}
