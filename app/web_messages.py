"""What a page's WebSocket may ask of Streamlit, and what Streamlit holds of uploads: its own protocol, before it acts on it."""

from __future__ import annotations

from streamlit import runtime
from streamlit.proto.BackMsg_pb2 import BackMsg

# What pages need. The others act on the whole process (clear_cache empties the caches of all visitors), tell of
# the machine, or are for developing.
_WANTED = frozenset(
    ["rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request"]
)  # fmt: skip
MOST_FILE_NAMES = 1_000  # that one message asks addresses for; each costs the server an address


def wanted(data: bytes) -> bool:
    """Whether a page's message goes on to Streamlit; what is no message does, and is refused there."""
    try:
        message = BackMsg.FromString(data)
    except Exception:  # noqa: BLE001 - Streamlit closes the page for it
        return True
    if len(message.file_urls_request.file_names) > MOST_FILE_NAMES:
        return False
    return message.WhichOneof("type") in _WANTED


def holds(session: str, file: str) -> bool:
    """Whether Streamlit keeps this upload in memory."""
    return bool(runtime.get_instance().uploaded_file_mgr.get_files(session, [file]))
