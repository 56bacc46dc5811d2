"""Every error Wayfinder raises on purpose, in one tree.

Each message gives the value, what was expected and what to do. They become words for people only
at the edge (command line, page); nothing below catches them to print.

    WayfinderError
    ├── UserError                 the user can mend it (exit status 2)
    │   ├── QueryError            an empty question, a setting out of range
    │   ├── SourceError           a source of papers that cannot be read
    │   ├── DocumentError         a file with a full text that cannot be read
    │   ├── IndexMissing          no index where one was named
    │   ├── IndexIncompatible     newer schema, or another encoder than the manifest's
    │   ├── PaperNotFound         an id that the index does not hold
    │   └── MissingCredential     a key or token that is not set
    └── SystemFailure             the machine or a service failed (exit status 1)
        ├── IndexCorrupt          a part of the index is missing or altered
        ├── EncoderError          model weights missing, wrong or failing
        ├── StorageError          a full disk, a read-only directory
        └── RemoteError           ADS or an embedding endpoint failed
"""


class WayfinderError(Exception):
    """Base of all errors that Wayfinder raises on purpose."""

    exit_status = 1


class UserError(WayfinderError):
    """Something the user can mend."""

    exit_status = 2


class BuildRunning(UserError):
    """Another process is writing the index."""


class QueryError(UserError):
    """The question or a search setting cannot be used."""


class SourceError(UserError):
    """A source of papers cannot be read."""


class DocumentError(UserError):
    """A file with a full text cannot be read."""


class IndexMissing(UserError):
    """There is no index at the path named."""


class IndexIncompatible(UserError):
    """The index was made by another version or with another encoder."""


class PaperNotFound(UserError):
    """The index holds no paper with that identifier."""


class MissingCredential(UserError):
    """A key or token is needed and not set."""


class SystemFailure(WayfinderError):
    """The machine or a service failed."""


class IndexCorrupt(SystemFailure):
    """A part of the index is missing or differs from its checksum."""


class EncoderError(SystemFailure):
    """Model weights are missing or wrong, or encoding failed."""


class StorageError(SystemFailure):
    """Writing failed: disk full, directory read-only."""


class RemoteError(SystemFailure):
    """A remote service failed after its retries."""
