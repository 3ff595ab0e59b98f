"""Which words are somebody's, and what each becomes: a pronounceable word for a name, look-alikes for ids.

Everything follows from the key, so bundles of one cluster redacted under one key agree. The book also remembers what it
replaced: that is the mapping the customer keeps, and what the scan of the output looks for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from analyzer.redact.vocabulary import compounds, longest, vocabulary

WORD = re.compile(r"[A-Za-z0-9]+")
GLUED = 6
"""From this length on a word is also found inside a longer one (`paymentsvc`)."""
NUMBERED = 4
"""And from this length between digits (`shop2`)."""
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfghjklmnprstvz" for vowel in "aeiou")
_DULL = re.compile(r"v[0-9]+(?:(?:alpha|beta|rc)[0-9]*)?|[0-9]+|[A-Za-z]|(?:eth|ens|enp|lo|bond|cni|tunl|veth)[0-9]+")
_INTERFACE = re.compile(r"(?:cali|veth|lxc|eni|azv|gke|vnet|tap|tun|cni|br|docker|nic|lxdbr|if)[0-9a-f]{4,12}")
_QUAD = re.compile(r"(?<![0-9])[0-9]{1,3}([._-])[0-9]{1,3}(?:\1[0-9]{1,3}){2}(?!\1?[0-9])")
_OPAQUE = re.compile(r"(?=[a-zA-Z]*[0-9])(?=[0-9]*[a-zA-Z])[A-Za-z0-9]{10,}")
_NUMBERS = re.compile(r"0x[0-9A-Fa-f]+|[0-9]{8}[Tt][0-9]{4,6}[Zz]?|[0-9]+[KMGTkmgt]i?[Bb]?|[0-9]+(?:ns|us|ms|s|m|h|d)")


class Book:
    """The sensitive words of one cluster under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.words: dict[str, str] = {}
        """Word in lower case, and its pseudonym."""
        self.phrases: dict[str, str] = {}
        """Names whose every word stays, and what the whole becomes."""
        self.fixed: dict[str, str] = {}
        """Words with an image of their own (hashes that kube-proxy makes of names)."""
        self.kept: set[str] = set()
        """Names that stay because a format has the same word."""
        self.replaced: dict[str, str] = {}
        """Exactly what was replaced by what: words, phrases, ids."""
        self._images: dict[str, str] = {}
        self._starts: dict[str, list[str]] = {}
        self._firsts: set[str] = set()

    def learn(self, name: str, *, named: bool = False) -> None:
        """Take a name as somebody's. `named`: it is an object's, so it is told when it has to stay."""
        own = False
        if name.startswith("KUBE-") or re.fullmatch("[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", name):
            return  # chains and sets of kube-proxy (the hashes in them are learned apart), environment variables
        for word in WORD.findall(_QUAD.sub(" ", name)):
            lower = word.lower()
            if lower in self.words:
                own = True
            elif self._is_name(lower):
                own = True
                self._add(lower)
            elif is_opaque(word):
                own = True
        bare = name.strip().lower()
        if own or not re.search("[a-z]", bare) or bare in self.phrases:
            return
        if _QUAD.search(bare):
            return  # the address in it says whose it is, and that is mapped
        if re.fullmatch(r"[a-z0-9]+(?:[-_.][a-z0-9]+)+", bare):
            if not _is_public(bare):
                self._add_phrase(bare)
        elif named and re.fullmatch("[a-z0-9]+", bare) and bare not in _SYSTEM:
            self.kept.add(bare)

    def _is_name(self, lower: str) -> bool:
        if len(lower) < 2 or lower in vocabulary():
            return False
        return not (_DULL.fullmatch(lower) or _INTERFACE.fullmatch(lower) or is_opaque(lower))

    def _add(self, lower: str) -> None:
        self.words[lower] = self._pseudonym("word", lower)
        if len(lower) >= GLUED:
            self._starts.setdefault(lower[:GLUED], []).append(lower)
            self._starts[lower[:GLUED]].sort(key=len, reverse=True)

    def _add_phrase(self, phrase: str) -> None:
        self.phrases[phrase] = self._pseudonym("phrase", phrase)
        self._firsts.add(WORD.findall(phrase)[0])

    def with_phrases(self, text: str) -> str:
        """The text with every phrase replaced, the longest first where two begin alike."""
        lower = text.lower()
        places = [match.span() for match in WORD.finditer(lower)]
        if not self._firsts or not any(lower[start:end] in self._firsts for start, end in places):
            return text
        out, done = [], 0
        for number, (start, end) in enumerate(places):
            if start < done or lower[start:end] not in self._firsts:
                continue
            for _, last in reversed(places[number + 1 : number + 32]):
                if image := self.phrases.get(lower[start:last]):
                    out += [text[done:start], self.remember(text[start:last], image)]
                    done = last
                    break
        return "".join((*out, text[done:]))

    def _digest(self, kind: str, text: str, size: int = 32) -> bytes:
        return hashlib.shake_256(b"\0".join((self._key, kind.encode(), text.encode("utf-8", "surrogatepass")))).digest(
            size
        )

    def _pseudonym(self, kind: str, text: str) -> str:
        """Six syllables (38 bits); one more where two names meet."""
        digest = self._digest(kind, text, 64)
        for length in range(6, 32):
            image = "".join(_SYLLABLES[int.from_bytes(digest[2 * i : 2 * i + 2], "big") % 80] for i in range(length))
            if self._images.setdefault(image, text) == text and image not in self.words:
                return image
        raise AssertionError("no pseudonym is free")  # 2**200 of them

    def word(self, word: str) -> str:
        """What a run of letters and digits becomes: itself, or its pseudonym, remembered."""
        image = self._word(word)
        if image != word:
            self.replaced[word] = image
        return image

    def _word(self, word: str) -> str:
        lower = word.lower()
        if word in self.fixed:
            return self.fixed[word]
        if lower in self.words:
            return _cased(word, self.words[lower])
        if len(word) < GLUED - 1 or lower in vocabulary():
            return word
        core = lower.strip("0123456789")
        if core in vocabulary() or _is_joined(lower):
            return word
        if len(core) >= NUMBERED and core in self.words:
            at = lower.index(core)
            return word[:at] + _cased(word[at : at + len(core)], self.words[core]) + word[at + len(core) :]
        if is_opaque(word):
            return self.opaque(word)
        return self._glued(word, lower)

    def _glued(self, word: str, lower: str) -> str:
        """Long names inside a longer word."""
        at, done, out = 0, 0, []
        while at + GLUED <= len(lower):
            found = next((one for one in self._starts.get(lower[at : at + GLUED], ()) if lower.startswith(one, at)), "")
            if found:
                out += [word[done:at], _cased(word[at : at + len(found)], self.words[found])]
                at = done = at + len(found)
            else:
                at += 1
        return "".join((*out, word[done:])) if out else word

    def opaque(self, text: str) -> str:
        """Something of the same look: length, case, digits where only hexadecimal digits stood."""
        if re.fullmatch("[0-9a-f]+", text):
            alphabet = "0123456789abcdef"
        elif re.fullmatch("[0-9A-F]+", text):
            alphabet = "0123456789ABCDEF"
        elif re.fullmatch("[A-Z2-7]+", text):
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        else:
            alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
        for turn in range(64):
            digest = self._digest(f"opaque{turn}", text, 2 * len(text))
            pairs = (int.from_bytes(digest[2 * i : 2 * i + 2], "big") for i in range(len(text)))
            image = "".join(alphabet[number % len(alphabet)] for number in pairs)
            if is_opaque(image) or not is_opaque(text):
                break
        return image

    def digest_word(self, text: str) -> str:
        """A short mark for something that nobody gets back: equal for equal text."""
        return self._digest("gone", text, 4).hex()

    def remember(self, original: str, image: str) -> str:
        self.replaced[original] = image
        return image

    def load(self, words: Iterable[str], phrases: Iterable[str]) -> None:
        """Take over what an earlier run learned."""
        for word in words:
            if word not in self.words:
                self._add(word)
        for phrase in phrases:
            if phrase not in self.phrases:
                self._add_phrase(phrase)


def is_opaque(word: str) -> bool:
    """Whether a word looks like an id, hash or token: long, letters and digits mixed, no number, time or interface.

    >>> [is_opaque(one) for one in ("j6c3e705f3f808e03", "0x2e22dfa2", "cali19e3779b1", "amd64", "20240301T020304Z")]
    [True, False, False, False, False]
    """
    return bool(_OPAQUE.fullmatch(word)) and not _NUMBERS.fullmatch(word) and not _INTERFACE.fullmatch(word)


def _is_joined(lower: str) -> bool:
    """Two words of the formats, where two streams met (``ipv4conntrack``)."""
    if len(lower) > 2 * longest():
        return False
    parts = ((lower[:at], lower[at:]) for at in range(2, len(lower) - 1))
    return any(two in vocabulary() and one in vocabulary() and max(len(one), len(two)) > 5 for one, two in parts)


def _is_public(name: str) -> bool:
    """Names that every cluster has: nothing of a customer is in them."""
    words = WORD.findall(name)
    return (
        words[0] in _SYSTEM
        or name in compounds()
        or words[-1] in ("io", "com", "conf", "json", "yaml", "txt", "log", "local", "crt")
    )


_SYSTEM = frozenset(
    (
        "kube",
        "kubernetes",
        "system",
        "terway",
        "coredns",
        "cilium",
        "calico",
        "flannel",
        "csi",
        "ack",
        "alibaba",
        "cloud",
        "aliyun",
    )
)


def _cased(like: str, image: str) -> str:
    if like.islower() or like.lower() == like:
        return image
    return image.upper() if like.isupper() else image.capitalize()
