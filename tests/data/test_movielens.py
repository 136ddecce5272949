"""MovieLens 100K: one dataset, whichever copy it comes from, and what happens when neither can be had."""

import hashlib
import subprocess
import zipfile

import pytest

from genrec.data import known_movielens
from genrec.data.dataset import load_dataset
from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back
from tests.data.server import serve

U_DATA = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t267\t1\t881250949\n196\t1412\t1\t881250940\n"
NOTHING = "|".join("0" * 19)


def _flags(*positions):
    return "|".join("1" if position in positions else "0" for position in range(19))


U_ITEM = (
    f"242|Kolya (1996)|24-Jan-1997||http://us.imdb.com/M/title-exact?Kolya%20(1996)|{_flags(5)}\n"
    f"302|L.A. Confidential (1997)|01-Jan-1997||http://x|{_flags(6, 10, 13, 16)}\n"
    f"267|unknown||||{_flags(0)}\n"
    f"1412|Land Before Time III: The Time of the Great Giving (1995) (V)|01-Jan-1995||x|{_flags(3, 4)}\n"
    f"543|Misérables, Les (1995)|01-Jan-1995||x|{_flags(8, 12)}\n"
)
INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + U_DATA
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "242\tKolya\t1996\tComedy\n"
    "302\tL.A. Confidential\t1997\tCrime Film-Noir Mystery Thriller\n"
    "267\tunkonwn\tunkonwn\tunknown\n"
    "1412\tLand Before Time III: The Time of the Great Giving (1995)\tV\tAnimation Children's\n"
)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("ml-100k/u.data", U_DATA)
        target.writestr("ml-100k/u.item", U_ITEM.encode("latin-1"))
    return path


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("recbole/dataset_example/ml-100k/ml-100k.inter", INTER)
        target.writestr("recbole/dataset_example/ml-100k/ml-100k.item", ITEM)
    monkeypatch.setattr(known_movielens, "_WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.fixture
def offline(monkeypatch):
    """Neither the publisher nor pip can be reached."""
    monkeypatch.setattr(known_movielens, "_BASE_URL", "http://127.0.0.1:9")
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: no route\n")
    monkeypatch.setattr(known_movielens.subprocess, "run", lambda *args, **kwargs: failed)


def _publish(monkeypatch, archive, url):
    monkeypatch.setattr(known_movielens, "_BASE_URL", url)
    monkeypatch.setitem(known_movielens._MD5, "movielens-100k", hashlib.md5(archive.read_bytes()).hexdigest())


EXPECTED = {
    "242": {"title": "Kolya (1996)", "attributes": ["Comedy"], "release_year": 1996},
    "302": {
        "title": "L.A. Confidential (1997)",
        "attributes": ["Crime", "Film-Noir", "Mystery", "Thriller"],
        "release_year": 1997,
    },
    "267": {"title": "unknown", "attributes": ["unknown"], "release_year": None},
    "1412": {
        "title": "Land Before Time III: The Time of the Great Giving (1995) (V)",
        "attributes": ["Animation", "Children's"],
        "release_year": 1995,
    },
}


def _check(out):
    assert read_back(out) == {"186": ["302"], "196": ["1412", "242", "267"]}
    assert {
        item: {k: v for k, v in row.items() if k != "index"} for item, row in items_of(out).items()
    } == EXPECTED


def test_folder(tmp_path):
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    (folder / "u.data").write_text(U_DATA)
    (folder / "u.item").write_bytes(U_ITEM.encode("latin-1"))
    for format in ("auto", "movielens"):
        result = prepare(folder, tmp_path / "out", format=format, min_count=1, force=True)
        _check(tmp_path / "out")
        assert result["name"] == "ml-100k"
    prepare(folder / "u.data", tmp_path / "out", min_count=1, force=True)
    _check(tmp_path / "out")
    (folder / "u.item").write_text("242|Kolya\n")
    with pytest.raises(GenRecError, match="line 1 has 2 fields, 24 expected"):
        prepare(folder, tmp_path / "other", min_count=1)
    with pytest.raises(GenRecError, match="no MovieLens layout"):
        prepare(tmp_path, tmp_path / "other", format="movielens")


def test_recbole_folder(tmp_path):
    folder = tmp_path / "atomic"
    folder.mkdir()
    (folder / "ml.inter").write_text(INTER)
    (folder / "ml.item").write_text(ITEM)
    prepare(folder, tmp_path / "out", min_count=1)
    assert items_of(tmp_path / "out")["242"]["title"] == "Kolya"
    (folder / "other.inter").write_text(INTER)
    with pytest.raises(GenRecError, match=r"several logs: ml\.inter, other\.inter"):
        prepare(folder, tmp_path / "out", force=True)


def test_both_copies_give_one_dataset(tmp_path, monkeypatch, archive, wheel, offline):
    with serve(archive.read_bytes()) as server:
        _publish(monkeypatch, archive, server.url)
        first = prepare("movielens-100k", tmp_path / "first", min_count=1, cache=tmp_path / "c1")
        assert server.requests == 1
        prepare("ml-100k", tmp_path / "again", min_count=1, cache=tmp_path / "c1")
        assert server.requests == 1  # the second time it comes from the cache
    _check(tmp_path / "first")
    (tmp_path / "c2").mkdir()
    wheel.rename(tmp_path / "c2" / "recbole-1.2.1-py3-none-any.whl")
    second = prepare("movielens-100k", tmp_path / "second", min_count=1, cache=tmp_path / "c2")
    _check(tmp_path / "second")
    assert first["checksum"] == second["checksum"] == load_dataset(tmp_path / "again").checksum


def test_offline_falls_back_to_pip(tmp_path, monkeypatch, wheel, offline):
    def run(command, **kwargs):
        assert command[1:4] == ["-m", "pip", "download"]
        assert "--no-deps" in command
        wheel.rename(tmp_path / "cache" / "recbole-1.2.1-py3-none-any.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(known_movielens.subprocess, "run", run)
    monkeypatch.setenv("GENREC_CACHE", str(tmp_path / "cache"))
    prepare("movielens-100k", tmp_path / "out", min_count=1)
    _check(tmp_path / "out")


def test_offline_says_what_to_fetch(tmp_path, offline):
    with pytest.raises(GenRecError) as error:
        prepare("movielens-100k", tmp_path / "out", cache=tmp_path / "cache")
    message = str(error.value)
    assert "Fetch http://127.0.0.1:9/ml-100k.zip" in message
    assert f"put it at {tmp_path / 'cache' / 'ml-100k.zip'}" in message
    assert "no route" in message
    assert not (tmp_path / "out").exists()


def test_a_changed_wheel_is_refused(tmp_path, monkeypatch, wheel, offline):
    def run(command, **kwargs):
        (tmp_path / "cache" / "recbole-1.2.1-py3-none-any.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(known_movielens.subprocess, "run", run)
    with pytest.raises(GenRecError, match="SHA-256 differs"):
        prepare("movielens-100k", tmp_path / "out", cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_known_names_stand_alone(tmp_path):
    with pytest.raises(GenRecError, match="prepare it alone"):
        prepare(["movielens-100k", "more.csv"], tmp_path / "out")


def test_terms_are_told(shop, tmp_path, offline):
    with pytest.raises(GenRecError):
        prepare("movielens-100k", shop.out, cache=tmp_path / "cache", reporter=shop.notes)
    assert "research" in shop.notes.infos[0]
