"""Structs of pods and workloads (notation: `kinds.py`). Rare volume sources are schemaless on purpose."""

from __future__ import annotations

PODS = """
Pod: spec:PodSpec status:PodStatus
PodTemplateSpec: metadata:ObjectMeta spec:PodSpec
PodSpec: volumes:[Volume]/name initContainers:[Container]/name containers:[Container]/name+
  ephemeralContainers:[EphemeralContainer]/name
  restartPolicy:str terminationGracePeriodSeconds:*int64 activeDeadlineSeconds:*int64 dnsPolicy:str nodeSelector:{str}!
  serviceAccountName:str serviceAccount:str automountServiceAccountToken:*bool nodeName:str hostNetwork:bool hostPID:bool
  hostIPC:bool shareProcessNamespace:*bool securityContext:*PodSecurityContext imagePullSecrets:[LocalObjectReference]/name
  hostname:str subdomain:str affinity:*Affinity schedulerName:str tolerations:[Toleration] hostAliases:[HostAlias]/ip
  priorityClassName:str priority:*int dnsConfig:*DNSConfig
  readinessGates:[ReadinessGate] runtimeClassName:*str enableServiceLinks:*bool
  preemptionPolicy:*str overhead:{qty} topologySpreadConstraints:[Spread]/topologyKey,whenUnsatisfiable setHostnameAsFQDN:*bool
  os:*PodOS hostUsers:*bool schedulingGates:[SchedulingGate]/name resourceClaims:[any] resources:*ResourceRequirements
PodOS: name:str+
DNSConfig: nameservers:[str] searches:[str] options:[DNSOption]
DNSOption: name:str value:*str
ReadinessGate: conditionType:str+
SchedulingGate: name:str+
HostAlias: ip:str+ hostnames:[str]
Toleration: key:str operator:str value:str effect:str tolerationSeconds:*int64
Spread: maxSkew:int+ topologyKey:str+ whenUnsatisfiable:str+ labelSelector:*LabelSelector minDomains:*int
  nodeAffinityPolicy:*str nodeTaintsPolicy:*str matchLabelKeys:[str]
PodSecurityContext: seLinuxOptions:*any windowsOptions:*any runAsUser:*int64 runAsGroup:*int64 runAsNonRoot:*bool
  supplementalGroups:[int64] supplementalGroupsPolicy:*str fsGroup:*int64 sysctls:[Sysctl] fsGroupChangePolicy:*str
  seccompProfile:*SeccompProfile appArmorProfile:*any seLinuxChangePolicy:*str
Sysctl: name:str+ value:str+
SeccompProfile: type:str+ localhostProfile:*str
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
  envFrom:[EnvFrom] env:[EnvVar]/name resources:ResourceRequirements resizePolicy:[any] restartPolicy:*str
  volumeMounts:[VolumeMount]/mountPath volumeDevices:[VolumeDevice]/devicePath livenessProbe:*Probe readinessProbe:*Probe
  startupProbe:*Probe lifecycle:*Lifecycle terminationMessagePath:str terminationMessagePolicy:str imagePullPolicy:str
  securityContext:*SecurityContext stdin:bool stdinOnce:bool tty:bool
EphemeralContainer: name:str+ image:str command:[str] args:[str] workingDir:str
  ports:[ContainerPort]/containerPort,protocol=TCP envFrom:[EnvFrom] env:[EnvVar]/name resources:ResourceRequirements
  resizePolicy:[any] restartPolicy:*str volumeMounts:[VolumeMount]/mountPath volumeDevices:[VolumeDevice]/devicePath
  livenessProbe:*Probe readinessProbe:*Probe startupProbe:*Probe lifecycle:*Lifecycle terminationMessagePath:str
  terminationMessagePolicy:str imagePullPolicy:str securityContext:*SecurityContext stdin:bool stdinOnce:bool tty:bool
  targetContainerName:str
EnvFrom: prefix:str configMapRef:*EnvRef secretRef:*EnvRef
EnvRef: name:str optional:*bool
Lifecycle: postStart:*LifecycleHandler preStop:*LifecycleHandler stopSignal:*str
LifecycleHandler: exec:*ExecAction httpGet:*HTTPGetAction tcpSocket:*TCPSocketAction sleep:*SleepAction
ExecAction: command:[str]
HTTPGetAction: path:str port:ios+ host:str scheme:str httpHeaders:[HTTPHeader]
HTTPHeader: name:str+ value:str+
TCPSocketAction: port:ios+ host:str
GRPCAction: port:int+ service:*str+
SleepAction: seconds:int64+
ContainerPort: name:str hostPort:int containerPort:int+ protocol:str hostIP:str
EnvVar: name:str+ value:str valueFrom:*EnvVarSource
EnvVarSource: fieldRef:*FieldRef resourceFieldRef:*ResourceFieldRef configMapKeyRef:*KeyRef secretKeyRef:*KeyRef fileKeyRef:*any
ResourceFieldRef!: containerName:str resource:str+ divisor:qty+
FieldRef!: apiVersion:str fieldPath:str+
KeyRef!: name:str key:str+ optional:*bool
ResourceRequirements: limits:{qty} requests:{qty} claims:[any]
VolumeMount: name:str+ readOnly:bool recursiveReadOnly:*str mountPath:str+ subPath:str mountPropagation:*str subPathExpr:str
VolumeDevice: name:str+ devicePath:str+
Probe: exec:*ExecAction httpGet:*HTTPGetAction tcpSocket:*TCPSocketAction grpc:*GRPCAction
  initialDelaySeconds:int timeoutSeconds:int periodSeconds:int
  successThreshold:int failureThreshold:int terminationGracePeriodSeconds:*int64
SecurityContext: capabilities:*Capabilities privileged:*bool seLinuxOptions:*any windowsOptions:*any runAsUser:*int64
  runAsGroup:*int64 runAsNonRoot:*bool readOnlyRootFilesystem:*bool allowPrivilegeEscalation:*bool procMount:*str
  seccompProfile:*SeccompProfile appArmorProfile:*any
Capabilities: add:[str] drop:[str]
Volume: name:str+ hostPath:*HostPath emptyDir:*EmptyDir secret:*SecretVolume nfs:*NFS
  persistentVolumeClaim:*ClaimVolume configMap:*ConfigMapVolume projected:*Projected downwardAPI:*DownwardAPI csi:*any
  ephemeral:*EphemeralVolume gitRepo:*GitRepo iscsi:*any rbd:*any cephfs:*any image:*any
HostPath: path:str+ type:*str
EmptyDir: medium:str sizeLimit:*qty
SecretVolume: secretName:str items:[KeyToPath] defaultMode:*int optional:*bool
ConfigMapVolume: name:str items:[KeyToPath] defaultMode:*int optional:*bool
KeyToPath: key:str+ path:str+ mode:*int
Projected: sources:[Projection]+ defaultMode:*int
Projection: secret:*ProjectedSource downwardAPI:*DownwardAPIProjection configMap:*ProjectedSource
  serviceAccountToken:*TokenProjection clusterTrustBundle:*any podCertificate:*any
ProjectedSource: name:str items:[KeyToPath] optional:*bool
DownwardAPIProjection: items:[DownwardAPIFile]
TokenProjection: audience:str expirationSeconds:*int64 path:str+
DownwardAPI: items:[DownwardAPIFile] defaultMode:*int
DownwardAPIFile: path:str+ fieldRef:*FieldRef resourceFieldRef:*ResourceFieldRef mode:*int
EphemeralVolume: volumeClaimTemplate:*ClaimTemplate
ClaimTemplate: metadata:ObjectMeta spec:PersistentVolumeClaimSpec
GitRepo: repository:str+ revision:str directory:str
NFS: server:str+ path:str+ readOnly:bool
ClaimVolume: claimName:str+ readOnly:bool
PodStatus: observedGeneration:int64 phase:str conditions:[PodCondition]/type message:str reason:str
  nominatedNodeName:str hostIP:str hostIPs:[any] podIP:str podIPs:[PodIP]/ip startTime:*time
  initContainerStatuses:[ContainerStatus]
  containerStatuses:[ContainerStatus] qosClass:str
  ephemeralContainerStatuses:[ContainerStatus] resize:str resourceClaimStatuses:[any]
PodIP: ip:str+
PodCondition: type:str+ observedGeneration:int64 status:str+ lastProbeTime:time+ lastTransitionTime:time+ reason:str message:str
ContainerStatus: name:str+ state:ContainerState lastState:ContainerState ready:bool+ restartCount:int+ image:str+ imageID:str+
  containerID:str started:*bool allocatedResources:{qty} resources:*any volumeMounts:[any]/mountPath user:*any
  allocatedResourcesStatus:[any] stopSignal:*str
ContainerState: waiting:*StateWaiting running:*StateRunning terminated:*StateTerminated
StateWaiting: reason:str message:str
StateRunning: startedAt:time+
StateTerminated: exitCode:int+ signal:int reason:str message:str startedAt:time+ finishedAt:time+ containerID:str
WorkloadCondition: type:str+ status:str+ lastTransitionTime:time+ reason:str message:str
DeploymentCondition: type:str+ status:str+ lastUpdateTime:time+ lastTransitionTime:time+ reason:str message:str
Deployment: spec:DeploymentSpec status:DeploymentStatus
DeploymentSpec: replicas:*int selector:*LabelSelector+ template:PodTemplateSpec strategy:DeploymentStrategy
  minReadySeconds:int revisionHistoryLimit:*int paused:bool progressDeadlineSeconds:*int
DeploymentStrategy: type:str rollingUpdate:*RollingUpdate
RollingUpdate: maxUnavailable:*ios maxSurge:*ios partition:*int
DeploymentStatus: observedGeneration:int64 replicas:int updatedReplicas:int readyReplicas:int availableReplicas:int
  unavailableReplicas:int terminatingReplicas:*int conditions:[DeploymentCondition]/type collisionCount:*int
WorkloadStatus: observedGeneration:int64 replicas:int updatedReplicas:int readyReplicas:int availableReplicas:int
  unavailableReplicas:int terminatingReplicas:*int conditions:[WorkloadCondition]/type collisionCount:*int
  fullyLabeledReplicas:int currentReplicas:int currentRevision:str updateRevision:str
ReplicaSet: spec:ReplicaSetSpec status:WorkloadStatus
ReplicaSetSpec: replicas:*int minReadySeconds:int selector:*LabelSelector+ template:PodTemplateSpec
StatefulSet: spec:StatefulSetSpec status:WorkloadStatus
ClaimOfSet: kind:str apiVersion:str metadata:ObjectMeta spec:PersistentVolumeClaimSpec status:PersistentVolumeClaimStatus
StatefulSetSpec: replicas:*int selector:*LabelSelector+ template:PodTemplateSpec volumeClaimTemplates:[ClaimOfSet]
  serviceName:str+
  podManagementPolicy:str updateStrategy:DeploymentStrategy revisionHistoryLimit:*int minReadySeconds:int
  persistentVolumeClaimRetentionPolicy:*any ordinals:*Ordinals
Ordinals: start:int+
DaemonSet: spec:DaemonSetSpec status:DaemonSetStatus
DaemonSetSpec: selector:*LabelSelector+ template:PodTemplateSpec updateStrategy:DeploymentStrategy minReadySeconds:int
  revisionHistoryLimit:*int
DaemonSetStatus: currentNumberScheduled:int+ numberMisscheduled:int+ desiredNumberScheduled:int+ numberReady:int+
  observedGeneration:int64 updatedNumberScheduled:int numberAvailable:int numberUnavailable:int collisionCount:*int
  conditions:[WorkloadCondition]/type
Job: spec:JobSpec status:JobStatus
JobStatus: conditions:[JobCondition] startTime:*time completionTime:*time active:int succeeded:int failed:int terminating:*int
  completedIndexes:str failedIndexes:*str uncountedTerminatedPods:*any ready:*int
JobCondition: type:str+ status:str+ lastProbeTime:time+ lastTransitionTime:time+ reason:str message:str
JobSpec: parallelism:*int completions:*int activeDeadlineSeconds:*int64 backoffLimit:*int selector:*LabelSelector
  manualSelector:*bool template:PodTemplateSpec ttlSecondsAfterFinished:*int completionMode:*str suspend:*bool
  podReplacementPolicy:*str podFailurePolicy:*any successPolicy:*any backoffLimitPerIndex:*int maxFailedIndexes:*int
  managedBy:*str
"""
