"""Schemas of the built-in kinds, one struct a line.

`name:type`; types: str int int64 bool float bytes qty ios time microtime any, a struct's name, [list], {map};
`*` pointer (printed even when zero), `+` printed even when empty, `!` atomic for server-side apply,
`/a,b=x` keyed list with key default, `$` set. A struct whose name ends in `!` is atomic.
The list types are those of the published OpenAPI of Kubernetes 1.36.
"""

from __future__ import annotations

from clusters.sandbox.kinds_pods import PODS
from clusters.sandbox.schema import Library

META = """
ObjectMeta: name:str generateName:str namespace:str selfLink:str uid:str resourceVersion:str generation:int64
  creationTimestamp:*time deletionTimestamp:*time deletionGracePeriodSeconds:*int64 labels:{str} annotations:{str}
  ownerReferences:[OwnerReference]/uid finalizers:[str]$ managedFields:[any]
OwnerReference!: apiVersion:str+ kind:str+ name:str+ uid:str+ controller:*bool blockOwnerDeletion:*bool
LabelSelector!: matchLabels:{str} matchExpressions:[LabelSelectorRequirement]
LabelSelectorRequirement: key:str+ operator:str+ values:[str]
Condition: type:str+ status:str+ observedGeneration:int64 lastTransitionTime:time+ reason:str+ message:str+
ObjectReference!: kind:str namespace:str name:str uid:str apiVersion:str resourceVersion:str fieldPath:str
LocalObjectReference!: name:str
TypedLocalObjectReference!: apiGroup:*str+ kind:str+ name:str+
TypedObjectReference: apiGroup:*str+ kind:str+ name:str+ namespace:*str
SecretReference!: name:str namespace:str
DeleteOptions: kind:str apiVersion:str gracePeriodSeconds:*int64 preconditions:*Preconditions orphanDependents:*bool
  propagationPolicy:*str dryRun:[str] ignoreStoreReadErrorWithClusterBreakingPotential:*bool
Preconditions: uid:*str resourceVersion:*str
"""

CORE = """
Namespace: spec:NamespaceSpec status:NamespaceStatus
NamespaceSpec: finalizers:[str]
NamespaceStatus: phase:str conditions:[TimedCondition]/type
TimedCondition: type:str+ status:str+ lastTransitionTime:time+ reason:str message:str
ClaimCondition: type:str+ status:str+ lastProbeTime:time+ lastTransitionTime:time+ reason:str message:str
NodeCondition: type:str+ status:str+ lastHeartbeatTime:time+ lastTransitionTime:time+ reason:str message:str
StatusCondition: type:str+ status:str+ lastUpdateTime:*time lastProbeTime:*time lastHeartbeatTime:*time
  lastTransitionTime:*time reason:str message:str observedGeneration:int64
Secret: immutable:*bool data:{bytes} stringData:{str} type:str
ConfigMap: immutable:*bool data:{str} binaryData:{bytes}
ServiceAccount: secrets:[ObjectReference]/name imagePullSecrets:[LocalObjectReference] automountServiceAccountToken:*bool
Service: spec:ServiceSpec status:ServiceStatus
ServiceSpec: ports:[ServicePort]/port,protocol=TCP selector:{str}! clusterIP:str clusterIPs:[str] type:str
  externalIPs:[str] sessionAffinity:str loadBalancerIP:str loadBalancerSourceRanges:[str] externalName:str
  externalTrafficPolicy:str healthCheckNodePort:int publishNotReadyAddresses:bool
  sessionAffinityConfig:*SessionAffinityConfig ipFamilies:[str] ipFamilyPolicy:*str
  allocateLoadBalancerNodePorts:*bool loadBalancerClass:*str internalTrafficPolicy:*str trafficDistribution:*str
SessionAffinityConfig: clientIP:*ClientIPConfig
ClientIPConfig: timeoutSeconds:*int
ServicePort: name:str protocol:str appProtocol:*str port:int+ targetPort:ios+ nodePort:int
ServiceStatus: loadBalancer:LoadBalancerStatus conditions:[Condition]/type
LoadBalancerStatus: ingress:[LoadBalancerIngress]
LoadBalancerIngress: ip:str hostname:str ipMode:*str ports:[PortStatus]
PortStatus: port:int+ protocol:str+ error:*str
PersistentVolumeClaim: spec:PersistentVolumeClaimSpec status:PersistentVolumeClaimStatus
PersistentVolumeClaimSpec: accessModes:[str] selector:*LabelSelector resources:VolumeResourceRequirements volumeName:str
  storageClassName:*str volumeMode:*str dataSource:*TypedLocalObjectReference dataSourceRef:*TypedObjectReference
  volumeAttributesClassName:*str
VolumeResourceRequirements: limits:{qty} requests:{qty}
PersistentVolumeClaimStatus: phase:str accessModes:[str] capacity:{qty} conditions:[ClaimCondition]/type
  allocatedResources:{qty} allocatedResourceStatuses:{str} currentVolumeAttributesClassName:*str
PersistentVolume: spec:PersistentVolumeSpec status:PersistentVolumeStatus
PersistentVolumeSpec: capacity:{qty} accessModes:[str] claimRef:*ClaimReference persistentVolumeReclaimPolicy:str
  storageClassName:str mountOptions:[str] volumeMode:*str nodeAffinity:*VolumeNodeAffinity hostPath:*HostPath
  nfs:*NFS csi:*CSIVolume local:*LocalVolume iscsi:*any rbd:*any cephfs:*any volumeAttributesClassName:*str
CSIVolume: driver:str+ volumeHandle:str+ readOnly:bool fsType:str volumeAttributes:{str}
  controllerPublishSecretRef:*SecretReference
  nodeStageSecretRef:*SecretReference nodePublishSecretRef:*SecretReference controllerExpandSecretRef:*SecretReference
  nodeExpandSecretRef:*SecretReference
LocalVolume: path:str+ fsType:*str
ClaimReference: kind:str namespace:str name:str uid:str apiVersion:str resourceVersion:str fieldPath:str
VolumeNodeAffinity: required:*NodeSelector
PersistentVolumeStatus: phase:str message:str reason:str lastPhaseTransitionTime:*time
ResourceQuota: spec:ResourceQuotaSpec status:ResourceQuotaStatus
ResourceQuotaSpec: hard:{qty} scopes:[str] scopeSelector:*ScopeSelector
ScopeSelector!: matchExpressions:[ScopedRequirement]
ScopedRequirement: scopeName:str+ operator:str+ values:[str]
ResourceQuotaStatus: hard:{qty} used:{qty}
LimitRange: spec:LimitRangeSpec
LimitRangeSpec: limits:[LimitRangeItem]+
LimitRangeItem: type:str+ max:{qty} min:{qty} default:{qty} defaultRequest:{qty} maxLimitRequestRatio:{qty}
Event: involvedObject:ObjectReference reason:str message:str source:EventSource firstTimestamp:time+ lastTimestamp:time+
  count:int type:str eventTime:microtime+ series:*EventSeries action:str related:*ObjectReference
  reportingComponent:str+ reportingInstance:str+
EventSource: component:str host:str
EventSeries: count:int lastObservedTime:microtime+
Endpoints: subsets:[EndpointSubset]
EndpointSubset: addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[NamedPort]
EndpointAddress!: ip:str+ hostname:str nodeName:*str targetRef:*ObjectReference
NamedPort!: name:str port:int+ protocol:str appProtocol:*str
Node: spec:NodeSpec status:NodeStatus
NodeSpec: podCIDR:str podCIDRs:[str]$ providerID:str unschedulable:bool taints:[Taint]
Taint: key:str+ value:str effect:str+ timeAdded:*time
NodeStatus: capacity:{qty} allocatable:{qty} phase:str conditions:[NodeCondition]/type addresses:[NodeAddress]/type
  daemonEndpoints:DaemonEndpoints nodeInfo:NodeSystemInfo images:[any] volumesInUse:[str] volumesAttached:[any] features:*any
  runtimeHandlers:[any]
NodeAddress: type:str+ address:str+
DaemonEndpoints: kubeletEndpoint:DaemonEndpoint
DaemonEndpoint: Port:int+
NodeSystemInfo: machineID:str+ systemUUID:str+ bootID:str+ kernelVersion:str+ osImage:str+ containerRuntimeVersion:str+
  kubeletVersion:str+ kubeProxyVersion:str+ operatingSystem:str+ architecture:str+
"""

GROUPS = """
Role: rules:[PolicyRule]+
ClusterRole: rules:[PolicyRule]+ aggregationRule:*AggregationRule
AggregationRule: clusterRoleSelectors:[LabelSelector]
PolicyRule: verbs:[str]+ apiGroups:[str] resources:[str] resourceNames:[str] nonResourceURLs:[str]
RoleBinding: subjects:[Subject] roleRef:RoleRef
ClusterRoleBinding: subjects:[Subject] roleRef:RoleRef
Subject!: kind:str+ apiGroup:str name:str+ namespace:str
RoleRef!: apiGroup:str+ kind:str+ name:str+
NetworkPolicy: spec:NetworkPolicySpec
NetworkPolicySpec: podSelector:LabelSelector ingress:[IngressRule] egress:[EgressRule] policyTypes:[str]
IngressRule: ports:[PolicyPort] from:[Peer]
EgressRule: ports:[PolicyPort] to:[Peer]
PolicyPort: protocol:*str port:*ios endPort:*int
Peer: podSelector:*LabelSelector namespaceSelector:*LabelSelector ipBlock:*IPBlock
IPBlock: cidr:str+ except:[str]
Ingress: spec:IngressSpec status:IngressStatus
IngressSpec: ingressClassName:*str defaultBackend:*IngressBackend tls:[IngressTLS] rules:[IngressHostRule]
IngressBackend: service:*IngressService resource:*TypedLocalObjectReference
IngressService: name:str+ port:BackendPort
BackendPort!: name:str number:int
IngressTLS: hosts:[str] secretName:str
IngressHostRule: host:str http:*HTTPIngress
HTTPIngress: paths:[HTTPPath]+
HTTPPath: path:str pathType:*str backend:IngressBackend
IngressStatus: loadBalancer:LoadBalancerStatus
IngressClass: spec:IngressClassSpec
IngressClassSpec: controller:str parameters:*IngressClassParameters
IngressClassParameters: apiGroup:*str+ kind:str+ name:str+ scope:*str+ namespace:*str
StorageClass: provisioner:str+ parameters:{str} reclaimPolicy:*str mountOptions:[str] allowVolumeExpansion:*bool
  volumeBindingMode:*str allowedTopologies:[TopologyTerm]
TopologyTerm!: matchLabelExpressions:[TopologyRequirement]
TopologyRequirement!: key:str+ values:[str]+
VolumeAttachment: spec:any status:any
CSIDriver: spec:any
Lease: spec:LeaseSpec
LeaseSpec: holderIdentity:*str leaseDurationSeconds:*int acquireTime:*microtime renewTime:*microtime leaseTransitions:*int
  strategy:*str preferredHolder:*str
PriorityClass: value:int+ globalDefault:bool description:str preemptionPolicy:*str
PodDisruptionBudget: spec:PDBSpec status:PDBStatus
PDBStatus: observedGeneration:int64 disruptedPods:{time} disruptionsAllowed:int+ currentHealthy:int+ desiredHealthy:int+
  expectedPods:int+ conditions:[Condition]/type
PDBSpec: minAvailable:*ios selector:*LabelSelector maxUnavailable:*ios unhealthyPodEvictionPolicy:*str
ValidatingWebhookConfiguration: webhooks:[Webhook]/name
MutatingWebhookConfiguration: webhooks:[Webhook]/name
Webhook: name:str+ clientConfig:WebhookClient rules:[WebhookRule] failurePolicy:*str matchPolicy:*str
  namespaceSelector:*LabelSelector objectSelector:*LabelSelector sideEffects:*str+ timeoutSeconds:*int
  admissionReviewVersions:[str]+ matchConditions:[MatchCondition]/name reinvocationPolicy:*str
WebhookClient: url:*str service:*WebhookService caBundle:bytes
WebhookService: namespace:str+ name:str+ path:*str port:*int
WebhookRule: operations:[str] apiGroups:[str] apiVersions:[str] resources:[str] scope:*str resourceNames:[str]
MatchCondition: name:str+ expression:str+
ValidatingAdmissionPolicy: spec:PolicySpec status:PolicyStatus
PolicySpec: paramKind:*ParamKind matchConstraints:*MatchResources validations:[PolicyValidation] failurePolicy:*str
  auditAnnotations:[AuditAnnotation] matchConditions:[MatchCondition]/name variables:[PolicyVariable]/name
PolicyStatus: observedGeneration:int64 typeChecking:*any conditions:[Condition]/type
ParamKind!: apiVersion:str kind:str
MatchResources!: namespaceSelector:*LabelSelector objectSelector:*LabelSelector resourceRules:[WebhookRule]
  excludeResourceRules:[WebhookRule] matchPolicy:*str
PolicyValidation: expression:str+ message:str reason:*str messageExpression:str
AuditAnnotation: key:str+ valueExpression:str+
PolicyVariable!: name:str+ expression:str+
ValidatingAdmissionPolicyBinding: spec:PolicyBindingSpec
PolicyBindingSpec: policyName:str paramRef:*ParamRef matchResources:*MatchResources validationActions:[str]$
ParamRef!: name:str namespace:str selector:*LabelSelector parameterNotFoundAction:*str
CustomResourceDefinition: spec:CRDSpec status:CRDStatus
CRDSpec: group:str+ names:CRDNames scope:str+ versions:[CRDVersion] conversion:*CRDConversion preserveUnknownFields:bool
CRDNames: plural:str+ singular:str shortNames:[str] kind:str+ listKind:str categories:[str]
CRDVersion: name:str+ served:bool+ storage:bool+ deprecated:bool deprecationWarning:*str schema:*CRDValidation
  subresources:*CRDSubresources additionalPrinterColumns:[PrinterColumn] selectableFields:[SelectableField]
CRDValidation: openAPIV3Schema:*any
CRDSubresources: status:*any scale:*CRDScale
CRDScale: specReplicasPath:str+ statusReplicasPath:str+ labelSelectorPath:*str
PrinterColumn: name:str+ type:str+ format:str description:str priority:int jsonPath:str+
SelectableField: jsonPath:str+
CRDConversion: strategy:str+ webhook:*any
CRDStatus: conditions:[StatusCondition]/type+ acceptedNames:CRDNames storedVersions:[str]+ observedGeneration:int64
MutatingAdmissionPolicy: spec:any
MutatingAdmissionPolicyBinding: spec:any
APIService: spec:any status:any
PodTemplate: template:PodTemplateSpec
ReplicationController: spec:any status:any
ControllerRevision: data:any revision:int64+
CronJob: spec:CronJobSpec status:CronJobStatus
CronJobSpec: schedule:str+ timeZone:*str startingDeadlineSeconds:*int64 concurrencyPolicy:str suspend:*bool
  jobTemplate:JobTemplate successfulJobsHistoryLimit:*int failedJobsHistoryLimit:*int
JobTemplate: metadata:ObjectMeta spec:JobSpec
CronJobStatus: active:[ObjectReference] lastScheduleTime:*time lastSuccessfulTime:*time
HorizontalPodAutoscaler: spec:AutoscalerSpec status:AutoscalerStatus
AutoscalerSpec: scaleTargetRef:ScaleTarget minReplicas:*int maxReplicas:int+ metrics:[Metric] behavior:*ScaleBehavior
ScaleTarget: kind:str+ name:str+ apiVersion:str
Metric: type:str+ object:*any pods:*any resource:*ResourceMetric containerResource:*ResourceMetric external:*any
ResourceMetric: name:str+ container:str target:MetricTarget
MetricTarget: type:str+ value:*qty averageValue:*qty averageUtilization:*int
ScaleBehavior: scaleUp:*ScalingRules scaleDown:*ScalingRules
ScalingRules: stabilizationWindowSeconds:*int selectPolicy:*str policies:*[ScalingPolicy] tolerance:*qty
ScalingPolicy: type:str+ value:int+ periodSeconds:int+
AutoscalerStatus: observedGeneration:*int64 lastScaleTime:*time currentReplicas:int desiredReplicas:int+ currentMetrics:[any]+
  conditions:[WorkloadCondition]/type
CertificateSigningRequest: spec:any status:any
IPAddress: spec:any
ServiceCIDR: spec:any status:any
CSINode: spec:any
CSIStorageCapacity: nodeTopology:*LabelSelector storageClassName:str+ capacity:*qty maximumVolumeSize:*qty
VolumeAttributesClass: driverName:str+ parameters:{str}
RuntimeClass: handler:str+ overhead:*any scheduling:*any
DeviceClass: spec:any
ResourceClaim: spec:any status:any
ResourceClaimTemplate: spec:any
ResourceSlice: spec:any
FlowSchema: spec:any status:any
PriorityLevelConfiguration: spec:any status:any
EndpointSlice: addressType:str+ endpoints:[Endpoint]+ ports:[EndpointPort]+
Endpoint: addresses:[str]$+ conditions:EndpointConditions hostname:*str targetRef:*ObjectReference deprecatedTopology:{str}
  nodeName:*str zone:*str hints:*any
EndpointConditions: ready:*bool serving:*bool terminating:*bool
EndpointPort!: name:*str protocol:*str port:*int appProtocol:*str
SubjectAccessReview: spec:SubjectAccessReviewSpec status:any
LocalSubjectAccessReview: spec:SubjectAccessReviewSpec status:any
SelfSubjectAccessReview: spec:SelfSubjectAccessReviewSpec status:any
SubjectAccessReviewSpec: resourceAttributes:*ResourceAttributes nonResourceAttributes:*PathAttributes user:str
  groups:[str] extra:any uid:str
SelfSubjectAccessReviewSpec: resourceAttributes:*ResourceAttributes nonResourceAttributes:*PathAttributes
ResourceAttributes: namespace:str verb:str group:str version:str resource:str subresource:str name:str
  fieldSelector:*any labelSelector:*any
PathAttributes: path:str verb:str
SelfSubjectRulesReview: spec:SelfSubjectRulesReviewSpec status:any
SelfSubjectRulesReviewSpec: namespace:str
SelfSubjectReview: status:any
TokenReview: spec:TokenReviewSpec status:any
TokenReviewSpec: token:str audiences:[str]
TokenRequest: spec:TokenRequestSpec status:TokenRequestStatus
TokenRequestSpec: audiences:[str]+ expirationSeconds:*int64 boundObjectRef:*any
TokenRequestStatus: token:str+ expirationTimestamp:*time
"""

LIBRARY = Library(META + CORE + PODS + GROUPS)
