"""What was read, as provenance: a fragment of a BIDS dataset_description.json, and an RO-Crate.

BIDS: bids-specification.readthedocs.io, "Dataset description" (`SourceDatasets`: URL, DOI, Version). RO-Crate:
w3id.org/ro/crate/1.1; written by the library `rocrate`, which the extra `report` brings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .. import installation
from ..errors import UsageError
from .addresses import store_url

Document = Mapping[str, Any]


def bids(document: Document) -> dict[str, Any]:
    """What belongs into the dataset_description.json of what was made of these data."""
    found = []
    for dataset in document["datasets"]:
        entry = {
            "URL": dataset["url"],
            "DOI": f"doi:{dataset['doi']}" if dataset["doi"] else None,
            "Version": dataset["version"],
        }
        found.append({key: value for key, value in entry.items() if value})
    covered = {dataset["source"] for dataset in document["datasets"]}
    for source in document["sources"]:
        read = any(file["source"] == source["name"] for file in document["files"])
        if read and source["name"] not in covered and source["url"] and source["kind"] != "links":
            found.append({"URL": source["url"]})
    return {"SourceDatasets": found}


def rocrate(document: Document) -> str:
    """The text of an `ro-crate-metadata.json`: the files that were read, of which dataset, and by what they were read.

    Raises UsageError where the library is missing.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise UsageError(
            f"an RO-Crate needs the package rocrate. To install it: {installation.here(['mountnd[report]'])}"
        ) from None
    crate = ROCrate()
    crate.root_dataset["name"] = f"Data read through {document['mountpoint']}"
    crate.root_dataset["description"] = (
        f"{len(document['files'])} files that programs read through a mount of mountnd's between {document['since']} "
        f"and {document['until']}: which versions, and how much of each."
    )
    crate.root_dataset["datePublished"] = document["until"]
    tool = crate.add(
        ContextEntity(
            crate,
            "#mountnd",
            properties={
                "@type": "SoftwareApplication",
                "name": "mountnd",
                "softwareVersion": document["mountnd"],
                "description": "shows datasets in S3 (and elsewhere) as plain, read-only files",
            },
        )
    )
    datasets = {one["path"]: _dataset(crate, ContextEntity, one) for one in document["datasets"]}
    sources = {source["name"]: source for source in document["sources"]}
    files = [_file(crate, file, sources.get(file["source"]), datasets) for file in document["files"]]
    crate.add(
        ContextEntity(
            crate,
            "#reading",
            properties={
                "@type": "CreateAction",
                "name": "Reading through a mount",
                "startTime": document["since"],
                "endTime": document["until"],
                "instrument": {"@id": tool.id},
                "object": [{"@id": file.id} for file in files],
            },
        )
    )
    return json.dumps(crate.metadata.generate(), indent=2) + "\n"


def _dataset(crate: Any, entity: Any, dataset: Mapping[str, Any]) -> Any:
    properties = {
        "@type": "Dataset",
        "name": dataset["name"] or dataset["path"] or "dataset",
        "version": dataset["version"],
        "license": dataset["licence"],
        "identifier": f"https://doi.org/{dataset['doi']}" if dataset["doi"] else None,
        "url": _iri(dataset["url"]) if dataset["url"] else None,
        "conformsTo": {"@id": "https://bids.neuroimaging.io/"},
    }
    id = properties["identifier"] or properties["url"] or f"#dataset-{quote(dataset['path'])}"
    return crate.add(entity(crate, id, properties={key: value for key, value in properties.items() if value}))


def _file(crate: Any, file: Mapping[str, Any], source: Mapping[str, Any] | None, datasets: Mapping[str, Any]) -> Any:
    address = file["url"] or (store_url(source, file["key"]) if source is not None else None)
    properties: dict[str, Any] = {
        "name": _text(file["path"]),
        "contentSize": str((file.get("stored") or file)["size"]),  # of what lies at the address
        "version": file["version_id"] or file["etag"],
        "bytesRead": file["bytes_read"],
    }
    around = [path for path in datasets if not path or file["path"].startswith(f"{path}/")]
    if around:
        properties["isPartOf"] = {"@id": datasets[max(around, key=len)].id}
    properties = {key: value for key, value in properties.items() if value not in (None, "")}
    if address is not None and urlsplit(address).scheme in ("http", "https"):
        return crate.add_file(_iri(address), properties=properties)  # described, never fetched
    from rocrate.model.contextentity import ContextEntity

    id = _iri(address) if address is not None else f"#file-{quote(file['path'].encode('utf-8', 'surrogateescape'))}"
    return crate.add(ContextEntity(crate, id, properties={"@type": "File", **properties}))


def _iri(address: str) -> str:
    """An address whose every byte may stand in an identifier."""
    return quote(address.encode("utf-8", "surrogateescape"), safe="/:?#[]@!$&'()*+,;=%-._~")


def _text(name: str) -> str:
    """A name as text: bytes that are no UTF-8 as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
