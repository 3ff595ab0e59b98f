"""The few errors a caller can act on; each says what is wrong, where, and what to do."""

from __future__ import annotations


class IpvscopeError(Exception):
    """An input that cannot be used, with what the user can do about it.

    Bad content inside a readable bundle is never an error: it is a parse note or a coverage row.
    """

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f"\n  {self.hint}" if self.hint else "")


class BundleError(IpvscopeError):
    """The bundle does not exist or is not an archive or folder that can be read."""


class UnsafeBundle(BundleError):
    """The archive tries to leave its folder, or exceeds a limit; `limit` is the one of ``--limits`` that would have to be higher."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", limit: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.limit = limit


class UsageError(IpvscopeError):
    """A source, target, option or input table of the user does not make sense."""

    exit_code = 2


class MissingExtra(IpvscopeError):
    """An optional library is needed for what was asked (for example WeasyPrint for a PDF)."""

    exit_code = 3
