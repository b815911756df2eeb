import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from preceptor.data import read
from preceptor.data.tables import unpack
from preceptor.errors import DataError

CSV = b"a,b\n1,x\n2,y\n"


@pytest.fixture
def zipped(tmp_path):
    """Writes a zip file of these members and returns its path."""

    def write(members):
        path = tmp_path / "t.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return write


def as_tar(members, kind=tarfile.REGTYPE):
    """The bytes of a tar file of these members; a name that ends in / is a folder."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = (tarfile.DIRTYPE, 0) if name.endswith("/") else (kind, len(content))
            entry.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def as_lists(table):
    return {name: values.tolist() for name, values in table.columns.items()}


@pytest.mark.parametrize(
    "name, content", [("t.csv.gz", CSV), ("t.data_10.gz", CSV), ("t.jsonl.gz", b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n')]
)
def test_gzip(written, name, content):
    table = read(written(gzip.compress(content, mtime=0), name))
    assert as_lists(table) == {"a": [1, 2], "b": ["x", "y"]}
    assert (table.name, table.notes) == (name, (f"{name[:-3]} was unpacked from gzip.",))


@pytest.mark.parametrize(
    "members",
    [
        {"t.csv": CSV},
        {
            "folder/": b"",
            "folder/t.csv": CSV,
            "__MACOSX/folder/._t.csv": b"x",
            "README.txt": b"words",
            ".DS_Store": b"",
        },
        {"../../t.csv": CSV},
        {"t.txt": CSV},
        {"strange name": CSV},
    ],
)
def test_zip(zipped, members):
    assert as_lists(read(zipped(members))) == {"a": [1, 2], "b": ["x", "y"]}


def test_parquet_and_numpy_inside(zipped, tmp_path):
    pytest.importorskip("pyarrow", reason="pandas writes Parquet through pyarrow, which is not installed")
    import numpy as np
    import pandas as pd

    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", np.eye(2))
    assert as_lists(read(zipped({"t.parquet": (tmp_path / "t.parquet").read_bytes()}))) == {"a": [1, 2]}
    assert as_lists(read(zipped({"t.npy": (tmp_path / "t.npy").read_bytes()}))) == {"x": [[1, 0], [0, 1]]}


@pytest.mark.parametrize(
    "members, text",
    [
        ({}, "t.zip: the archive holds no table; one is needed. Unpack it and give the path of the one that is meant."),
        (
            {"t.csv": CSV, "u.csv": CSV},
            "t.zip: the archive holds 2 tables: t.csv, u.csv; one is needed. "
            "Unpack it and give the path of the one that is meant.",
        ),
        (
            {"u.zip": b""},
            "t.zip: u.zip inside it is an archive itself; a table is needed. Unpack the outer one.",
        ),
        (
            {"u.csv": gzip.compress(CSV, mtime=0)},
            "t.zip: u.csv inside it is an archive itself; a table is needed. Unpack the outer one.",
        ),
    ],
)
def test_zip_files_that_are_refused(zipped, members, text):
    with pytest.raises(DataError) as error:
        read(zipped(members))
    assert str(error.value) == text


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("t.csv.gz", b"nope", "Not a gzipped file (b'no')"),
        (
            "t.csv.gz",
            gzip.compress(CSV, mtime=0)[:-9],
            "Compressed file ended before the end-of-stream marker was reached",
        ),
        ("t.zip", b"nope", "File is not a zip file"),
    ],
)
def test_damaged_archives(written, name, content, why):
    with pytest.raises(DataError) as error:
        read(written(content, name))
    suffix = name[name.rindex(".") :]
    assert str(error.value) == (
        f"{name}: the archive cannot be unpacked ({why}); a whole {suffix} file is needed. "
        "Fetch it again, or unpack it and give the table itself."
    )


def test_archives_in_archives_and_of_other_kinds(written):
    with pytest.raises(DataError, match=r"^t.csv.gz: t.csv inside it is an archive itself; a table is needed\."):
        read(written(gzip.compress(gzip.compress(CSV, mtime=0)), "t.csv.gz"))
    with pytest.raises(DataError, match=r"^t.csv.xz: t.csv inside it is an archive itself; a table is needed\."):
        read(written(lzma.compress(as_tar({"t.csv": CSV})), "t.csv.xz"))
    with pytest.raises(DataError, match=r"^t.tar: t.zip inside it is an archive itself; a table is needed\."):
        read(written(as_tar({"t.zip": b"PK"}), "t.tar"))
    with pytest.raises(DataError, match=r"^t.7z: files that end in '.7z' are not read; .* are\. Unpack it first\.$"):
        read(written(b"", "t.7z"))


def test_what_unpacks_to_too_much_is_refused(written, monkeypatch, tmp_path):
    path = written(gzip.compress(b"a,b\n" + b"0,0\n" * 500_000, mtime=0), "t.csv.gz")
    assert read(path).rows == 500_000
    monkeypatch.setattr(unpack, "FREE_BYTES", 1 << 20)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value) == (
        f"t.csv.gz: {path.stat().st_size:,} bytes unpack to more than 1,048,576; at most 200 times as many, and "
        "32 GiB, are unpacked. If the file is trusted, unpack it and give the table itself."
    )


def test_nothing_is_left_behind(written, monkeypatch, tmp_path):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    read(written(gzip.compress(CSV, mtime=0), "t.csv.gz"))
    with pytest.raises(DataError):
        read(written(gzip.compress(b"a,b\n1\n", mtime=0), "t.csv.gz"))
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("name, compress", [("t.csv.xz", lzma.compress), ("t.csv.bz2", bz2.compress)])
def test_other_compressed_files(written, name, compress):
    table = read(written(compress(CSV), name))
    assert as_lists(table) == {"a": [1, 2], "b": ["x", "y"]}
    assert table.notes == (f"t.csv was unpacked from {'xz' if name.endswith('xz') else 'bzip2'}.",)


@pytest.mark.parametrize(
    "name, compress, said",
    [
        ("t.tar", bytes, "tar"),
        ("t.tar.gz", gzip.compress, "tar and gzip"),
        ("t.tgz", gzip.compress, "tar and gzip"),
        ("t.tar.xz", lzma.compress, "tar and xz"),
        ("t.TXZ", lzma.compress, "tar and xz"),
        ("t.tar.bz2", bz2.compress, "tar and bzip2"),
        ("t.tbz2", bz2.compress, "tar and bzip2"),
    ],
)
def test_tar_files(written, tmp_path, name, compress, said):
    members = {"README.txt": b"words", "data/": b"", "data/._t.csv": b"x", "../../t.csv": CSV, "z.json": b"{}"}
    table = read(written(compress(as_tar(members)), name))
    assert as_lists(table) == {"a": [1, 2], "b": ["x", "y"]}
    assert table.notes == (f"t.csv was unpacked from {said}.",)
    assert not list(tmp_path.parent.glob("t.csv"))


@pytest.mark.parametrize(
    "content, text",
    [
        (as_tar({}), "t.tar: the archive holds no table; one is needed."),
        (as_tar({"t.csv": b""}, tarfile.SYMTYPE), "t.tar: the archive holds no table; one is needed."),
        (as_tar({"t.csv": b""}, tarfile.FIFOTYPE), "t.tar: the archive holds no table; one is needed."),
        (as_tar({"a/t.csv": CSV, "b/t.csv": CSV}), "t.tar: the archive holds 2 tables: a/t.csv, b/t.csv; one is"),
        (as_tar({"t.csv": CSV})[:520], "t.tar: the archive cannot be unpacked (unexpected end of data); a whole .tar"),
        (b"a,b\n" * 500, "t.tar: the archive cannot be unpacked ("),
        (as_tar({f"{number}.csv": b"" for number in range(30)}), "t.tar: the archive holds more than 20 files; one"),
    ],
)
def test_tar_files_that_are_refused(written, monkeypatch, content, text):
    monkeypatch.setattr(unpack, "MOST_MEMBERS", 20)
    with pytest.raises(DataError) as error:
        read(written(content, "t.tar"))
    assert text in str(error.value)


@pytest.mark.parametrize("name, content", [("t.csv.xz", b"nope"), ("t.csv.bz2", b"nope"), ("t.tar.bz2", b"nope")])
def test_other_damaged_files(written, name, content):
    for damaged in (content, (bz2 if "bz2" in name else lzma).compress(CSV)[:-9]):
        with pytest.raises(
            DataError, match=rf"^{name}: the archive cannot be unpacked \(.*\); a whole \.\w+ file is needed"
        ):
            read(written(damaged, name))


def test_a_tar_file_that_unpacks_to_too_much_is_refused_while_it_is_looked_through(written, monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 1 << 20)
    with pytest.raises(
        DataError, match=r"^t.tgz: .* bytes unpack to more than 1,0\d\d,\d\d\d; at most 200 times as many"
    ):
        read(written(gzip.compress(as_tar({"t.csv": b"0" * 4_000_000}), mtime=0), "t.tgz"))


def test_an_xz_file_that_wants_much_memory_is_refused(written):
    greedy = lzma.compress(CSV, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}])
    with pytest.raises(DataError, match="Memory usage limit exceeded"):
        read(written(greedy, "t.csv.xz"))
