"""Structs of pods and workloads (notation: `kinds.py`). Rare volume sources are schemaless on purpose."""

from __future__ import annotations

PODS = """
Pod: spec:PodSpec status:PodStatus
PodTemplateSpec: metadata:ObjectMeta spec:PodSpec
PodSpec: volumes:[Volume]/name initContainers:[Container]/name containers:[Container]/name+ ephemeralContainers:[any]
  restartPolicy:str terminationGracePeriodSeconds:*int64 activeDeadlineSeconds:*int64 dnsPolicy:str nodeSelector:{str}!
  serviceAccountName:str serviceAccount:str automountServiceAccountToken:*bool nodeName:str hostNetwork:bool hostPID:bool
  hostIPC:bool shareProcessNamespace:*bool securityContext:*PodSecurityContext imagePullSecrets:[LocalObjectReference]/name
  hostname:str subdomain:str affinity:*Affinity schedulerName:str tolerations:[Toleration] hostAliases:[HostAlias]/ip
  priorityClassName:str priority:*int dnsConfig:*any readinessGates:[any] runtimeClassName:*str enableServiceLinks:*bool
  preemptionPolicy:*str overhead:{qty} topologySpreadConstraints:[Spread]/topologyKey,whenUnsatisfiable setHostnameAsFQDN:*bool
  os:*PodOS hostUsers:*bool schedulingGates:[SchedulingGate]/name resourceClaims:[any] resources:*ResourceRequirements
PodOS: name:str+
SchedulingGate: name:str+
HostAlias: ip:str+ hostnames:[str]
Toleration: key:str operator:str value:str effect:str tolerationSeconds:*int64
Spread: maxSkew:int+ topologyKey:str+ whenUnsatisfiable:str+ labelSelector:*LabelSelector minDomains:*int
  nodeAffinityPolicy:*str nodeTaintsPolicy:*str matchLabelKeys:[str]
PodSecurityContext: seLinuxOptions:*any windowsOptions:*any runAsUser:*int64 runAsGroup:*int64 runAsNonRoot:*bool
  supplementalGroups:[int64] supplementalGroupsPolicy:*str fsGroup:*int64 sysctls:[any] fsGroupChangePolicy:*str
  seccompProfile:*any appArmorProfile:*any seLinuxChangePolicy:*str
Affinity: nodeAffinity:*NodeAffinity podAffinity:*PodAffinity podAntiAffinity:*PodAffinity
NodeAffinity: requiredDuringSchedulingIgnoredDuringExecution:*NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution:[PreferredTerm]
NodeSelector!: nodeSelectorTerms:[NodeSelectorTerm]+
NodeSelectorTerm!: matchExpressions:[NodeRequirement] matchFields:[NodeRequirement]
NodeRequirement: key:str+ operator:str+ values:[str]
PreferredTerm: weight:int+ preference:NodeSelectorTerm
PodAffinity: requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]
  preferredDuringSchedulingIgnoredDuringExecution:[WeightedTerm]
WeightedTerm: weight:int+ podAffinityTerm:PodAffinityTerm
PodAffinityTerm: labelSelector:*LabelSelector namespaces:[str] topologyKey:str+ namespaceSelector:*LabelSelector
  matchLabelKeys:[str] mismatchLabelKeys:[str]
Container: name:str+ image:str command:[str] args:[str] workingDir:str ports:[ContainerPort]/containerPort,protocol=TCP
  envFrom:[any] env:[EnvVar]/name resources:ResourceRequirements resizePolicy:[any] restartPolicy:*str
  volumeMounts:[VolumeMount]/mountPath volumeDevices:[VolumeDevice]/devicePath livenessProbe:*Probe readinessProbe:*Probe
  startupProbe:*Probe lifecycle:*any terminationMessagePath:str terminationMessagePolicy:str imagePullPolicy:str
  securityContext:*SecurityContext stdin:bool stdinOnce:bool tty:bool
ContainerPort: name:str hostPort:int containerPort:int+ protocol:str hostIP:str
EnvVar: name:str+ value:str valueFrom:*EnvVarSource
EnvVarSource: fieldRef:*FieldRef resourceFieldRef:*any configMapKeyRef:*KeyRef secretKeyRef:*KeyRef
FieldRef!: apiVersion:str fieldPath:str+
KeyRef!: name:str key:str+ optional:*bool
ResourceRequirements: limits:{qty} requests:{qty} claims:[any]
VolumeMount: name:str+ readOnly:bool recursiveReadOnly:*str mountPath:str+ subPath:str mountPropagation:*str subPathExpr:str
VolumeDevice: name:str+ devicePath:str+
Probe: exec:*any httpGet:*any tcpSocket:*any grpc:*any initialDelaySeconds:int timeoutSeconds:int periodSeconds:int
  successThreshold:int failureThreshold:int terminationGracePeriodSeconds:*int64
SecurityContext: capabilities:*Capabilities privileged:*bool seLinuxOptions:*any windowsOptions:*any runAsUser:*int64
  runAsGroup:*int64 runAsNonRoot:*bool readOnlyRootFilesystem:*bool allowPrivilegeEscalation:*bool procMount:*str
  seccompProfile:*any appArmorProfile:*any
Capabilities: add:[str] drop:[str]
Volume: name:str+ hostPath:*HostPath emptyDir:*EmptyDir secret:*SecretVolume nfs:*NFS
  persistentVolumeClaim:*ClaimVolume configMap:*ConfigMapVolume projected:*any downwardAPI:*any csi:*any ephemeral:*any
  iscsi:*any rbd:*any cephfs:*any image:*any
HostPath: path:str+ type:*str
EmptyDir: medium:str sizeLimit:*qty
SecretVolume: secretName:str items:[KeyToPath] defaultMode:*int optional:*bool
ConfigMapVolume: name:str items:[KeyToPath] defaultMode:*int optional:*bool
KeyToPath: key:str+ path:str+ mode:*int
NFS: server:str+ path:str+ readOnly:bool
ClaimVolume: claimName:str+ readOnly:bool
PodStatus: observedGeneration:int64 phase:str conditions:[StatusCondition]/type message:str reason:str
  nominatedNodeName:str hostIP:str hostIPs:[any] podIP:str podIPs:[PodIP]/ip startTime:*time initContainerStatuses:[any]
  containerStatuses:[any] qosClass:str ephemeralContainerStatuses:[any] resize:str resourceClaimStatuses:[any]
PodIP: ip:str+
Deployment: spec:DeploymentSpec status:WorkloadStatus
DeploymentSpec: replicas:*int selector:*LabelSelector+ template:PodTemplateSpec strategy:DeploymentStrategy
  minReadySeconds:int revisionHistoryLimit:*int paused:bool progressDeadlineSeconds:*int
DeploymentStrategy: type:str rollingUpdate:*RollingUpdate
RollingUpdate: maxUnavailable:*ios maxSurge:*ios partition:*int
WorkloadStatus: observedGeneration:int64 replicas:int updatedReplicas:int readyReplicas:int availableReplicas:int
  unavailableReplicas:int terminatingReplicas:*int conditions:[StatusCondition]/type collisionCount:*int
  fullyLabeledReplicas:int currentReplicas:int currentRevision:str updateRevision:str
ReplicaSet: spec:ReplicaSetSpec status:WorkloadStatus
ReplicaSetSpec: replicas:*int minReadySeconds:int selector:*LabelSelector+ template:PodTemplateSpec
StatefulSet: spec:StatefulSetSpec status:WorkloadStatus
StatefulSetSpec: replicas:*int selector:*LabelSelector+ template:PodTemplateSpec volumeClaimTemplates:[any] serviceName:str+
  podManagementPolicy:str updateStrategy:DeploymentStrategy revisionHistoryLimit:*int minReadySeconds:int
  persistentVolumeClaimRetentionPolicy:*any ordinals:*any
DaemonSet: spec:DaemonSetSpec status:DaemonSetStatus
DaemonSetSpec: selector:*LabelSelector+ template:PodTemplateSpec updateStrategy:DeploymentStrategy minReadySeconds:int
  revisionHistoryLimit:*int
DaemonSetStatus: currentNumberScheduled:int+ numberMisscheduled:int+ desiredNumberScheduled:int+ numberReady:int+
  observedGeneration:int64 updatedNumberScheduled:int numberAvailable:int numberUnavailable:int collisionCount:*int
  conditions:[StatusCondition]/type
Job: spec:JobSpec status:any
JobSpec: parallelism:*int completions:*int activeDeadlineSeconds:*int64 backoffLimit:*int selector:*LabelSelector
  manualSelector:*bool template:PodTemplateSpec ttlSecondsAfterFinished:*int completionMode:*str suspend:*bool
  podReplacementPolicy:*str podFailurePolicy:*any successPolicy:*any backoffLimitPerIndex:*int maxFailedIndexes:*int
"""
