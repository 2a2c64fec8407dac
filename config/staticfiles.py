"""Storage of static files: hashed and compressed."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


def _looks_for(pattern: str | tuple[str, str]) -> str:
    return pattern if isinstance(pattern, str) else pattern[0]


class HashedAndCompressed(CompressedManifestStaticFilesStorage):
    """Does not replace names of source maps: vendored files are stored as published, without their source maps."""

    patterns = tuple(
        (extension, tuple(pattern for pattern in patterns if "sourceMappingURL" not in _looks_for(pattern)))
        for extension, patterns in CompressedManifestStaticFilesStorage.patterns
    )
