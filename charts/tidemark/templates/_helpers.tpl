{{- define "tidemark.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tidemark.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tidemark.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tidemark.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tidemark.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "tidemark.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "tidemark.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidemark.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* (dict "image" .Values.agent.image "chart" .Chart) */}}
{{- define "tidemark.image" -}}
{{- .image.repository }}:{{ default .chart.AppVersion .image.tag }}{{ with .image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "tidemark.agentRoleName" -}}
{{ include "tidemark.fullname" . }}-agent
{{- end }}

{{- /* The account that the agent's Jobs run under, in every namespace. */}}
{{- define "tidemark.agentAccount" -}}
tidemark-agent
{{- end }}

{{- define "tidemark.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "tidemark.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* What the operator may do in a namespace; no rule of Tidemark's names Secrets. */}}
{{- define "tidemark.operatorRules" -}}
- apiGroups: [tidemark.dev]
  resources: [backuprepositories, backuppolicies]
  verbs: [get, list, watch, patch, update]
# A verification is a recovery or a restore of the operator's own making.
- apiGroups: [tidemark.dev]
  resources: [backupruns, restorerequests, pitrrecoveries]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [tidemark.dev]
  resources: [backuprepositories/status, backuppolicies/status, backupruns/status, restorerequests/status, pitrrecoveries/status]
  verbs: [get, patch, update]
- apiGroups: [tidemark.dev]
  resources: [backuprepositories/finalizers, backuppolicies/finalizers, backupruns/finalizers, restorerequests/finalizers, pitrrecoveries/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Of a recovery: a server's service and volume; of one that failed: what was made for it goes.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, create, patch, delete]
# WAL archiving: the sidecar in the target's pods, and the watcher; a recovery: the new server, or scaling the old one.
- apiGroups: [apps]
  resources: [statefulsets, deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* What an agent may do in its namespace: report on its own objects. */}}
{{- define "tidemark.agentRules" -}}
# list: the catalogue compares the runs with what the repository holds.
- apiGroups: [tidemark.dev]
  resources: [backupruns]
  verbs: [get, list, create]
- apiGroups: [tidemark.dev]
  resources: [restorerequests, pitrrecoveries, backuppolicies, backuprepositories]
  verbs: [get]
- apiGroups: [tidemark.dev]
  resources: [backupruns/status, restorerequests/status, pitrrecoveries/status, backuppolicies/status, backuprepositories/status]
  verbs: [get, patch, update]
{{- end }}

{{- /* What hooks that run commands need: to find the server's pod, and to run them there. Nobody has it by the chart. */}}
{{- define "tidemark.execHooksRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [apps]
  resources: [statefulsets, deployments]
  verbs: [get]
# A WebSocket begins as a GET; newer API servers ask for create beside it.
- apiGroups: [""]
  resources: [pods/exec]
  verbs: [get, create]
{{- end }}

{{- /* CEL: whether a field of the spec is there, "a.b.c". */}}
{{- define "tidemark.has" -}}
{{- $path := "object.spec" }}
{{- $parts := list }}
{{- range splitList "." . }}
{{- $path = printf "%s.%s" $path . }}
{{- $parts = append $parts (printf "has(%s)" $path) }}
{{- end }}
{{- join " && " $parts }}
{{- end }}

{{- /* CEL: the check of a workload that a field of the spec names. */}}
{{- define "tidemark.workload" -}}
{{- $ref := printf "object.spec.%s" . -}}
authorizer.group({{ $ref }}.kind == 'Pod' ? '' : 'apps').resource({{ $ref }}.kind == 'StatefulSet' ? 'statefulsets' : ({{ $ref }}.kind == 'Deployment' ? 'deployments' : 'pods')).namespace(request.namespace).name({{ $ref }}.name)
{{- end }}

{{- /* CEL: the check of the Secrets that the http hooks of one list name. */}}
{{- define "tidemark.hookSecrets" -}}
{{- $secret := "authorizer.group('').resource('secrets').namespace(request.namespace).name" -}}
(!has(object.spec.hooks.{{ . }}) || object.spec.hooks.{{ . }}.all(hook, !has(hook.http) || ((!has(hook.http.headers) || hook.http.headers.all(header, {{ $secret }}(header.secretKeyRef.name).check('get').allowed())) && (!has(hook.http.caSecretRef) || {{ $secret }}(hook.http.caSecretRef.name).check('get').allowed()))))
{{- end }}
