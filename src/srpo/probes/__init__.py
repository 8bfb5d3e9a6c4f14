"""Changed requests that show what a system goes by: the picture, the words, or the reasoning before its answer."""

from srpo.probes.faithfulness import PATH_PROBES, faithful_requests
from srpo.probes.requests import REQUEST_PROBES, probe_messages

__all__ = ["PATH_PROBES", "REQUEST_PROBES", "faithful_requests", "probe_messages"]
