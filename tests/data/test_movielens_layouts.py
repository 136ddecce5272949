"""MovieLens 1M, 10M, 20M, 25M, 32M: as a folder, an archive, a file, and by name."""

import hashlib
import zipfile

import pytest

from genrec.data import known_movielens
from genrec.data.prepare import prepare
from genrec.errors import GenRecError
from tests.data.helpers import items_of, read_back, times_of
from tests.data.server import serve

RATINGS = [(1, 1193, 5, 978300760), (1, 661, 3, 978302109), (2, 1193, 4.5, 978300000), (2, 9, 1, 978299999)]
WANTED = {"1": ["1193", "661"], "2": ["9", "1193"]}
MOVIES = [
    ("1193", "One Flew Over the Cuckoo's Nest (1975)", "Drama"),
    ("661", 'James and the "Giant", Misérables (1996)', "Animation|Children's|Musical"),
    ("9", "Untitled", "(no genres listed)"),
]


def _dat(rows, encoding="latin-1"):
    return "".join("::".join(map(str, row)) + "\n" for row in rows).encode(encoding)


def _csv(header, rows):
    cells = [
        ['"' + cell.replace('"', '""') + '"' if '"' in cell else cell for cell in map(str, row)] for row in rows
    ]
    return "".join(",".join(row) + "\r\n" for row in [header.split(","), *cells]).encode()


LAYOUTS = {
    "ml-1m": {"ratings.dat": _dat(RATINGS), "movies.dat": _dat(MOVIES), "users.dat": b"1::F::1::10::48067\n"},
    "ml-10M100K": {"ratings.dat": _dat(RATINGS), "movies.dat": _dat(MOVIES, "utf-8")},
    "ml-32m": {
        "ratings.csv": _csv("userId,movieId,rating,timestamp", RATINGS),
        "movies.csv": _csv("movieId,title,genres", MOVIES),
        "links.csv": b"movieId,imdbId,tmdbId\n1,2,3\n",
        "tags.csv": b"userId,movieId,tag,timestamp\n1,1193,x,1\n",
    },
}


def _folder(parent, name):
    folder = parent / name
    folder.mkdir()
    for file, content in LAYOUTS[name].items():
        (folder / file).write_bytes(content)
    return folder


def _archive(parent, name, file=None):
    path = parent / (file or f"{name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in LAYOUTS[name].items():
            archive.writestr(f"{name}/{member}", content)
    return path


def _check(out):
    assert read_back(out) == WANTED
    assert times_of(out)[1] == [978_299_999_000_000, 978_300_000_000_000]
    items = items_of(out)
    assert items["661"] == {
        "index": 2,
        "title": 'James and the "Giant", Misérables (1996)',
        "attributes": ["Animation", "Children's", "Musical"],
        "release_year": 1996,
    }
    assert (items["9"]["attributes"], items["9"]["release_year"]) == ([], None)


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path, name):
    folder = _folder(tmp_path, name)
    ratings = next(file for file in folder.iterdir() if file.name.startswith("ratings"))
    results = []
    for source, format in ((folder, "auto"), (_archive(tmp_path, name), "auto"), (ratings, "movielens")):
        results.append(prepare(source, tmp_path / "out", format=format, min_count=1, force=True))
        _check(tmp_path / "out")
    assert [result["name"] for result in results] == [name, name, ratings.name]
    assert len({result["checksum"] for result in results}) == 1


def test_half_stars(shop):
    shop.prepare(("ratings.dat", _dat(RATINGS)), min_rating=4.5)
    assert read_back(shop.out) == {"1": ["1193"], "2": ["1193"]}


def test_broken_ratings_are_counted(shop):
    text = _dat(RATINGS) + b'1::2\n1::"5::3::978300000\n1::7::x::soon\n'
    result = shop.prepare(("ratings.dat", text))
    assert read_back(shop.out)["1"] == ['"5', "1193", "661"]
    assert result["dropped"]["unparseable"] == 2


def test_anybodys_ratings_csv(shop):
    """A file called ratings.csv is no MovieLens file for its name alone."""
    shop.write("movies.csv", "sku,label\na,A\n")
    result = shop.prepare(("ratings.csv", "user,sku,stars,ts\nu,a,5,1\n"))
    assert (result["columns"]["item"], result["items_file"]) == ("sku", None)


def test_broken_movies(tmp_path):
    folder = _folder(tmp_path, "ml-1m")
    (folder / "movies.dat").write_text("1193::One\n")
    with pytest.raises(GenRecError, match=r"movies\.dat line 1 has 2 fields, 3 expected"):
        prepare(folder, tmp_path / "out")
    folder = _folder(tmp_path, "ml-32m")
    (folder / "movies.csv").write_text("id,name\n1,x\n")
    with pytest.raises(GenRecError, match="without movieId and title"):
        prepare(folder, tmp_path / "out")


def test_other_archives(shop):
    with zipfile.ZipFile(shop.folder / "x.zip", "w") as archive:
        archive.writestr("log.csv", "user,item\nu,i\n")
    with pytest.raises(GenRecError, match="zip archive"):
        shop.prepare_paths(shop.folder / "x.zip")
    whole = _archive(shop.folder, "ml-1m").read_bytes()
    start = whole.index(b"::1193")
    (shop.folder / "ml-1m.zip").write_bytes(whole[:start] + b"x" + whole[start + 1 :])
    with pytest.raises(GenRecError, match=r"ml-1m\.zip is damaged \(Bad CRC-32"):
        shop.prepare_paths(shop.folder / "ml-1m.zip")
    (shop.folder / "ml-1m.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GenRecError, match="damaged"):
        shop.prepare_paths(shop.folder / "ml-1m.zip")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The bytes of ml-1m.zip, and the page with its checksum."""
    content = _archive(tmp_path, "ml-1m", "published.zip").read_bytes()
    return content, {"/ml-1m.zip.md5": f"MD5 (ml-1m.zip) = {hashlib.md5(content).hexdigest()}\n".encode()}


@pytest.mark.parametrize("cuts", [0, 2])
def test_by_name(tmp_path, monkeypatch, published, cuts):
    content, pages = published
    cache = tmp_path / "cache"
    with serve(content, cuts=cuts, pages=pages) as server:
        monkeypatch.setattr(known_movielens, "_BASE_URL", server.url)
        result = prepare("movielens-1m", tmp_path / "out", min_count=1, cache=cache)
        _check(tmp_path / "out")
        assert len(server.starts) == cuts + 1  # each cut was resumed
        asked = server.requests
        prepare("ML-1M", tmp_path / "again", min_count=1, cache=cache)
        assert server.requests == asked
    assert result["name"] == "movielens-1m"
    assert sorted(path.name for path in cache.iterdir()) == ["ml-1m.zip", "ml-1m.zip.md5"]


def test_by_name_with_another_checksum(tmp_path, monkeypatch, published):
    content, pages = published
    with serve(content + b"more", pages=pages) as server:
        monkeypatch.setattr(known_movielens, "_BASE_URL", server.url)
        with pytest.raises(GenRecError, match="is not the published file: its md5 differs"):
            prepare("movielens-1m", tmp_path / "out", cache=tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["ml-1m.zip.md5"]
    with serve(content, pages={"/ml-1m.zip.md5": b"<html>moved</html>"}) as server:
        (tmp_path / "cache" / "ml-1m.zip.md5").unlink()
        monkeypatch.setattr(known_movielens, "_BASE_URL", server.url)
        with pytest.raises(GenRecError, match="holds no MD5 sum"):
            prepare("movielens-1m", tmp_path / "out", cache=tmp_path / "cache")


@pytest.mark.parametrize("name", ["movielens-1m", "movielens-20m", "movielens-32m"])
@pytest.mark.parametrize("status", [404, 503, None])
def test_out_of_reach(tmp_path, monkeypatch, name, status):
    file = name.replace("movielens", "ml") + ".zip"
    with serve(b"", status=status or 200) as server:
        url = server.url if status else "http://127.0.0.1:9"
        monkeypatch.setattr(known_movielens, "_BASE_URL", url)
        with pytest.raises(GenRecError) as error:
            prepare(name, tmp_path / "out", cache=tmp_path / "cache")
    assert f"Fetch {url}/{file} on another machine, put it at {tmp_path / 'cache' / file}" in str(error.value)
    assert str(status or "refused") in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_archive_put_there_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(known_movielens, "_BASE_URL", "http://127.0.0.1:9")
    _archive(tmp_path, "ml-1m")
    prepare("movielens-1m", tmp_path / "out", min_count=1, cache=tmp_path)
    _check(tmp_path / "out")
