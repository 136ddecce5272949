"""`genrec export --verify`: does a bundle answer here as it did where it was made?"""

from pathlib import Path
from typing import Any

from genrec.errors import GenRecError
from genrec.exporting.golden import GOLDEN_FILE, ask, read_golden, replay
from genrec.files import verify_files
from genrec.runtime.integrity import read_manifest
from genrec.runtime.recommender import Recommender


def verify(bundle: str | Path, device: str = "auto") -> dict[str, Any]:
    """Check all files of a bundle, and ask it again what golden.json has the answers to.

    Args:
        bundle: Its folder.
        device: "auto", "cpu" or "cuda".

    Returns:
        {"bundle": path, "provider", "files": how many were checked, "tolerance", "same": whether all requests are
        answered as they were, "requests": [{"name", "same", "max_abs_diff"}, ...]}.

    Raises:
        GenRecError: The folder is no bundle, a file is missing or changed, or the device does not work.
    """
    path = Path(bundle)
    files = read_manifest(path)["files"]
    if GOLDEN_FILE not in files:
        raise GenRecError(f"{path} has no {GOLDEN_FILE}, it is of an older genrec; export the run again")
    verify_files(path, files)
    recommender = Recommender(path, device)
    golden = read_golden(path / GOLDEN_FILE)
    requests = replay(golden, lambda inputs: ask(recommender, inputs))
    return {
        "bundle": str(path),
        "provider": recommender.provider,
        "files": len(files),
        "tolerance": golden["tolerance"],
        "same": all(request["same"] for request in requests),
        "requests": requests,
    }
