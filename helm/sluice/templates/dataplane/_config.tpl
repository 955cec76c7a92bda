{{- /* Lines of `global` without which a data plane would not be one of this release's. */ -}}
{{- define "sluice.cfg.global" }}
    node "${POD_NAME}"
    nbthread {{ .Values.dataplane.workers }}
    maxconn {{ int .Values.dataplane.maxConn }}
    log stdout format raw local0
    stats socket unix@/run/sluice/sluice.sock mode 600 level admin
    state-dir /var/lib/sluice
    bootstrap-file /etc/sluice-snapshot/snapshot.json.gz
    control-plane https://{{ include "sluice.controlplane.link" . }}.{{ include "sluice.namespace" . }}.svc.{{ .Values.clusterDomain }}:8000 token-file /var/run/secrets/sluice.dev/token ca-file /var/run/secrets/sluice.dev/ca.crt
    {{- if ne .Values.dataplane.onPartition "keep" }}
    on-partition {{ .Values.dataplane.onPartition }}
    {{- end }}
    grace {{ .Values.dataplane.shutdown.graceSeconds }}s
    hard-stop-after {{ .Values.dataplane.shutdown.drainSeconds }}s
{{- end }}

{{- define "sluice.cfg" -}}
{{- $config := .Values.dataplane.config -}}
{{- if $config.override }}{{ tpl $config.override . }}
{{- else -}}
# Frontends stand here; backends, servers and routes come from the control plane.
global
{{- include "sluice.cfg.global" . }}
{{- with $config.extraGlobal }}
{{ tpl . $ | trim | indent 4 }}
{{- end }}

defaults
    mode http
    log global
    option httplog
    option forwardfor
    option redispatch
    retries 3
    timeout connect {{ $config.timeouts.connect }}
    timeout client {{ $config.timeouts.client }}
    timeout server {{ $config.timeouts.server }}
    timeout queue {{ $config.timeouts.queue }}
    timeout http-request {{ $config.timeouts.httpRequest }}
    timeout http-keep-alive {{ $config.timeouts.httpKeepAlive }}
{{- with $config.extraDefaults }}
{{ tpl . $ | trim | indent 4 }}
{{- end }}

frontend http
    bind {{ $config.bindAddress }}:8080
{{- with $config.extraFrontend }}
{{ tpl . $ | trim | indent 4 }}
{{- end }}
    use-routes

# The statistics page, /metrics, /livez and /readyz.
listen statistics
    bind {{ $config.bindAddress }}:8404
    stats enable
    stats uri /
    http-request use-service prometheus-exporter if { path /metrics }
{{- with $config.extraSections }}

{{ tpl . $ | trim }}
{{- end }}
{{- end }}
{{- end }}
