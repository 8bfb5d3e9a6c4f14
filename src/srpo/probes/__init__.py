"""Changed requests that show what a system goes by: the picture, the words, or the reasoning before its answer."""

from srpo.probes.faithfulness import faithful_requests
from srpo.probes.requests import probe_messages
from srpo.types import PATH_PROBES, PICTURE_PROBES, REQUEST_PROBES

__all__ = ["PATH_PROBES", "PICTURE_PROBES", "REQUEST_PROBES", "faithful_requests", "probe_messages"]
