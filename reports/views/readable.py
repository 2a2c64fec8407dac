"""The base class of what templates read."""

from __future__ import annotations


class Readable:
    """Base class of objects whose attributes templates read.

    Templates try every name as a key first. This finds the attribute at once; otherwise each lookup would raise and
    catch an error, thousands of times on some pages."""

    __getitem__ = object.__getattribute__
