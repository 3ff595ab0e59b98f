"""YAML read by its events: only the wanted fields are built, with the line of each item, and aliases are bounded.

PyYAML's C parser gives the events; building every node of a large `kubectl get -o yaml` costs several times as much.
Plain scalars follow the YAML 1.1 rules of PyYAML's SafeLoader, except that dates stay text. No tag is ever executed.

>>> load("kind: Service\\nspec: {clusterIP: None}\\n")
{'kind': 'Service', 'spec': {'clusterIP': 'None'}}
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import yaml

from analyzer.parsers.kube_lenient import options
from analyzer.parsers.kube_structs import Api, fields

LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ANY = object()
MAX_DEPTH = 100
MAX_NODES_BY_ALIAS = 100_000


class YamlTrouble(Exception):
    """The text is no YAML from `line` (counted from 1) on, or costs more than it may."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.line = line


class _Aliases(Exception):
    """The document has aliases: it is built whole, since an anchor may stand in a field nobody wants."""


@lru_cache(maxsize=8192)
def scalar(text: str) -> Any:
    """The value of a plain scalar.

    >>> scalar("443"), scalar("off"), scalar("~"), scalar("2024-05-01"), scalar("10.0.0.1")
    (443, False, None, '2024-05-01', '10.0.0.1')
    """
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag in _CONSTRUCT:
        try:
            return _CONSTRUCT[tag](yaml.ScalarNode(tag, text))
        except (ValueError, KeyError, OverflowError):
            return text
    return text


_RESOLVER: yaml.SafeLoader = yaml.SafeLoader("")
_CONSTRUCT: dict[str, Callable[[Any], Any]] = {
    "tag:yaml.org,2002:int": _RESOLVER.construct_yaml_int,
    "tag:yaml.org,2002:bool": _RESOLVER.construct_yaml_bool,
    "tag:yaml.org,2002:null": _RESOLVER.construct_yaml_null,
    "tag:yaml.org,2002:float": _RESOLVER.construct_yaml_float,
}


@lru_cache(maxsize=512)
def _wanted(kind: Any) -> tuple[dict[str, Any] | None, Any]:
    """For a mapping: the wanted keys (null for all) with their types; for a list: the type of its items."""
    for option in options(kind):
        if isinstance(option, type) and issubclass(option, Api):
            return fields(option), ANY
        if typing.get_origin(option) is list:
            return None, typing.get_args(option)[0]
    return None, ANY


class Reader:
    """Builds values from the events of one text."""

    def __init__(self, text: str) -> None:
        self._loader = LOADER(text.encode("utf-8", "replace").decode())
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._size = 0
        self._whole = False

    def close(self) -> None:
        self._loader.dispose()

    def next(self) -> Any:
        return self._loader.get_event()

    def value(self, event: Any, want: Any, depth: int = 0) -> Any:
        """The value that begins with `event`; parts that `want` does not name are skipped."""
        if depth > MAX_DEPTH:
            raise YamlTrouble("nested too deeply", _line(event))
        self._size += 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._size
        if isinstance(event, yaml.ScalarEvent):
            made: Any = scalar(event.value) if event.implicit[0] and not event.style else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            _, inner = _wanted(want) if want is not ANY else (None, ANY)
            made = []
            while not isinstance(event_ := self.next(), yaml.SequenceEndEvent):
                made.append(self.value(event_, inner, depth + 1))
        else:
            made = self._mapping(want, depth)
        if event.anchor is not None:
            if not self._whole:
                raise _Aliases
            self._anchors[event.anchor] = (made, self._size - before + 1)
        return made

    def _mapping(self, want: Any, depth: int) -> dict[str, Any]:
        keys, _ = _wanted(want) if want is not ANY and not self._whole else (None, ANY)
        made: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            key = event.value if isinstance(event, yaml.ScalarEvent) else str(self.value(event, ANY, depth + 1))[:200]
            following = self.next()
            if keys is None:
                made[key] = self.value(following, ANY, depth + 1)
            elif key in keys:
                made[key] = self.value(following, keys[key], depth + 1)
            else:
                self._skip(following)
        return made

    def _alias(self, event: Any) -> Any:
        if not self._whole:
            raise _Aliases
        made, size = self._anchors.get(event.anchor, (None, 0))
        self._size += size
        if self._size > MAX_NODES_BY_ALIAS:
            raise YamlTrouble("aliases expand to too much", _line(event))
        return made

    def _skip(self, event: Any) -> None:
        depth = 0
        while True:
            if getattr(event, "anchor", None) is not None:  # an alias has one too
                raise _Aliases
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise YamlTrouble("nested too deeply", _line(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            event = self.next()

    def whole(self) -> None:
        """Build everything, following aliases within the limit."""
        self._whole = True


def _guard(text: str, run: Callable[[Reader], Any]) -> Any:
    """Run over a fresh reader, again without skipping when the text has aliases; YAML errors become `YamlTrouble`."""
    for whole in (False, True):
        try:
            reader = Reader(text)
        except yaml.YAMLError as error:
            raise _trouble(error) from None
        if whole:
            reader.whole()
        try:
            return run(reader)
        except _Aliases:
            continue
        except yaml.YAMLError as error:
            raise _trouble(error) from None
        except RecursionError:
            raise YamlTrouble("nested too deeply", 1) from None
        finally:
            reader.close()
    raise YamlTrouble("aliases", 1)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _trouble(error: yaml.YAMLError) -> YamlTrouble:
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return YamlTrouble(str(why)[:200], mark.line + 1 if mark else 1)


def load(text: str, want: Any = ANY) -> Any:
    """The first document of `text`, null for an empty one.

    Raises:
        YamlTrouble: it cannot be read.
    """

    def run(reader: Reader) -> Any:
        while not isinstance(event := reader.next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.NodeEvent):
                return reader.value(event, want)
        return None

    return _guard(text, run)
