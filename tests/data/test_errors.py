"""Damaged inputs: either a clear error or a count, never a silent loss and never a half-written dataset."""

import gzip

import pytest

from genrec.data.prepare import prepare
from genrec.errors import GenRecError, OutputExistsError
from tests.data.helpers import read_back

HEADER = "user_id,item_id,timestamp\n"
REASONS = [
    "unparseable",
    "missing_user",
    "missing_item",
    "missing_time",
    "below_rating",
    "outside_dates",
    "duplicate",
    "k_core",
]


def test_reasons_are_all_there_in_order(shop):
    assert list(shop.prepare(("log.csv", HEADER + "u,i,1\n"))["dropped"]) == REASONS


def test_malformed_csv_lines_are_counted(shop):
    lines = ["u1,i1,1", "u1,i2", "u2,i1,soon", "u3,i1,2,3,4", "", "just text", "u4,i4,4"]
    result = shop.prepare(("log.csv", HEADER + "\n".join(lines)))
    assert result["read"] == 6
    assert result["dropped"]["unparseable"] == 4
    assert read_back(shop.out) == {"u1": ["i1"], "u4": ["i4"]}
    assert [(one["line"], one["row"], one["text"]) for one in result["examples"]] == [
        (3, None, "malformed: 'u1,i2'"),
        (4, 3, "timestamp 'soon' is no time"),
        (5, None, "malformed: 'u3,i1,2,3,4'"),
    ]
    (warning,) = result["warnings"]
    assert warning == "unparseable and dropped: 4 rows; the first is log.csv line 3: malformed: 'u1,i2'"


def test_an_open_quote_costs_its_own_line_only(shop):
    lines = ["u1,i1,1", 'u9,"i3,12', "u2,i2,2", 'u3,"i3",3', "u4,i4,4"]
    result = shop.prepare(("log.csv", HEADER + "\n".join(lines)))
    assert result["read"] == 5
    assert result["dropped"]["unparseable"] == 1
    assert len(read_back(shop.out)) == 4
    assert result["examples"][0]["line"] == 3


def test_lines_are_those_of_the_file_after_an_open_quote(shop):
    lines = ["u1,i1,1", 'u9,"i3,12', "u2", 'u3,"i3",3', 'u8,"i,1', "u4,i4,soon", "u5", "u6,i6,6"]
    result = shop.prepare(("log.csv", HEADER + "\n".join(lines)))
    assert result["dropped"]["unparseable"] == 5
    assert [one["line"] for one in result["examples"]] == [3, 4, 6]
    assert shop.prepare(("log.csv", HEADER + 'u1,i1,1\nu9,"i3,12\nu2\nu,i,x\n'))["examples"][-1]["line"] == 5


def test_a_line_break_in_an_id(shop):
    result = shop.prepare(("log.csv", HEADER + '"u\n1","i\n2",1\nu2,i,2\n'))
    assert read_back(shop.out) == {"u\n1": ["i\n2"], "u2": ["i"]}
    assert result["read"] == 2


def test_values_of_several_lines_are_one_row(shop):
    text = 'user,item,ts,title\nu1,i1,1,"a\n\nb"\nu2,i2,2,"c\r\nd"\nu3,"i3",3,e\nbroken\n'
    result = shop.prepare(("log.csv", text))
    assert result["read"] == 4
    assert result["dropped"]["unparseable"] == 1


def test_an_open_quote_among_values_of_several_lines(shop):
    text = 'user,item,ts,title\nu1,i1,1,"a\nb"\nu9,"i9,9,x\nu2,i2,2,x\nu3,"i3",3,x\nu4,i4,4,x\n'
    result = shop.prepare(("log.csv", text))
    assert result["read"] == 5  # what the quote swallowed is counted line by line
    assert result["dropped"]["unparseable"] == 3


def test_quotes_inside_a_value_are_plain(shop):
    shop.prepare(("log.tsv", 'user\titem\tts\nu\t5" pipe\t1\n'))
    assert read_back(shop.out) == {"u": ['5" pipe']}


def test_bytes_that_are_no_utf8_are_counted(shop):
    result = shop.prepare(("log.csv", HEADER.encode() + b"u1,caf\xe9,1\nu2,i,2\n"))
    assert result["dropped"]["unparseable"] == 1
    result = shop.prepare(("log.jsonl", b'{"user":"\xe9","item":"i","ts":1}\n{"user":"u","item":"i","ts":1}\n'))
    assert (result["read"], result["dropped"]["unparseable"]) == (2, 1)
    assert result["examples"][0]["line"] == 1


def test_broken_json_lines_are_counted(shop):
    lines = [
        '{"user":"u","item":"i","ts":1}',
        "",
        "{",
        "[1]",
        "7",
        '{"user":"u","ts":2}',
        '{"user":"u","item":"j","ts":3}',
    ]
    result = shop.prepare(("log.jsonl", "\n".join(lines)))
    assert result["read"] == 6
    assert result["dropped"]["unparseable"] == 3
    assert result["dropped"]["missing_item"] == 1
    assert [(one["row"], one["line"]) for one in result["examples"]] == [(2, 3), (3, 4), (4, 5), (5, 6)]
    assert result["warnings"] == ["unparseable and dropped: 3 rows; the first is log.jsonl line 3: no JSON object"]


def test_the_place_is_that_of_the_right_file(shop):
    second = HEADER + "\nx\nu,i,2\nu,i,never\n"
    result = shop.prepare(("a.csv", HEADER + "u,i,1\n"), ("b.csv", second))
    assert [(one["file"], one["line"]) for one in result["examples"]] == [("b.csv", 3), ("b.csv", 5)]


def test_ratings(shop):
    text = "user,item,rating\nu,a,4\nu,b,3.9\nu,c,x\nu,d,\nu,e,nan\nu,f,5\n"
    result = shop.prepare(("log.csv", text), min_rating=4)
    assert read_back(shop.out) == {"u": ["a", "f"]}
    assert result["dropped"]["below_rating"] == 2
    assert result["dropped"]["unparseable"] == 2
    shown = [(one["reason"], one["text"]) for one in result["examples"] if one["reason"] != "below_rating"]
    assert shown == [("unparseable", "rating 'x' is no number"), ("unparseable", "rating 'nan' is no number")]
    result = shop.prepare(("log.csv", text))  # ratings that nobody asks for may be anything
    assert result["interactions"] == 6


def test_without_times_file_order_counts(shop):
    result = shop.prepare(("log.csv", "user,item\nu,b\nu,a\nu,b\n"))
    assert read_back(shop.out) == {"u": ["b", "a", "b"]}
    assert "no time column" in result["warnings"][0]


def test_duplicates_keep_the_first_row_and_repeats_stay(shop):
    result = shop.prepare(("log.csv", HEADER + "u,a,1\nu,b,1\nu,a,1\nu,a,2\n"))
    assert read_back(shop.out) == {"u": ["a", "b", "a"]}
    assert result["dropped"]["duplicate"] == 1


TRUNCATED = gzip.compress(HEADER.encode() + b"u,i,1\n" * 1000, mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", "", "is empty"),
        ("log.csv", "\n \n", "only blank lines"),
        ("log.csv", HEADER, "no rows; nothing to prepare"),
        ("log.csv", "u1,i1,5\nu2,i2,6\n", "no user column found among 'u1', 'i1', '5'; name it with --user-col"),
        (
            "log.csv",
            "user,thing,ts\nu,i,1\n",
            "no item column found among 'user', 'thing', 'ts'; name it",
        ),
        ("log.csv", '"user,item\nu,i\n', "header line has a broken quote"),
        ("log.csv", HEADER.encode("utf-16"), "UTF-16"),
        ("log.csv", b"PK\x03\x04rest", "zip archive"),
        ("log.csv", b"PAR1", "set --format|leave --format out|damaged"),
        ("log.parquet", "user,item\n", "no Parquet file"),
        ("log.parquet", b"PAR1 and nothing", "damaged"),
        ("log.csv.gz", TRUNCATED[:-20], "truncated or damaged gzip"),
        ("log.csv", TRUNCATED[:-20], "truncated or damaged gzip"),
        ("log.csv.gz", TRUNCATED[:30] + b"xxxx" + TRUNCATED[34:], "truncated or damaged gzip"),
        ("log.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("log.jsonl", "[1]\nx\n", "JSON array|no JSON object"),
        ("log.json", '[{"user":1}]', "JSON array; write one object a line"),
        ("log.dat", "word\n", "no format that can be told"),
    ],
)
def test_unusable_files(shop, name, content, message):
    with pytest.raises(GenRecError, match=message):
        shop.prepare((name, content))
    assert not shop.out.exists()


def test_wrong_columns(shop):
    file = ("log.csv", HEADER + "u,i,1\n")
    with pytest.raises(GenRecError, match="no column 'who'; --user-col takes one of: 'user_id', 'item_id'"):
        shop.prepare(file, user_col="who")
    with pytest.raises(GenRecError, match="both column 'item_id'"):
        shop.prepare(file, user_col="item_id")
    with pytest.raises(GenRecError, match="no rating column among"):
        shop.prepare(file, min_rating=3)
    with pytest.raises(GenRecError, match="only one has a time column"):
        shop.prepare(file, ("b.csv", "user,item\nu,i\n"))


def test_wrong_places(shop):
    with pytest.raises(GenRecError, match=r"nowhere.csv does not exist"):
        prepare(shop.folder / "nowhere.csv", shop.out)
    with pytest.raises(GenRecError, match="is a folder"):
        prepare(shop.folder, shop.out)
    with pytest.raises(GenRecError, match="known names are: movielens-100k"):
        prepare("movielens-1oo", shop.out)
    with pytest.raises(GenRecError, match="no source"):
        prepare([], shop.out)
    with pytest.raises(GenRecError, match=r"one format, but a\.csv is csv, b\.tsv is tsv"):
        shop.prepare(("a.csv", HEADER + "u,i,1\n"), ("b.tsv", "user\titem\tts\nu\ti\t1\n"))
    with pytest.raises(GenRecError, match="format 'xml' is unknown; choose one of: auto, csv"):
        shop.prepare(("a.csv", HEADER + "u,i,1\n"), format="xml")
    with pytest.raises(GenRecError, match="negative"):
        shop.prepare(("a.csv", HEADER + "u,i,1\n"), min_count=-1)


def test_nothing_left(shop):
    file = ("log.csv", HEADER + "u,i,1\nv,j,2\n,j,2\n")
    with pytest.raises(GenRecError) as error:
        shop.prepare(file, min_count=5)
    message = str(error.value)
    assert (
        "of 3 rows read, 2 users, 2 items and 2 interactions remained before k-core filtering and 0 after"
        in message
    )
    assert "1 missing_user, 2 k_core" in message
    assert "lower --min-count (now 5)" in message
    with pytest.raises(GenRecError, match=r"is no time\).*--time-col"):
        shop.prepare(("log.csv", HEADER + "u,i,a\nv,j,b\n"))
    with pytest.raises(GenRecError, match="widen --since"):
        shop.prepare(("log.csv", HEADER + "u,i,5\n"), since="2020-01-01")


def test_an_existing_output_is_kept(shop):
    file = ("log.csv", HEADER + "u,i,1\n")
    shop.out.mkdir()
    (shop.out / "mine.txt").write_text("precious")
    with pytest.raises(OutputExistsError):
        shop.prepare(file, force=False)
    with pytest.raises(GenRecError):
        shop.prepare(("log.csv", HEADER), force=True)
    assert (shop.out / "mine.txt").read_text() == "precious"
    shop.prepare(file, force=True)
    assert sorted(path.name for path in shop.out.iterdir()) == [
        "dataset.json",
        "items.parquet",
        "sequences.parquet",
        "users.parquet",
    ]


def test_one_row(shop):
    result = shop.prepare(("log.csv", HEADER + "u,i,1\n"))
    assert (result["users"], result["items"], result["interactions"]) == (1, 1, 1)
    assert result["avg_items_per_user"] == result["avg_users_per_item"] == 1.0
