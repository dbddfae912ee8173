"""Webhook configurations, policies and their bindings: what the server refuses to store (k8s-transcript 10)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import cel
from clusters.sandbox.conditions import REQUEST_VARIABLES
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import quoted
from clusters.sandbox.policies import CODES, VARIABLES
from clusters.sandbox.store import Store

Object = dict[str, Any]
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
VERSIONS = {"v1", "v1beta1"}


def _one_of(path: str, value: Any, allowed: tuple[str, ...]) -> list[FieldError]:
    if value in allowed:
        return []
    listed = ", ".join(quoted(item) for item in allowed)
    return [FieldError("Unsupported value", path, f"{quoted(value or '')}: supported values: {listed}")]


def webhooks(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, hook in enumerate(new.get("webhooks") or ()):
        path, name = f"webhooks[{i}]", hook.get("name", "")
        if not name:
            errors.append(FieldError("Required value", f"{path}.name"))
        elif name.count(".") < 2:
            text = f"{quoted(name)}: should be a domain with at least three segments separated by dots"
            errors.append(FieldError("Invalid value", f"{path}.name", text))
        if name in seen:
            errors.append(FieldError("Duplicate value", f"{path}.name", quoted(name)))
        seen.add(name)
        errors += _webhook(path, hook)
    return errors


def _webhook(path: str, hook: Object) -> list[FieldError]:
    errors = _rules(f"{path}.rules", hook.get("rules") or [])
    errors += _one_of(f"{path}.failurePolicy", hook.get("failurePolicy"), ("Fail", "Ignore"))
    errors += _one_of(f"{path}.matchPolicy", hook.get("matchPolicy"), ("Equivalent", "Exact"))
    if not hook.get("sideEffects"):
        errors.append(FieldError("Required value", f"{path}.sideEffects", "must specify one of None, NoneOnDryRun"))
    else:
        errors += _one_of(f"{path}.sideEffects", hook["sideEffects"], ("None", "NoneOnDryRun"))
    seconds = hook.get("timeoutSeconds") or 0
    if not 1 <= seconds <= 30:
        text = f"{seconds}: the timeout value must be between 1 and 30 seconds"
        errors.append(FieldError("Invalid value", f"{path}.timeoutSeconds", text))
    errors += _client(f"{path}.clientConfig", hook.get("clientConfig") or {})
    spoken = hook.get("admissionReviewVersions") or []
    if not spoken:
        text = "must specify one of v1, v1beta1"
        errors.append(FieldError("Required value", f"{path}.admissionReviewVersions", text))
    elif not VERSIONS & set(spoken):
        shown = "[" + ",".join(quoted(word) for word in spoken) + "]"
        text = f"{shown}: must include at least one of v1, v1beta1"
        errors.append(FieldError("Invalid value", f"{path}.admissionReviewVersions", text))
    return errors + _conditions(f"{path}.matchConditions", hook.get("matchConditions"), REQUEST_VARIABLES)


def _client(path: str, config: Object) -> list[FieldError]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [FieldError("Required value", path, "exactly one of url or service is required")]
    if url is not None and not url.startswith("https://"):
        text = f"{quoted(url.partition(':')[0])}: 'https' is the only allowed URL scheme; desired format: https://host[/path]"
        return [FieldError("Invalid value", f"{path}.url", text)]
    if service is None:
        return []
    missing = [name for name in ("name", "namespace") if not service.get(name)]
    return [FieldError("Required value", f"{path}.service.{name}", f"service {name} is required") for name in missing]


def _rules(path: str, rules: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, rule in enumerate(rules):
        needed = ("operations", "apiGroups", "apiVersions", "resources")
        errors += [FieldError("Required value", f"{path}[{i}].{key}") for key in needed if not rule.get(key)]
        for j, operation in enumerate(rule.get("operations") or ()):
            errors += _one_of(f"{path}[{i}].operations[{j}]", operation, OPERATIONS)
        errors += _one_of(f"{path}[{i}].scope", rule.get("scope"), ("*", "Cluster", "Namespaced"))
    return errors


def _conditions(path: str, terms: Any, variables: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, term in enumerate(terms or ()):
        if not term.get("name"):
            errors.append(FieldError("Required value", f"{path}[{i}].name"))
        errors += _expression(f"{path}[{i}].expression", term.get("expression", ""), variables)
    return errors


def _expression(path: str, text: str, variables: frozenset[str]) -> list[FieldError]:
    if not text.strip():
        return [FieldError("Required value", path, "expression is not specified")]
    try:
        cel.compiled(text, variables)
    except cel.CompileError as problem:
        return [FieldError("Invalid value", path, f"{quoted(text)}: compilation failed: {problem}")]
    return []


def policy(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = _one_of("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    match = spec.get("matchConstraints")
    if match is None:
        errors.append(FieldError("Required value", "spec.matchConstraints"))
    else:
        if not match.get("resourceRules"):
            errors.append(FieldError("Required value", "spec.matchConstraints.resourceRules"))
        errors += _rules("spec.matchConstraints.resourceRules", match.get("resourceRules") or [])
    for i, variable in enumerate(spec.get("variables") or ()):
        errors += _expression(f"spec.variables[{i}].expression", variable.get("expression", ""), VARIABLES)
    errors += _conditions("spec.matchConditions", spec.get("matchConditions"), VARIABLES)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        text = "validations or auditAnnotations must contain at least one item"
        errors.append(FieldError("Required value", "spec.validations", text))
    for i, rule in enumerate(spec.get("validations") or ()):
        path = f"spec.validations[{i}]"
        errors += _expression(f"{path}.expression", rule.get("expression", ""), VARIABLES)
        if rule.get("messageExpression"):
            errors += _expression(f"{path}.messageExpression", rule["messageExpression"], VARIABLES)
        if rule.get("reason") is not None:
            errors += _one_of(f"{path}.reason", rule["reason"], tuple(CODES))
    return errors


def policy_binding(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    if not spec.get("policyName"):
        errors.append(FieldError("Required value", "spec.policyName"))
    actions = spec.get("validationActions") or []
    if not actions:
        errors.append(
            FieldError("Required value", "spec.validationActions", "at least one validation action is required")
        )
    for i, action in enumerate(actions):
        errors += _one_of(f"spec.validationActions[{i}]", action, ("Audit", "Deny", "Warn"))
    if {"Deny", "Warn"} <= set(actions):
        text = "must not contain both Deny and Warn (repeating the same validation failure information in the API "
        text += "response and headers serves no purpose)"
        errors.append(FieldError("Invalid value", "spec.validationActions", f'["Deny","Warn"]: {text}'))
    return errors
