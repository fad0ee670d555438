"""All that is done with a candidate's files, in the order in which it is safe."""

from modelium.common import signatures
from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.watcher import analysis
from modelium.watcher.listing import Candidate
from modelium.watcher.safety import gate
from modelium.watcher.safety.request import Request


def inspect(candidate: Candidate, request: Request) -> Descriptor:
    """Look at the files, check their signature if one is asked for, and analyse them.

    Raises:
        InvalidModel: it is not safe, not signed by whom it has to be, or cannot be served.
    """
    gate.require_safe(candidate, own_code=request.own_code)
    if request.trusted_keys and candidate.is_file and len(candidate.files) > 1:
        raise InvalidModel("a signature covers one file: put it in a folder with what it needs")
    if request.trusted_keys:
        signatures.verify(candidate.path, request.trusted_keys)
    return analysis.analyse(candidate, request.supported)
