"""Why a member was not read, or what is odd about it: fixed phrases, so that a catalogue can translate them."""

from __future__ import annotations

from typing import Final

# The name.
EMPTY_NAME: Final = "its name is empty"
ABSOLUTE: Final = "its path is absolute"
PARENT: Final = "its path leaves the bundle"
DRIVE: Final = "its path names a drive"
BACKSLASH: Final = "its name holds a backslash"
CONTROL: Final = "its name holds control characters"
TOO_LONG: Final = "its path is too long"
TOO_DEEP: Final = "its path is too deep"
NOT_A_CAPTURE: Final = "not a capture"
DUPLICATE: Final = "a later member has the same name; the later one is used"
CASE: Final = "kept, but another name differs only in upper and lower case"

# The kind.
LINK: Final = "a link"
LINK_OUT: Final = "a link that leaves the folder"
LINK_DIR: Final = "a link to a folder; its files are read where they are"
SPECIAL: Final = "a device, pipe or socket"
SPARSE: Final = "a sparse file"
UNKNOWN_KIND: Final = "an archive entry of an unknown kind"
ENCRYPTED: Final = "encrypted"
FOREIGN_ARCHIVE: Final = "a kind of archive that is not read; repack it as .tar.gz or .zip"
NESTED: Final = "archives are nested too deeply"
METHOD: Final = "compressed with a method that is not read"

# The content.
UNREADABLE: Final = "it cannot be opened"
MEMBER_BYTES: Final = "it is larger than one member may be"
RATIO: Final = "it expands far more than any text does"
CUT: Final = "it is cut: the data ends too early"
CORRUPT: Final = "it is damaged from some point on"
TRAILING: Final = "data after its end was not read"
NO_END: Final = "it ends without an end mark and is probably cut"
NO_DIRECTORY: Final = "the list of members is missing or damaged, probably cut; what stands before the damage was read"
BAD_MANIFEST: Final = "the manifest is not a JSON object and was ignored"
