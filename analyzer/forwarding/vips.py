"""The addresses on a node's kube-ipvs0, thousands on every node: each becomes a value when a packet meets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analyzer.evidence import Evidence
from analyzer.forwarding.addresses import is_loopback
from analyzer.forwarding.state import Bound, InterfaceAddress

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("interface", "ifindex", "address", "prefix_len", "scope", "flags", "file", "line")
Columns = Mapping[str, "pa.Array"]
DUMMY = "kube-ipvs0"
ADDRESS, FLAGS = COLUMNS.index("address"), COLUMNS.index("flags")
GLOBAL = frozenset({None, "", "global"})
NOT_USABLE = ("tentative", "dadfailed")
"""Flags of an address that the kernel does not accept packets for."""


def held(node: str, listed: Columns) -> tuple[tuple[InterfaceAddress, ...], Vips | None]:
    """A node's addresses: those of kube-ipvs0 in their own, the others as they are listed.

    All as they are listed where the order of the two could matter or a row is nothing that kube-proxy writes.

    Args:
        listed: the columns COLUMNS of the node's addresses.
    """
    import pyarrow.compute as pc

    dummy = pc.equal(listed["interface"], DUMMY).fill_null(False)
    if pc.any(dummy).as_py():
        vips = Vips(node, _rows(listed, dummy))
        own = _entries(node, _rows(listed, pc.invert(dummy)))
        apart = vips.index and all(entry.ifindex != vips.index and entry.address not in vips for entry in own)
        if apart and vips.plain:
            return own, vips
    return _entries(node, listed), None


def _rows(listed: Columns, chosen: pa.Array) -> Columns:
    return {name: column.filter(chosen) for name, column in listed.items()}


def _entries(node: str, listed: Columns) -> tuple[InterfaceAddress, ...]:
    """The addresses of some rows that the kernel takes for its own."""
    return tuple(
        _entry(node, *row)
        for row in zip(*(listed[name].to_pylist() for name in COLUMNS), strict=True)
        if row[ADDRESS] and not any(one in (row[FLAGS] or "").split() for one in NOT_USABLE)
    )


def _entry(
    node: str, interface: str | None, index: int | None, address: str, length: int | None, scope: str | None,
    flags: str | None, file: str | None, line: int | None,
) -> InterfaceAddress:  # fmt: skip
    where = Evidence(file or "", line or 0, "", node)
    secondary = "secondary" in (flags or "").split()
    return InterfaceAddress(
        interface or "", index or 0, address, length or 0, scope or _usual_scope(address), secondary, where
    )


def _usual_scope(address: str) -> str:
    """The scope of an address whose listing does not print one (ifconfig): the kernel gives 127/8 the host's (inet_set_ifa)."""
    return "host" if is_loopback(address) else "global"


class Vips(Bound):
    """Address -> its entry on kube-ipvs0, in the order of the listing."""

    def __init__(self, node: str, listed: Columns) -> None:
        self._node = node
        self._columns = [listed[name] for name in COLUMNS]
        self._made: dict[str, InterfaceAddress] = {}
        self._first: dict[int, InterfaceAddress | None] = {}
        addresses = self._columns[COLUMNS.index("address")].to_pylist()
        self._place: dict[str, int] = dict(zip(addresses, range(len(addresses)), strict=True))

    @cached_property
    def index(self) -> int:
        """The interface's index, 0 where it is not known for each row."""
        return self._only("ifindex") or 0

    @cached_property
    def plain(self) -> bool:
        """Whether each row is one primary address of its own that is in use, as kube-proxy binds it."""
        whole = None not in self._place and len(self._place) == len(self._columns[0])
        lengths = set(self._distinct("prefix_len")) <= {32, 128}
        flags = {flag for said in self._distinct("flags") if said for flag in said.split()}
        return whole and lengths and not flags & {*NOT_USABLE, "secondary"} and set(self._distinct("scope")) <= GLOBAL

    def _distinct(self, name: str) -> list[Any]:
        return list(self._columns[COLUMNS.index(name)].unique().to_pylist())

    def _only(self, name: str) -> Any:
        found = self._distinct(name)
        return found[0] if len(found) == 1 else None

    def __getitem__(self, address: str) -> InterfaceAddress:
        found = self._made.get(address)
        if found is None:
            place = self._place[address]
            row = tuple(column[place].as_py() for column in self._columns)
            found = self._made[address] = _entry(self._node, *row)
        return found

    def first(self, family: int) -> InterfaceAddress | None:
        """The first one of a family."""
        if family not in self._first:
            address = next((one for one in self._place if (":" in one) == (family == 6)), None)
            self._first[family] = None if address is None else self[address]
        return self._first[family]

    def __contains__(self, address: object) -> bool:
        return address in self._place

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)
