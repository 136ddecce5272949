"""Amazon's reviews by name: one category of 2014 (its five-core) or of 2023, with the metadata of its products."""

from pathlib import Path
from typing import Final

from genrec.data.download import UnreachableError, download, out_of_reach
from genrec.data.layouts import Layout
from genrec.data.reviews import AMAZON as FORMAT
from genrec.progress import Reporter

_2014: Final = (
    "Amazon_Instant_Video Apps_for_Android Automotive Baby Beauty Books CDs_and_Vinyl Cell_Phones_and_Accessories "
    "Clothing_Shoes_and_Jewelry Digital_Music Electronics Grocery_and_Gourmet_Food Health_and_Personal_Care "
    "Home_and_Kitchen Kindle_Store Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden "
    "Pet_Supplies Sports_and_Outdoors Tools_and_Home_Improvement Toys_and_Games Video_Games"
)
_2023: Final = (
    "All_Beauty Amazon_Fashion Appliances Arts_Crafts_and_Sewing Automotive Baby_Products "
    "Beauty_and_Personal_Care Books CDs_and_Vinyl Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry "
    "Digital_Music Electronics Gift_Cards Grocery_and_Gourmet_Food Handmade_Products Health_and_Household "
    "Health_and_Personal_Care Home_and_Kitchen Industrial_and_Scientific Kindle_Store Magazine_Subscriptions "
    "Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden Pet_Supplies Software "
    "Sports_and_Outdoors Subscription_Boxes Tools_and_Home_Improvement Toys_and_Games Video_Games"
)
_SERVERS: Final = {
    "2014": "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles",
    "2023": "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/raw",
}
_FILES: Final = {
    "2014": ("reviews_{}_5.json.gz", "meta_{}.json.gz"),
    "2023": ("review_categories/{}.jsonl.gz", "meta_categories/meta_{}.jsonl.gz"),
}
AMAZON: Final = {
    f"amazon-{year}-{category.lower().replace('_', '-')}": (year, category)
    for year, categories in (("2014", _2014), ("2023", _2023))
    for category in categories.split()
}
"""Known names, and the year and category of each."""
_TERMS: Final = {
    "2014": "Amazon reviews of 2014 (UCSD): for research use; cite He and McAuley 2016 and McAuley et al. 2015",
    "2023": "Amazon reviews of 2023 (UCSD): for research use; cite Hou et al. 2024, arXiv 2403.03952",
}


def fetch_amazon(name: str, folder: Path, reporter: Reporter) -> Layout:
    """Fetch one of `AMAZON` into a cache folder.

    No checksums are published: gzip's own tells a damaged file, and a file that has changed since it was fetched,
    whose SHA-256 is kept beside it, is fetched again.

    Raises:
        GenRecError: It cannot be reached.
    """
    year, category = AMAZON[name]
    reporter.info(_TERMS[year])
    files = {}
    for pattern in _FILES[year]:
        path = pattern.format(category)
        files[f"{_SERVERS[year]}/{path}"] = folder / f"amazon-{year}-{Path(path).name}"
    try:
        reviews, products = (download(url, path, "sha256", None, reporter) for url, path in files.items())
    except UnreachableError as error:
        raise out_of_reach(name, str(error), files) from error
    return Layout(reviews, products, format=FORMAT)
