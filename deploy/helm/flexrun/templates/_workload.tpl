{{/* The Deployment and the PodDisruptionBudget of one role: a dict of `root` and `role`. */}}
{{- define "flexrun.workload" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $own := index $root.Values $role -}}
{{- $notice := $own.stopNoticeSeconds | default 0 -}}
{{- $given := $root.Values.secrets -}}
{{- $secrets := dict "database_url" $given.database -}}
{{- if $given.broker.name }}{{ $_ := set $secrets "broker_url" $given.broker }}{{ end -}}
{{- if $given.payloadKeys.name }}{{ $_ := set $secrets "payload_keys" $given.payloadKeys }}{{ end -}}
{{- $tls := and (eq $role "gateway") (get (default dict $own.tls) "secretName") -}}
{{- if eq $role "gateway" -}}
{{- $_ := set $secrets "tokens" $given.tokens -}}
{{- if $given.linkSecret.name }}{{ $_ := set $secrets "link_secret" $given.linkSecret }}{{ end -}}
{{- end -}}
{{- $scaled := and $own.autoscaling $own.autoscaling.enabled -}}
{{- $settings := dict "HEALTH_PORT" "8081" "HEALTH_HOST" "0.0.0.0" "DRAIN_SECONDS" $own.drainSeconds "STOP_NOTICE_SECONDS" $notice -}}
{{- if $tls }}{{ $_ := merge $settings (dict "TLS_CERT" "/run/secrets/tls/tls.crt" "TLS_KEY" "/run/secrets/tls/tls.key") }}{{ end -}}
{{- $settings = mergeOverwrite $settings (deepCopy $root.Values.settings) (deepCopy $own.settings) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "flexrun.name" $root }}-{{ $role }}
  labels: {{- include "flexrun.labels" . | nindent 4 }}
spec:
  {{- if not $scaled }}
  replicas: {{ $own.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{- include "flexrun.selector" . | nindent 6 }}
  # One more is ready before one stops: streams end at a gateway that stops, and go on at another.
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels: {{- include "flexrun.labels" . | nindent 8 }}
      {{- with $root.Values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "flexrun.pod" $root | nindent 6 }}
      # The notice, the drain, the 10 s in which the rest has to be over (docs/operations.md), and some to spare.
      terminationGracePeriodSeconds: {{ add (int $notice) (int $own.drainSeconds) 15 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "flexrun.selector" . | nindent 14 }}
      containers:
        - name: {{ $role }}
          {{- include "flexrun.container" $root | nindent 10 }}
          args: [{{ $role }}]
          env:
            {{- range $file, $_ := $secrets }}
            - name: FLEXRUN_{{ upper $file }}_FILE
              value: /run/secrets/flexrun/{{ $file }}
            {{- end }}
            {{- range $name, $value := $settings }}
            - name: FLEXRUN_{{ $name }}
              value: {{ $value | toString | quote }}
            {{- end }}
            {{- with $own.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- if eq $role "gateway" }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: health, containerPort: 8081}
          # A process that waits for its database is alive and not ready.
          livenessProbe:
            httpGet: {path: /healthz, port: health}
            initialDelaySeconds: 5
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /readyz, port: health}
            periodSeconds: 2
            timeoutSeconds: 5
            failureThreshold: 1
          resources: {{- toYaml $own.resources | nindent 12 }}
          volumeMounts: {{- include "flexrun.mounts" $root | nindent 12 }}
            {{- if $tls }}
            - {name: tls, mountPath: /run/secrets/tls, readOnly: true}
            {{- end }}
            {{- with $own.volumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes: {{- include "flexrun.volumes" $secrets | nindent 8 }}
        {{- if $tls }}
        - name: tls
          secret: {secretName: {{ $tls }}, defaultMode: 0440}
        {{- end }}
        {{- with $own.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "flexrun.name" $root }}-{{ $role }}
  labels: {{- include "flexrun.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "flexrun.selector" . | nindent 6 }}
{{- end -}}
