"""How static files are kept: hashed and compressed."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


def _looks_for(pattern: str | tuple[str, str]) -> str:
    return pattern if isinstance(pattern, str) else pattern[0]


class HashedAndCompressed(CompressedManifestStaticFilesStorage):
    """Leaves the names of source maps alone: vendored files are kept as they were published, without their maps."""

    patterns = tuple(
        (extension, tuple(pattern for pattern in patterns if "sourceMappingURL" not in _looks_for(pattern)))
        for extension, patterns in CompressedManifestStaticFilesStorage.patterns
    )
