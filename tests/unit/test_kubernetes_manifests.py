"""The manifests of Kubernetes that come with the help: as far as they can be checked without a cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from mountnd.cli.main import cli
from mountnd.cli.verbs import VERBS

FOLDER = Path(__file__).parents[2] / "mountnd/help/k8s"
FILES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.yaml"))}
# Sidecars (init containers with restartPolicy) came with 1.28, and without a feature gate with 1.29.
OLDEST = "1.29"
VERSIONS = [OLDEST, all_versions()[-1]]
# What mountnd's own image starts; others have commands of their own.
IMAGE = "registry.example.org/"


@cache
def documents() -> list[tuple[str, dict[str, Any]]]:
    """(file and name, object) of each."""
    return [(f"{name}:{one['kind']}", one) for name, text in FILES.items() for one in yaml.safe_load_all(text) if one]


DOCUMENTS = [pytest.param(one, id=name) for name, one in documents()]
KINDS = ("Pod", "DaemonSet", "StatefulSet")
WORKLOADS = [pytest.param(one, id=name) for name, one in documents() if one["kind"] in KINDS]


def pod(document: dict[str, Any]) -> dict[str, Any]:
    """The description of the pods that it makes."""
    spec: dict[str, Any] = document["spec"]
    return spec if document["kind"] == "Pod" else spec["template"]["spec"]


def containers(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod(document).get("initContainers", [])
    yield from pod(document)["containers"]


def refused(document: dict[str, Any], version: str) -> str:
    """What the schema of a version has against it."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as e:
        return str(e.message)
    return ""


def test_which_there_are() -> None:
    assert set(FILES) == {"daemonset.yaml", "pod.yaml", "ring.yaml", "sidecar.yaml"}
    page = (FOLDER.parent / "kubernetes.md").read_text()
    assert all(f"`k8s/{name}`" in page for name in FILES)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_it_fits_the_schemas_of_kubernetes(document: dict[str, Any], version: str) -> None:
    assert refused(document, version) == ""


@pytest.mark.parametrize("document", WORKLOADS)
def test_a_field_that_is_mistyped_is_found(document: dict[str, Any]) -> None:
    """Else the check above would say nothing."""
    for wrong in ({"mountPropagaton": "Bidirectional"}, {"readOnly": "yes"}, {"name": 1}):
        broken = copy.deepcopy(document)
        pod(broken)["containers"][0]["volumeMounts"][0].update(wrong)
        assert refused(broken, VERSIONS[-1])


def test_what_belongs_together() -> None:
    services = {one["metadata"]["name"]: one for _, one in documents() if one["kind"] == "Service"}
    for name, one in documents():
        if one["kind"] in ("DaemonSet", "StatefulSet"):
            labels = one["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"]["matchLabels"].items() <= labels.items(), name
        if one["kind"] == "StatefulSet":
            service = services[one["spec"]["serviceName"]]["spec"]
            assert service["clusterIP"] == "None" and service["selector"].items() <= labels.items()
            (port,), (theirs,) = service["ports"], pod(one)["containers"][0]["ports"]
            assert port["targetPort"] == theirs["name"] and port["port"] == theirs["containerPort"]
            assert (
                f"http://{one['metadata']['name']}-0.{one['spec']['serviceName']}.mountnd:{port['port']}"
                in (FOLDER.parent / "kubernetes.md").read_text()
            )
        if one["kind"] in KINDS:
            volumes = {volume["name"] for volume in pod(one).get("volumes", [])}
            volumes |= {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
            used = {mount["name"] for container in containers(one) for mount in container.get("volumeMounts", [])}
            assert used == volumes, name
    (made,) = [v for v in pod(of("daemonset.yaml:DaemonSet"))["volumes"] if v["name"] == "mounts"]
    (read,) = pod(of("pod.yaml:Pod"))["volumes"]
    assert made["hostPath"]["path"] == read["hostPath"]["path"]
    sidecar = of("sidecar.yaml:Pod")
    (data,) = [v["csi"]["volumeAttributes"] for v in pod(sidecar)["volumes"] if v["name"] == "data"]
    (server,) = [c for c in containers(sidecar) if c["name"] == "mountnd"]
    (passed,) = [m for m in server["volumeMounts"] if m["name"] == data["fdPassingEmptyDirName"]]
    assert server["args"][0].endswith(f"={passed['mountPath']}/{data['fdPassingSocketName']}")


def test_a_disk_that_stays_is_not_opened_to_its_group_at_each_start() -> None:
    """Kubernetes gives all of it to `fsGroup` then, with mode g+rwx; what others may write is not used."""
    for name, one in documents():
        if one["kind"] in KINDS and one["spec"].get("volumeClaimTemplates"):
            rules = pod(one)["securityContext"]
            assert "fsGroup" not in rules or rules["fsGroupChangePolicy"] == "OnRootMismatch", name


def of(name: str) -> dict[str, Any]:
    return dict(documents())[name]


def test_who_has_which_rights() -> None:
    """Only what mounts for its node is privileged, and hands mounts on; all others may not even ask for more."""
    for name, one in documents():
        if one["kind"] not in KINDS:
            continue
        assert not any(pod(one).get(what) for what in ("hostNetwork", "hostPID", "hostIPC")), name
        for container in containers(one):
            rights = container["securityContext"]
            propagation = {mount.get("mountPropagation") for mount in container["volumeMounts"]}
            if one["kind"] == "DaemonSet":
                assert rights["privileged"] and "Bidirectional" in propagation
                continue
            assert "Bidirectional" not in propagation and not rights.get("privileged")
            assert rights["allowPrivilegeEscalation"] is False and rights["capabilities"] == {"drop": ["ALL"]}
            assert rights.get("runAsNonRoot") or pod(one)["securityContext"]["runAsNonRoot"], name
    space = of("daemonset.yaml:Namespace")["metadata"]["labels"]
    assert space["pod-security.kubernetes.io/enforce"] == "privileged"


def commands() -> Iterator[tuple[str, list[str]]]:
    """What is typed of mountnd's, without the word `mountnd`."""
    for name, one in documents():
        if one["kind"] not in KINDS:
            continue
        for container in containers(one):
            words = [*container.get("command", []), *container.get("args", [])]
            if container["image"].startswith(IMAGE) and not container.get("command"):
                yield name, words
            elif "mountnd" in words:
                yield name, words[words.index("mountnd") + 1 :]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container.get(probe, {}).get("exec", {}).get("command", [])
                if asked[:1] == ["mountnd"]:
                    yield name, asked[1:]


def test_commands_in_it_are_understood() -> None:
    group = click.Context(cli, **cli.context_settings)
    seen = set()
    for name, words in commands():
        verb = words[0]
        if verb == "cache-server" and verb not in VERBS:
            continue
        command = cli.get_command(group, verb)
        assert command is not None, (name, words)
        with suppress(click.exceptions.Exit):
            command.make_context(verb, words[1:], parent=group)
        seen.add((name, verb))
    assert seen >= {
        ("daemonset.yaml:DaemonSet", "mount"),
        ("daemonset.yaml:DaemonSet", "stats"),
        ("sidecar.yaml:Pod", "mount"),
    }
