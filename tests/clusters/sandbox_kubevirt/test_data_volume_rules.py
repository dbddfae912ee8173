"""CDI's admission of DataVolumes, one row per rule (datavolume-validate.go of CDI 1.66)."""

from typing import Any

import pytest

from clusters.sandbox.cdi.validate import refusal

GIB = {"resources": {"requests": {"storage": "1Gi"}}}
BLANK: dict[str, Any] = {"source": {"blank": {}}}
REGISTRY = "spec.source.Registry"
VDDK = {"secretRef": "s", "uuid": "u", "backingFile": "f", "thumbprint": "t"}
PVC = {**GIB, "accessModes": ["ReadWriteOnce"]}
MODES = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'


def look(*_: object) -> None:
    return None


def source(kind: str, **what: Any) -> dict[str, Any]:
    return {"source": {kind: what}}


REFUSED: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"storage": None}, [("spec.PVC", "Missing Data volume PVC")]),
    (
        {"pvc": PVC},
        [("spec.PVC.Storage", "Duplicate storage definition, both target storage and target pvc defined")],
    ),
    ({"storage": {}}, [("spec.Storage.resources.requests.size", "Storage size is missing")]),
    ({"storage": {**GIB, "storageClassName": "a" * 254}}, [("", "Name cannot be longer than 253 characters")]),
    (
        {"storage": None, "pvc": GIB},
        [("spec.PVC.accessModes", "Required value: at least 1 access mode is required")],
    ),
    (
        {"storage": None, "pvc": {**GIB, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}},
        [("spec.PVC.accessModes", "PVC multiple accessModes")],
    ),
    (
        {"storage": {**GIB, "accessModes": ["ReadWriteMany", "Often"]}},
        [("spec.PVC.accessModes", f'Unsupported value: "ReadWriteMany": supported values: {MODES}')],
    ),
    (
        {**BLANK, "sourceRef": {"kind": "DataSource", "name": "a"}},
        [("spec.source", "Data volume should have either Source or SourceRef, or be externally populated")],
    ),
    ({"source": None, "sourceRef": {"name": "a"}}, [("spec.sourceRef.Kind", "Missing sourceRef kind")]),
    ({"source": None, "sourceRef": {"kind": "DataSource"}}, [("spec.sourceRef.Name", "Missing sourceRef name")]),
    (
        {"storage": {**GIB, "dataSourceRef": {"kind": "Some", "name": "", "namespace": "x"}}},
        [
            ("spec.source", "External population is incompatible with Source and SourceRef"),
            ("spec.dataSourceRef.namespace.", "Invalid value: DataSourceRef namespace not supported"),
            ("spec.dataSourceRef.name.", "Required value: DataSourceRef name"),
            (
                "spec.dataSourceRef.apiGroup.",
                "Required value: DataSourceRef apiGroup when kind is not 'PersistentVolumeClaim'",
            ),
        ],
    ),
    ({"source": {}}, [("spec.source", "Missing Data volume source")]),
    ({"contentType": "tape"}, [("spec.contentType", "ContentType not one of: kubevirt, archive")]),
    (
        {"contentType": "archive"},
        [("spec.contentType", "SourceType cannot be blank and the contentType be archive")],
    ),
    (source("http", url=""), [("spec.source.HTTP.url", "spec.source source URL is empty")]),
    (source("s3", url="here"), [("spec.source.S3.url", "spec.source Invalid source URL: here")]),
    (
        source("http", url="ftp://x/y", checksum="md5:"),
        [
            ("spec.source.HTTP.url", "spec.source Invalid source URL scheme: ftp://x/y"),
            ("spec.source.HTTP.checksum", "Invalid checksum format: checksum hash value cannot be empty"),
        ],
    ),
    (source("registry"), [(REGISTRY, "Source registry should have either URL or ImageStream")]),
    (
        source("registry", url="https://x"),
        [(f"{REGISTRY}.URL", "Illegal registry source URL scheme https://x")],
    ),
    (
        source("registry", url="docker://x", pullMethod="mail"),
        [(f"{REGISTRY}.importMethod", 'ImportMethod mail is neither pod, node or ""')],
    ),
    (
        source("registry", imageStream="x"),
        [
            (
                f"{REGISTRY}.importMethod",
                "Source registry ImageStream is supported only with node pull import method",
            )
        ],
    ),
    (
        source("imageio", url="https://x", secretRef="s", diskId="d"),
        [
            (
                "spec.source.Imageio",
                "spec.source.Imageio source Imageio requires CertConfigMap or InsecureSkipVerify",
            )
        ],
    ),
    (source("vddk", url="https://x"), [("spec.source.VDDK", "spec.source.VDDK source VDDK is not valid")]),
    (source("pvc", name="a"), [("spec.source.PVC", "spec.source.PVC source PVC is not valid")]),
    (
        source("snapshot", name="a"),
        [("spec.source.Snapshot", "spec.source.Snapshot source snapshot is not valid")],
    ),
]


def volume(**change: Any) -> dict[str, Any]:
    spec = {"storage": GIB, **BLANK, **change}
    return {
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


@pytest.mark.parametrize(("change", "causes"), REFUSED, ids=[rule[1][0][1] for rule in REFUSED])
def test_is_refused(change: dict[str, Any], causes: list[tuple[str, str]]) -> None:
    told = refusal("CREATE", volume(**change), None, look)
    assert told is not None
    assert [(cause.get("field", ""), cause["message"]) for cause in told["details"]["causes"]] == causes
    assert told["message"].endswith("denied the request:  " + " ".join(message for _, message in causes))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"storage": {}, "source": {"pvc": {"name": "a", "namespace": "b"}}},
        {"source": None, "storage": {**GIB, "dataSource": {"kind": "PersistentVolumeClaim", "name": "a"}}},
        source("registry", imageStream="x", pullMethod="node"),
        source("http", url="https://x/y", checksum="md5:" + "0" * 32),
        source("vddk", url="https://x", **VDDK),
    ],
)
def test_is_admitted(change: dict[str, Any]) -> None:
    assert refusal("CREATE", volume(**change), None, look) is None


def test_only_a_transfer_by_stages_gets_new_checkpoints() -> None:
    staged, plain = volume(**source("vddk", url="https://x", **VDDK)), volume()
    for old, fine in ((staged, True), (plain, False)):
        new = {**old, "spec": {**old["spec"], "checkpoints": [{"current": "1", "previous": ""}]}}
        assert (refusal("UPDATE", new, old, look) is None) is fine
