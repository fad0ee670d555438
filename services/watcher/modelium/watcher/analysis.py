"""Reads a model's files, and says what they make.

Only headers, small text files and programs' signatures are read, never weights, and nothing is run:
`formats/` has a module for each format. It runs in the process that `safety/child.py` shuts in.
"""

from collections.abc import Iterable
from pathlib import PurePath

from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.watcher.formats.content import content_fingerprint
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.overrides import apply_overrides
from modelium.watcher.formats.recognise import describe
from modelium.watcher.listing import Candidate


def analyse(candidate: Candidate, supported: Iterable[str]) -> Descriptor:
    """Describe the model; whether anything here can serve it is decided by `core/runtimes.py`.

    Raises:
        InvalidModel: it cannot be served; the reason says what is wrong or missing.
    """
    _require_acceptable(candidate)
    _require_supported(candidate, supported)
    files = Files(candidate)
    described = apply_overrides(files, describe(files))
    arguments = described.overrides.engine_args if described.overrides else ()
    fingerprint = content_fingerprint(files, arguments)
    return described.model_copy(update={"content_fingerprint": fingerprint})


def _unreadable(candidate: Candidate) -> str | None:
    return next((file.path for file in candidate.files if not file.readable), None)


def _require_acceptable(candidate: Candidate) -> None:
    if candidate.leaves:
        raise InvalidModel(
            f"{candidate.leaves} is a link that leads out of the watch directory: "
            "put the files themselves there, or watch the directory they are in"
        )
    if candidate.unfinished:
        raise InvalidModel("a file in it is not finished yet")
    unreadable = _unreadable(candidate)
    if unreadable:
        raise InvalidModel(
            f"{unreadable} may not be read by everybody who has to: chmod -R a+rX {candidate.path}"
        )


def _require_supported(candidate: Candidate, supported: Iterable[str]) -> None:
    """A single file is one of the endings that the settings name."""
    name = PurePath(candidate.path).name
    endings = tuple(supported)
    if candidate.is_file and not name.lower().endswith(endings):
        raise InvalidModel(f"{name} has none of the endings that are served: {', '.join(endings)}")
