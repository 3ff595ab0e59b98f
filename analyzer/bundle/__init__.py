"""A support bundle, from wherever it comes: members with path, node and bytes; hostile until shown otherwise."""

from __future__ import annotations

from analyzer.bundle.model import Bundle, Limits, Member, Part, Refused
from analyzer.bundle.open import open_bundle
from analyzer.bundle.several import open_bundles

__all__ = ["Bundle", "Limits", "Member", "Part", "Refused", "open_bundle", "open_bundles"]
