"""Types of Go with a name of their own, where a field is text or quantities by another name.

A refusal to decode names them (k8s.io/api, types.go of each group).
"""

from __future__ import annotations

TEXT = """
CompletionMode: JobSpec.completionMode
ConcurrencyPolicy: CronJobSpec.concurrencyPolicy
ConditionStatus: PodCondition.status NodeCondition.status
ContainerRestartPolicy: Container.restartPolicy
DNSPolicy: PodSpec.dnsPolicy
DeploymentConditionType: DeploymentCondition.type
DeploymentStrategyType: DeploymentStrategy.type
IPFamilyPolicy: ServiceSpec.ipFamilyPolicy
JobConditionType: JobCondition.type
LimitType: LimitRangeItem.type
LoadBalancerIPMode: LoadBalancerIngress.ipMode
MetricTargetType: MetricTarget.type
MountPropagationMode: VolumeMount.mountPropagation
NamespacePhase: NamespaceStatus.phase
NodeAddressType: NodeAddress.type
NodeConditionType: NodeCondition.type
NodePhase: NodeStatus.phase
OSName: PodOS.name
PersistentVolumeClaimPhase: PersistentVolumeClaimStatus.phase
PersistentVolumeMode: PersistentVolumeSpec.volumeMode PersistentVolumeClaimSpec.volumeMode
PersistentVolumePhase: PersistentVolumeStatus.phase
PersistentVolumeReclaimPolicy: PersistentVolumeSpec.persistentVolumeReclaimPolicy
PodConditionType: PodCondition.type
PodFSGroupChangePolicy: PodSecurityContext.fsGroupChangePolicy
PodManagementPolicyType: StatefulSetSpec.podManagementPolicy
PodPhase: PodStatus.phase
PodQOSClass: PodStatus.qosClass
PodReplacementPolicy: JobSpec.podReplacementPolicy
PodResizeStatus: PodStatus.resize
PodSELinuxChangePolicy: PodSecurityContext.seLinuxChangePolicy
PreemptionPolicy: PodSpec.preemptionPolicy
ProcMountType: SecurityContext.procMount
Protocol: ContainerPort.protocol ServicePort.protocol EndpointPort.protocol PortStatus.protocol
PullPolicy: Container.imagePullPolicy
RecursiveReadOnlyMode: VolumeMount.recursiveReadOnly
ResourceList: PersistentVolumeSpec.capacity PersistentVolumeClaimStatus.capacity
  PersistentVolumeClaimStatus.allocatedResources ResourceRequirements.limits ResourceRequirements.requests
  VolumeResourceRequirements.limits VolumeResourceRequirements.requests ContainerStatus.allocatedResources
  PodSpec.overhead NodeStatus.capacity NodeStatus.allocatable LimitRangeItem.max LimitRangeItem.min
  LimitRangeItem.default LimitRangeItem.defaultRequest LimitRangeItem.maxLimitRequestRatio ResourceQuotaSpec.hard
  ResourceQuotaStatus.hard ResourceQuotaStatus.used
RestartPolicy: PodSpec.restartPolicy
SeccompProfileType: SeccompProfile.type
SecretType: Secret.type
ServiceAffinity: ServiceSpec.sessionAffinity
ServiceExternalTrafficPolicy: ServiceSpec.externalTrafficPolicy
ServiceInternalTrafficPolicy: ServiceSpec.internalTrafficPolicy
ServiceType: ServiceSpec.type
Signal: Lifecycle.stopSignal ContainerStatus.stopSignal
SupplementalGroupsPolicy: PodSecurityContext.supplementalGroupsPolicy
TaintEffect: Taint.effect Toleration.effect
TerminationMessagePolicy: Container.terminationMessagePolicy
TolerationOperator: Toleration.operator
URIScheme: HTTPGetAction.scheme
VolumeBindingMode: StorageClass.volumeBindingMode
"""


def _parsed() -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for word in TEXT.split():
        if word.endswith(":"):
            name = "v1." + word[:-1]
        else:
            found[word] = name
    return found


NAMED = _parsed()  # "Secret.type" to "v1.SecretType"
