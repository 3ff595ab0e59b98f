"""A bundle without anybody's names: consistent images under a key, the mapping for its owner, the way back."""

from __future__ import annotations

from analyzer.redact.mapping import Mapping, key_of, new_mapping, read_mapping, write_mapping
from analyzer.redact.run import Leak, Redacted, Redactor, redact
from analyzer.redact.unredact import Unredactor
from analyzer.redact.verify import Survivor, verify

__all__ = [
    "Leak", "Mapping", "Redacted", "Redactor", "Survivor", "Unredactor", "key_of", "new_mapping", "read_mapping", "redact",
    "verify", "write_mapping",
]  # fmt: skip
