"""The custom resource definitions of KubeVirt and CDI, generated from our own compact type tables."""

from clusters.sandbox.crds.definitions import custom_resource_definitions
from clusters.sandbox.crds.notation import INTEGERS, Field, Type, types

__all__ = ["INTEGERS", "Field", "Type", "custom_resource_definitions", "types"]
