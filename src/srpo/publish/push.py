"""A published folder to a hub: only when asked for, private unless told, and never what may not be published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from srpo.data.licences import forbids
from srpo.errors import ConfigError, DataError, SrpoError
from srpo.publish.material import Material

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

_STALE: Final = ["data/*", "jsonl/*", "images/*"]
"""Files of an earlier release that this one does not have; a shard of it would be read along with the new ones."""


def check_push(material: Material, repository: str, *, public: bool) -> None:
    """Raises ConfigError for a name that is none, and DataError for data that must not leave this machine.

    Every source must allow training and derived works, and people must have decided every sample.  What is published
    for all must also have licences that are known.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(f"--push {repository}: expected OWNER/NAME")
    for source in material.used_sources:
        reason = "says do_not_train" if source.do_not_train else forbids(source.licence)
        if reason is not None:
            where = f"{material.folder.sources}, source {source.id} ({source.original})"
            raise DataError(f"{where}: licence {source.licence!r} {reason}; --push sends no such picture")
    if material.undecided:
        count = f"{len(material.undecided)} of {len(material.samples)} samples"
        raise DataError(
            f"{material.folder.reviews}: nobody has decided {count}; finish `srpo review`, or leave --push out"
        )
    if public and material.licence.unknown:
        raise DataError(
            f"--public: licence {material.licence.unknown[0]!r} is not known to allow publication; leave --public out, "
            "or name a licence by its SPDX identifier in the sources"
        )


def push(folder: Path, files: Sequence[str], repository: str, *, public: bool) -> str:
    """Upload the named files of a folder as one commit, and return the address of the repository.

    The hub and the key to it are those of huggingface_hub (`HF_ENDPOINT`, `HF_TOKEN`).  A repository that is there
    already keeps its visibility, except that a public one is refused unless `public`.  Raises DataError if the hub
    refuses.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise ConfigError('--push needs huggingface_hub, which is not installed; pip install "srpo[data]"') from None
    api = HfApi()
    try:
        address = api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.repo_info(repository, repo_type="dataset").private:
            raise DataError(f"--push {repository}: is public already; add --public if all may see the dataset")
        api.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=folder,
            allow_patterns=list(files),
            delete_patterns=_STALE,
            commit_message="Publish the dataset",
        )
    except SrpoError:
        raise
    except Exception as error:  # the hub's library lets errors of whatever carries its requests through
        problem = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        mend = f"{folder} is written; check the name and HF_TOKEN, and push again"
        raise DataError(f"--push {repository}: the hub refused or cannot be reached ({problem}); {mend}") from None
    return str(address)
