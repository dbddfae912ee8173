"""Protobuf bodies of the built-in kinds that kubectl creates with its typed client.

Messages are read by their field numbers into the documents that JSON would have brought. Only the kinds below are
known; answers are always JSON, which those clients take as well.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

# message: number=name:type; types: str int bool bytes qty ios time a message, [list], {map of them by string}
MESSAGES = """
Unknown 1=typeMeta:TypeMeta 2=raw:raw 3=contentEncoding:str 4=contentType:str
TypeMeta 1=apiVersion:str 2=kind:str
ObjectMeta 1=name:str 2=generateName:str 3=namespace:str 5=uid:str 6=resourceVersion:str 7=generation:int
  8=creationTimestamp:time 9=deletionTimestamp:time 10=deletionGracePeriodSeconds:int 11=labels:{str}
  12=annotations:{str} 13=ownerReferences:[OwnerReference] 14=finalizers:[str]
OwnerReference 1=kind:str 3=name:str 4=uid:str 5=apiVersion:str 6=controller:bool 7=blockOwnerDeletion:bool
ConfigMap 1=metadata:ObjectMeta 2=data:{str} 3=binaryData:{bytes} 4=immutable:bool
Secret 1=metadata:ObjectMeta 2=data:{bytes} 3=type:str 4=stringData:{str} 5=immutable:bool
Namespace 1=metadata:ObjectMeta 2=spec:NamespaceSpec
NamespaceSpec 1=finalizers:[str]
ServiceAccount 1=metadata:ObjectMeta 2=secrets:[ObjectReference] 3=imagePullSecrets:[LocalReference]
  4=automountServiceAccountToken:bool
ObjectReference 1=kind:str 2=namespace:str 3=name:str 4=uid:str 5=apiVersion:str 6=resourceVersion:str 7=fieldPath:str
LocalReference 1=name:str
ResourceQuota 1=metadata:ObjectMeta 2=spec:ResourceQuotaSpec
ResourceQuotaSpec 1=hard:{qty} 2=scopes:[str]
Role 1=metadata:ObjectMeta 2=rules:[PolicyRule]
ClusterRole 1=metadata:ObjectMeta 2=rules:[PolicyRule]
PolicyRule 1=verbs:[str] 2=apiGroups:[str] 3=resources:[str] 4=resourceNames:[str] 5=nonResourceURLs:[str]
RoleBinding 1=metadata:ObjectMeta 2=subjects:[Subject] 3=roleRef:RoleRef
ClusterRoleBinding 1=metadata:ObjectMeta 2=subjects:[Subject] 3=roleRef:RoleRef
Subject 1=kind:str 2=apiGroup:str 3=name:str 4=namespace:str
RoleRef 1=apiGroup:str 2=kind:str 3=name:str
Service 1=metadata:ObjectMeta 2=spec:ServiceSpec
ServiceSpec 1=ports:[ServicePort] 2=selector:{str} 3=clusterIP:str 4=type:str 5=externalIPs:[str] 7=sessionAffinity:str
  8=loadBalancerIP:str 9=loadBalancerSourceRanges:[str] 10=externalName:str 18=clusterIPs:[str]
ServicePort 1=name:str 2=protocol:str 3=port:int 4=targetPort:ios 5=nodePort:int 6=appProtocol:str
PriorityClass 1=metadata:ObjectMeta 2=value:int 3=globalDefault:bool 4=description:str 5=preemptionPolicy:str
SelfSubjectAccessReview 1=metadata:ObjectMeta 2=spec:SelfSubjectAccessReviewSpec
SelfSubjectAccessReviewSpec 1=resourceAttributes:ResourceAttributes 2=nonResourceAttributes:NonResourceAttributes
ResourceAttributes 1=namespace:str 2=verb:str 3=group:str 4=version:str 5=resource:str 6=subresource:str 7=name:str
NonResourceAttributes 1=path:str 2=verb:str
SelfSubjectRulesReview 1=metadata:ObjectMeta 2=spec:SelfSubjectRulesReviewSpec
SelfSubjectRulesReviewSpec 1=namespace:str
SelfSubjectReview 1=metadata:ObjectMeta
DeleteOptions 1=gracePeriodSeconds:int 2=preconditions:Preconditions 3=orphanDependents:bool 4=propagationPolicy:str
  5=dryRun:[str]
Preconditions 1=uid:str 2=resourceVersion:str
"""


class UnreadableError(ValueError):
    """The bytes are no such message, or one of a kind that is not known here."""


def _parse(text: str) -> dict[str, dict[int, tuple[str, str]]]:
    out: dict[str, dict[int, tuple[str, str]]] = {}
    for line in text.replace("\n  ", " ").strip().splitlines():
        message, *fields = line.split()
        out[message] = {}
        for field in fields:
            number, _, rest = field.partition("=")
            name, _, kind = rest.partition(":")
            out[message][int(number)] = (name, kind)
    return out


FIELDS = _parse(MESSAGES)


def document(body: bytes) -> Object:
    """The object in an envelope, with its kind and apiVersion."""
    if not body.startswith(MAGIC):
        raise UnreadableError("provided data does not appear to be a protobuf message")
    envelope = _message("Unknown", body[len(MAGIC) :])
    head = envelope.get("typeMeta") or {}
    kind = head.get("kind", "")
    if kind not in FIELDS or kind in {"Unknown", "TypeMeta"}:
        raise UnreadableError(f'no kind "{kind}" is registered for protobuf')
    return {"kind": kind, "apiVersion": head.get("apiVersion", ""), **_message(kind, envelope.get("raw", b""))}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value - (1 << 64) if value >= 1 << 63 else value, at
    raise UnreadableError("unexpected EOF")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and raw values: whole numbers, or bytes of strings and messages."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif wire == 2:
            size, at = _varint(data, at)
            if size < 0 or at + size > len(data):
                raise UnreadableError("unexpected EOF")
            yield tag >> 3, data[at : at + size]
            at += size
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
            if at + size > len(data):
                raise UnreadableError("unexpected EOF")
            yield tag >> 3, struct.unpack("<q" if wire == 1 else "<i", data[at : at + size])[0]
            at += size
        else:
            raise UnreadableError(f"illegal wireType {wire}")


def _message(kind: str, data: bytes) -> Object:
    out: Object = {}
    known = FIELDS[kind]
    for number, raw in _fields(data):
        if number not in known:
            continue
        name, of = known[number]
        if of.startswith("["):
            out.setdefault(name, []).append(_value(of[1:-1], raw))
        elif of.startswith("{"):
            pair = dict(_fields(raw))
            out.setdefault(name, {})[_text(pair.get(1, b""))] = _value(of[1:-1], pair.get(2, b""))
        else:
            value = _value(of, raw)
            if value not in ("", None):
                out[name] = value
    return out


def _text(raw: Any) -> str:
    if not isinstance(raw, bytes):
        raise UnreadableError("wrong wireType")
    return raw.decode("utf-8", "replace")


def _value(kind: str, raw: Any) -> Any:
    if kind in {"int", "bool"}:
        if not isinstance(raw, int):
            raise UnreadableError("wrong wireType")
        return bool(raw) if kind == "bool" else raw
    if not isinstance(raw, bytes):
        raise UnreadableError("wrong wireType")
    if kind == "str":
        return _text(raw)
    if kind == "raw":
        return raw
    if kind == "bytes":
        return base64.b64encode(raw).decode()
    if kind == "qty":
        return _text(dict(_fields(raw)).get(1, b""))
    if kind == "ios":
        parts = dict(_fields(raw))
        return _text(parts.get(3, b"")) if parts.get(1) else parts.get(2, 0)
    if kind == "time":
        seconds = dict(_fields(raw)).get(1)
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None
    return _message(kind, raw)
