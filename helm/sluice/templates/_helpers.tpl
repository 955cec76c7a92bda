{{- define "sluice.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "sluice.name" .) .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "sluice.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sluice.namespace" -}}
{{ default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "sluice.controlplane" -}}
{{ include "sluice.fullname" . }}-controlplane
{{- end }}

{{- define "sluice.dataplane" -}}
{{ include "sluice.fullname" . }}-dataplane
{{- end }}

{{- /* The name behind which all control planes are found, each by its own address. */ -}}
{{- define "sluice.controlplane.link" -}}
{{ include "sluice.controlplane" . }}-link
{{- end }}

{{- /* Labels that never change, for selectors. Call with (list . COMPONENT). */ -}}
{{- define "sluice.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "sluice.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* Labels of every object. Call with (list . COMPONENT). */ -}}
{{- define "sluice.labels" -}}
{{- $root := index . 0 -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Call with (list . VALUES-OF-THE-PLANE). */ -}}
{{- define "sluice.image" -}}
{{- $root := index . 0 -}}
{{- $image := (index . 1).image -}}
{{- $registry := default $image.registry $root.Values.global.imageRegistry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default $root.Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- define "sluice.imagePullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sluice.controlplane.serviceAccount" -}}
{{- if .Values.controlplane.serviceAccount.create }}{{ default (include "sluice.controlplane" .) .Values.controlplane.serviceAccount.name }}
{{- else }}{{ default "default" .Values.controlplane.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "sluice.dataplane.serviceAccount" -}}
{{- if .Values.dataplane.serviceAccount.create }}{{ default (include "sluice.dataplane" .) .Values.dataplane.serviceAccount.name }}
{{- else }}{{ default "default" .Values.dataplane.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "sluice.tlsSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" }}{{ required "tls.existingSecret.name is needed with tls.mode existingSecret" .Values.tls.existingSecret.name }}
{{- else }}{{ include "sluice.controlplane" . }}-tls{{ end }}
{{- end }}

{{- /* Every name under which a control plane is reached: by its Services, by one pod behind the link, and through a port-forward. */ -}}
{{- define "sluice.dnsNames" -}}
{{- $namespace := include "sluice.namespace" . -}}
{{- $domain := .Values.clusterDomain -}}
{{- range $service := list (include "sluice.controlplane" .) (include "sluice.controlplane.link" .) }}
{{ $service }}
{{ $service }}.{{ $namespace }}
{{ $service }}.{{ $namespace }}.svc
{{ $service }}.{{ $namespace }}.svc.{{ $domain }}
{{- end }}
*.{{ include "sluice.controlplane.link" . }}.{{ $namespace }}.svc
*.{{ include "sluice.controlplane.link" . }}.{{ $namespace }}.svc.{{ $domain }}
localhost
{{- end }}

{{- /* Spreading, unless values say how. Call with (list . COMPONENT VALUES-OF-THE-PLANE HAS-REPLICASETS). */ -}}
{{- define "sluice.topologySpread" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $hash := index . 3 -}}
{{- with (index . 2).topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sluice.selectorLabels" (list $root $component) | nindent 8 }}
    {{- if $hash }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* What the pods of both planes have in common. Call with (list . VALUES-OF-THE-PLANE). */ -}}
{{- define "sluice.podSpec" -}}
{{- $plane := index . 1 -}}
{{- include "sluice.imagePullSecrets" (index . 0) }}
{{- with $plane.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $plane.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $plane.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $plane.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $plane.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $plane.podSecurityContext | nindent 2 }}
{{- with $plane.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Three probes of one port. Call with (list VALUES-OF-THE-PLANE LIVE-PATH READY-PATH). */ -}}
{{- define "sluice.probes" -}}
{{- $plane := index . 0 -}}
{{- $live := dict "path" (index . 1) "port" "health" -}}
{{- $ready := dict "path" (index . 2) "port" "health" -}}
startupProbe:
  {{- toYaml (mergeOverwrite (dict "httpGet" $live "periodSeconds" 2 "timeoutSeconds" 3 "failureThreshold" 30) $plane.startupProbe) | nindent 2 }}
livenessProbe:
  {{- toYaml (mergeOverwrite (dict "httpGet" $live "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6) $plane.livenessProbe) | nindent 2 }}
readinessProbe:
  {{- toYaml (mergeOverwrite (dict "httpGet" $ready "periodSeconds" 2 "timeoutSeconds" 3 "failureThreshold" 2) $plane.readinessProbe) | nindent 2 }}
{{- end }}
