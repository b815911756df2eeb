"""Why a run is as good as it is: what its page shows, as plain records, and how they are computed."""

from preceptor.evidence.record import Evidence

__all__ = ["Evidence"]
