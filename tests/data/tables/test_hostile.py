"""Files that declare more than they hold, unpack to more than is honest, or are none: one clear line, and at once."""

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import socket
import struct
import tarfile
import time
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from preceptor.data import open_table, read
from preceptor.data.tables import delimited, query, scratch, unpack
from preceptor.errors import DataError


def refused(path, text, seconds=10):
    began = time.process_time()  # that of other processes does not count
    for way in (read, open_table):
        with pytest.raises(DataError) as error:
            way(path)
        assert text in str(error.value)
        assert "\n" not in str(error.value)
    assert time.process_time() - began < seconds


def member(kind, size):
    header = tarfile.TarInfo("a.csv")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT) + b"a,b\n1,2\n".ljust(10_240, b"\0")


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
def test_a_member_of_a_terabyte_that_is_not_there(tmp_path, kind, packed):
    path = tmp_path / ("t.tar" if packed is bytes else "t.tar.gz")
    path.write_bytes(packed(member(kind, 2**40)))
    refused(path, ": the archive cannot be unpacked (")


def npy(shape, kind="<f8", data=bytes(80)):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def test_arrays_that_declare_more_than_is_there(tmp_path):
    (tmp_path / "t.npy").write_bytes(npy("(1000000000000, 10)"))
    refused(tmp_path / "t.npy", "t.npy: the array declares 80,000,000,000,000 bytes and 208 are there; a whole file is")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("x.npy", npy("(1000000000000, 10)"))
    refused(tmp_path / "t.npz", "t.npz: x.npy declares 80,000,000,000,000 bytes and 208 are there; a whole file is")
    for shape, kind in (("(-1, 10)", "<f8"), ("(10, 10)", "<U1000000000"), ("(2, 2)", "|O"), ("[1]", "<f8")):
        (tmp_path / "t.npy").write_bytes(npy(shape, kind))
        refused(tmp_path / "t.npy", "t.npy: the ")


def test_archives_that_unpack_to_more_than_is_honest(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 1 << 20)
    text = b"1,2\n" * (1 << 20)
    for suffix, packed in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        path = tmp_path / f"t.csv{suffix}"
        path.write_bytes(packed(text))
        refused(path, "bytes unpack to more than")
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", text)
    refused(tmp_path / "t.zip", "bytes unpack to more than")
    np.savez_compressed(tmp_path / "t.npz", x=np.zeros((1 << 20, 8)))
    refused(tmp_path / "t.npz", "bytes unpack to more than")


def test_a_table_that_memory_does_not_hold(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(pa.table({"a": np.zeros(1 << 20, np.int8), "b": np.zeros(1 << 20, np.int8)}), path)
    assert path.stat().st_size < 1 << 16
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 100_000)
    (tmp_path / "t.json").write_text(json.dumps([{"a": 1}] * 100_000))
    np.savez(tmp_path / "t.npz", x=np.zeros((1 << 17, 8)))
    monkeypatch.setattr(scratch, "free_memory", lambda: 1 << 20)
    for name in ("t.parquet", "t.csv", "t.json", "t.npz"):
        refused(
            tmp_path / name, " GiB of memory; 0.0 are free. Use fewer rows or columns, or a machine with more memory."
        )


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_rows_that_have_keys_of_their_own(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    rows = [{f"k{row}_{key}": 1 for key in range(200)} for row in range(600)]
    path.write_text(json.dumps(rows) if suffix == ".json" else "\n".join(map(json.dumps, rows)))
    refused(path, " rows, nearly all without a value in each; rows that share their keys are needed.", 60)


def test_a_line_that_is_no_line_of_a_table(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_bytes(b"," * (2 << 20))
    refused(
        tmp_path / "t.csv", "t.csv: the first line has 2,097,153 fields; at most 1,048,576 columns in 64 MiB are read."
    )
    monkeypatch.setattr(delimited, "MOST_LINE_BYTES", 1 << 20)
    (tmp_path / "t.csv").write_bytes(b"a" * (2 << 20))
    refused(tmp_path / "t.csv", "t.csv: the first line has more than 1,048,576 bytes; ")


def test_a_long_line_is_read(tmp_path):
    names = [f"ENSG{gene:011d}.{gene % 9}" for gene in range(9_000)]
    rows = [[f"{gene * row % 97 / 7:.6f}" for gene in range(9_000)] for row in range(1, 4)]
    path = tmp_path / "genes.csv"
    path.write_text("\n".join(",".join(each) for each in [names, *rows]))
    table = read(path)
    assert list(table.columns) == names
    assert [values.tolist() for values in table.columns.values()] == np.array(rows, float).T.tolist()
    path.write_text("a,b\n" + "\n".join(f'"{"word, " * 60_000}",{row}' for row in range(3)))
    assert len(read(path).column("a")[0]) == len("word, " * 60_000) - 1


def test_what_is_no_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    refused(tmp_path / "pipe.csv", "pipe.csv: this is neither a file nor a folder; a table in a file is needed.")
    refused(tmp_path, ": the folder holds no table; ")
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as each:
            each.bind("socket.csv")
    finally:
        os.chdir(here)
    refused(tmp_path / "socket.csv", "socket.csv: this is neither a file nor a folder; ")
    refused("/dev/zero", "/dev/zero: this is neither a file nor a folder; ")
    refused(tmp_path / ("x" * 300 + ".csv"), ": the file cannot be opened (File name too long); ")
    refused("a\0b.csv", "there is no such file or folder")
    kinds = [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for number, kind in enumerate(kinds):
            header = tarfile.TarInfo(f"{number}.csv")
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
    refused(tmp_path / "t.tar", "t.tar: the archive holds no table; one is needed.")


def test_names_that_are_no_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9.csv")
    (tmp_path / name).write_text("a,b\n1,2\n")
    for source in (tmp_path / name, tmp_path):
        assert read(source).name == r"caf\xe9.csv"
        assert read(source).column("a").tolist() == [1]
    (tmp_path / name).rename(tmp_path / os.fsdecode(b"caf\xe9.parquet"))
    refused(tmp_path / os.fsdecode(b"caf\xe9.parquet"), r"caf\xe9.parquet: the file cannot be read as Parquet (")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        header = tarfile.TarInfo(name)
        header.size = 8
        archive.addfile(header, io.BytesIO(b"a,b\n1,2\n"))
    (tmp_path / "t.tar").write_bytes(content.getvalue())
    assert read(tmp_path / "t.tar").notes == (r"caf\xe9.csv was unpacked from tar.",)
    (tmp_path / "t.json").write_text('[{"a\\ud800": 1}]')
    refused(tmp_path / "t.json", "t.json: the key 'a\\ud800' holds half a character; whole ones are needed.")


def test_no_room_for_files_of_the_moment(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\nä,2\n".encode("latin-1"))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.mkdtemp", full)
        refused(
            path, "files of the moment cannot be written here (No space left on device); room for a copy of the table"
        )
    with monkeypatch.context() as patch:
        patch.setattr("preceptor.data.tables.text._to_utf8", full)
        refused(
            path, "files of the moment cannot be written here (No space left on device); room for a copy of the table"
        )
    with monkeypatch.context() as patch:
        patch.setenv("TMPDIR", "/nowhere")
        patch.setattr("tempfile.gettempdir", full)
        refused(path, "There is no folder for files of the moment: TMPDIR, /tmp and /var/tmp cannot be written to")
    assert read(path).column("a").tolist() == ["ä"]


def test_free_memory_is_told(monkeypatch):
    assert 1 << 20 < scratch.free_memory() < 1 << 50


def test_a_file_that_is_emptied_while_it_is_read_is_refused_in_words(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    check = delimited._check_width
    for lines in ("", "\n\n"):
        path.write_text("a,b\n1,2\n")
        monkeypatch.setattr(
            delimited, "_check_width", lambda *given, lines=lines: (check(*given), path.write_text(lines))
        )
        with pytest.raises(DataError, match=r"^t\.csv: the file was emptied while it was read; "):
            read(path)


def test_many_columns_are_read_in_time_that_grows_with_them(tmp_path):
    """Each is found by its name, not by looking through all names before it."""
    source = delimited.Source(tmp_path, ",", 0, True, [f"g{n}" for n in range(200_000)], 1, (), 1, ",")
    start = time.process_time()
    assert query._place(source, "g199999") == "c199999"
    for name in source.names:
        query._place(source, name)
    assert time.process_time() - start < 5  # 0.1 s; by search 1,000 s
