"""Typed objects from untyped ones, losing only what is wrong: a field of the wrong type becomes null and is named.

A hand-edited or old object may hold text where the API has a mapping; the rest of it is still good.
"""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec

from analyzer.parsers.kube_structs import Api, fields


def clean(value: Any) -> Any:
    """The same value with lone surrogates replaced: JSON may spell them, UTF-8 and the tables cannot hold them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value


def project(value: Any, kind: Any, path: str, lost: list[str]) -> Any:
    """`value` as the type `kind`; a part that does not fit is null, its path goes to `lost`."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except (msgspec.ValidationError, OverflowError, RecursionError):
        pass
    for option in options(kind):
        if isinstance(value, dict) and isinstance(option, type) and issubclass(option, Api):
            parts = {
                name: project(value[name], kind_, f"{path}.{name}".lstrip("."), lost)
                for name, kind_ in fields(option).items()
                if name in value
            }
            return _build(option, parts)
        if isinstance(value, list) and typing.get_origin(option) is list:
            (inner,) = typing.get_args(option)
            made = [project(item, inner, f"{path}[{n}]", lost) for n, item in enumerate(value)]
            return [item for item in made if item is not None]
        if isinstance(value, dict) and typing.get_origin(option) is dict:
            _, inner = typing.get_args(option)
            kept = {str(key): project(item, inner, f"{path}.{key}", lost) for key, item in value.items()}
            return {key: item for key, item in kept.items() if item is not None}
    lost.append(f"{path or 'object'}: {str(value)[:60]!r} is not of the expected type")
    return None


def options(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the type itself."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return typing.get_args(kind)
    return (kind,)


def _build(option: type[Api], parts: dict[str, Any]) -> Api:
    names = {field.encode_name: field.name for field in msgspec.structs.fields(option)}
    return option(**{names[key]: value for key, value in parts.items()})
