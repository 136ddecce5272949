"""A fixture that writes a log and prepares it."""

import pytest

from genrec.data.prepare import prepare


class Notes:
    """A reporter that remembers what it was told."""

    def __init__(self):
        self.infos = []
        self.warnings = []

    def task(self, name, total=None):
        from genrec.progress import SILENT

        return SILENT.task(name, total)

    def info(self, message):
        self.infos.append(message)

    def warn(self, message):
        self.warnings.append(message)


class Workshop:
    """Writes files into a folder and prepares them into `out`."""

    def __init__(self, folder):
        self.folder = folder
        self.out = folder / "out"
        self.notes = Notes()

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def prepare(self, *files, **options):
        """Prepare (name, content) pairs; min_count is 1 unless told."""
        paths = [self.write(*file) for file in files]
        before = [path.read_bytes() for path in paths]
        try:
            return self.prepare_paths(*paths, **options)
        finally:
            assert [path.read_bytes() for path in paths] == before  # the input is never touched

    def prepare_paths(self, *paths, **options):
        """Prepare what is there already."""
        try:
            result = prepare(paths, self.out, **{"min_count": 1, "force": True, "reporter": self.notes, **options})
        finally:
            leftovers = [path for path in self.folder.iterdir() if path.name.startswith(".")]
            assert leftovers == []
        assert result["read"] == result["interactions"] + sum(result["dropped"].values())
        return result


@pytest.fixture
def shop(tmp_path):
    return Workshop(tmp_path)
