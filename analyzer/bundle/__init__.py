"""A support bundle, from wherever it comes: members with path, node and bytes; hostile until shown otherwise."""

from __future__ import annotations

from analyzer.bundle.model import Bundle, Limits, Member, Refused
from analyzer.bundle.open import open_bundle

__all__ = ["Bundle", "Limits", "Member", "Refused", "open_bundle"]
