{{- define "leadgate.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "leadgate.selector" -}}
app.kubernetes.io/name: leadgate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "leadgate.labels" -}}
{{ include "leadgate.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "leadgate.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "leadgate.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "leadgate.image" -}}
image: "{{ required "set image.repository" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* What is secret comes as files, so that it is in no environment, and can be read again. The list says which. */ -}}
{{- define "leadgate.secretEnv" -}}
{{- $keys := .root.Values.secrets.keys }}
{{- range $name, $of := .names }}
{{- with index $keys $of }}
- {name: {{ $name }}_FILE, value: "/run/secrets/leadgate/{{ . }}"}
{{- end }}
{{- end }}
{{- end }}

{{- define "leadgate.env" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- define "leadgate.pod" -}}
serviceAccountName: {{ include "leadgate.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: secrets
    secret:
      secretName: {{ required "set secrets.existingSecret" .Values.secrets.existingSecret }}
      defaultMode: 0440
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{- define "leadgate.mounts" -}}
volumeMounts:
  - {name: secrets, mountPath: /run/secrets/leadgate, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "leadgate.podMetadata" -}}
labels: {{ include "leadgate.labels" . | nindent 2 }}
{{- $metrics := .root.Values.metrics.annotations }}
{{- if or $metrics .root.Values.podAnnotations }}
annotations:
  {{- if $metrics }}
  prometheus.io/scrape: "true"
  prometheus.io/path: /metrics
  prometheus.io/port: {{ .port | quote }}
  {{- end }}
  {{- with .root.Values.podAnnotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}

{{- /* Pods of a program are on different nodes and zones, where there are several. */ -}}
{{- define "leadgate.placement" -}}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "leadgate.selector" $ | nindent 8 }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
