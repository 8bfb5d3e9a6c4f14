"""Publishing a dataset: Parquet and JSON lines, card, Croissant, shortcut audit, hub (`docs/publishing.md`)."""

from srpo.publish.audit import Audit, audit
from srpo.publish.place import Publication
from srpo.publish.release import Published, PublishPlan, audit_folder, publish
from srpo.publish.rows import Tier

__all__ = ["Audit", "Publication", "PublishPlan", "Published", "Tier", "audit", "audit_folder", "publish"]
