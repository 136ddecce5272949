"""Downloads: resumed, checked, cached; against a local server."""

import hashlib

import pytest

from genrec.data.download import UnreachableError, download
from genrec.errors import GenRecError
from genrec.progress import SILENT
from tests.data.server import serve

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


def _get(server, target, checksum=MD5, path="/file"):
    return download(server.url + path, target, "md5", checksum, SILENT)


def test_whole(tmp_path):
    target = tmp_path / "file"
    with serve(CONTENT) as server:
        assert _get(server, target).read_bytes() == CONTENT
        _get(server, target)
        assert server.requests == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_cut_connections_are_resumed(tmp_path):
    with serve(CONTENT, cuts=2) as server:
        assert _get(server, tmp_path / "file").read_bytes() == CONTENT
        assert server.starts == [0, 128_000, 192_000]


def test_a_part_of_an_earlier_run_is_completed(tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    with serve(CONTENT) as server:
        assert _get(server, tmp_path / "file").read_bytes() == CONTENT
        assert server.starts == [1000]


def test_a_whole_part_is_fetched_anew(tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    with serve(CONTENT) as server:
        assert _get(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges(tmp_path):
    (tmp_path / "file.part").write_bytes(b"something else")
    with serve(CONTENT, ranges=False) as server:
        assert _get(server, tmp_path / "file").read_bytes() == CONTENT


def test_cut_again_and_again(tmp_path):
    with serve(CONTENT, cuts=99) as server, pytest.raises(UnreachableError, match="cut"):
        _get(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_wrong_checksum(tmp_path):
    with serve(CONTENT) as server, pytest.raises(GenRecError, match="md5 differs"):
        _get(server, tmp_path / "file", checksum="0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_replaced(tmp_path):
    (tmp_path / "file").write_bytes(b"damaged")
    with serve(CONTENT) as server:
        assert _get(server, tmp_path / "file").read_bytes() == CONTENT


def test_redirects_are_followed(tmp_path):
    with serve(CONTENT) as server:
        assert _get(server, tmp_path / "file", path="/moved").read_bytes() == CONTENT


def test_cut_connections_are_resumed_after_a_redirect(tmp_path):
    with serve(CONTENT, cuts=1) as server:
        assert _get(server, tmp_path / "file", path="/moved").read_bytes() == CONTENT
        assert server.starts == [0, 128_000]


def test_a_part_of_another_file_costs_one_try(tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    with serve(CONTENT) as server:
        with pytest.raises(GenRecError, match="md5 differs"):
            _get(server, tmp_path / "file")
        assert list(tmp_path.iterdir()) == []
        assert _get(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_refusal_keeps_the_part(tmp_path):
    """What an earlier run fetched is not lost to a server that is down."""
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    with serve(CONTENT, status=404) as server, pytest.raises(UnreachableError, match="404"):
        _get(server, tmp_path / "file")
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusals(tmp_path, status):
    with serve(CONTENT, status=status) as server, pytest.raises(UnreachableError, match=str(status)):
        _get(server, tmp_path / "file")


def test_nobody_there(tmp_path):
    with pytest.raises(UnreachableError):
        download("http://127.0.0.1:9/file", tmp_path / "file", "md5", MD5, SILENT)
