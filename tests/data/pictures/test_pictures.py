import gzip
import io
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest

from preceptor.data.pictures import files as picture_files
from preceptor.data.pictures import pictures as module
from preceptor.data.pictures.parallel import in_parallel
from preceptor.data.pictures.pictures import looks_like_pictures, read_pictures, refuse_neither
from preceptor.errors import DataError

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")


def noise(height: int, width: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def tree(tmp_path):
    """Writes files (name -> bytes) into a folder, and returns it."""

    def write(files: dict[str, bytes], name: str = "set") -> Path:
        for each, content in files.items():
            path = tmp_path / name / each
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / name

    return write


def zipped(folder: Path) -> Path:
    """A zip file with the files of a folder, in reverse order."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return path


def two_classes(count: int = 3, size: int = 8) -> dict[str, bytes]:
    """The files of a small set."""
    return {f"{c}/{n}.png": encoded(noise(size, size, 10 * k + n)) for k, c in enumerate("ab") for n in range(count)}


def test_a_folder_with_a_folder_for_each_class(tree):
    found = read_pictures(tree(two_classes()))
    assert (found.classes, found.labels.tolist(), found.parts) == (("a", "b"), [0, 0, 0, 1, 1, 1], None)
    assert found.labels.dtype == np.int32
    assert found.names == ("a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png")
    assert (found.rows, found.shape, found.notes, found.name) == (6, (8, 8, 3), (), "set")
    taken = found.take(np.array([4, 0]))
    assert taken.dtype == np.uint8
    assert (taken == np.stack([noise(8, 8, 11), noise(8, 8, 0)])).all()


def test_folders_inside_that_of_a_class(tree):
    files = {"a/x/1.png": encoded(noise(4, 4)), "b/1.png": encoded(noise(4, 4, 1))}
    found = read_pictures(tree(files))
    assert (found.classes, found.labels.tolist()) == (("a", "b"), [0, 1])
    assert found.notes == ("Pictures in folders inside that of a class belong to the outer one: 1 of them.",)


def test_classes_that_are_numbers_are_in_their_order(tree):
    files = {f"{label}/x.png": encoded(noise(4, 4, label)) for label in (10, 9, 0)}
    assert read_pictures(tree(files)).classes == ("0", "9", "10")


@pytest.mark.parametrize(
    "train, dev, test",
    [("train", "val", "test"), ("Training", "validation", "Testing"), ("seg_train", "dev", "seg_test")],
)
def test_parts_beside_each_other(tree, train, dev, test):
    files = {f"{part}/{name}": data for part in (train, dev, test) for name, data in two_classes().items()}
    found = read_pictures(tree({f"archive/images/{name}": data for name, data in files.items()}))
    assert found.classes == ("a", "b")
    assert [len(found.rows_of(part)) for part in ("train", "dev", "test")] == [6, 6, 6]
    assert (found.names[found.rows_of("train")[0]]).startswith(f"archive/images/{train}/a/")


def test_parts_with_a_folder_between(tree):
    files = {f"{part}/{part}/{name}": data for part in ("train", "test") for name, data in two_classes().items()}
    found = read_pictures(tree(files))
    assert (found.classes, len(found.rows_of("test"))) == (("a", "b"), 6)


def test_a_part_without_classes_is_passed_over(tree):
    files = {f"train/{name}": data for name, data in two_classes().items()} | {"test/1.png": encoded(noise(8, 8))}
    found = read_pictures(tree(files))
    assert (found.rows, found.parts) == (6, None)
    assert "test/1.png" in found.notes[0]


def test_a_class_may_be_called_train(tree):
    files = {f"{label}/{n}.png": encoded(noise(4, 4, n)) for label in ("train", "bus") for n in range(2)}
    assert read_pictures(tree(files)).classes == ("bus", "train")


def test_a_class_that_is_only_tested_is_refused(tree):
    files = {f"train/{name}": data for name, data in two_classes().items()}
    files |= {"test/A/x.png": encoded(noise(8, 8)), "test/b/x.png": encoded(noise(8, 8))}
    with pytest.raises(DataError, match=r"set: the class 'A' is not in the training part.* Did you mean 'a'"):
        read_pictures(tree(files))


@pytest.mark.parametrize("parts", [False, True])
def test_a_zip_file_holds_what_its_folder_holds(tree, parts):
    files = two_classes()
    if parts:
        files = {f"{part}/{name}": data for part in ("train", "test") for name, data in files.items()}
    folder = tree(files)
    whole, packed = read_pictures(folder), read_pictures(zipped(folder))
    assert (whole.classes, whole.labels.tolist()) == (packed.classes, packed.labels.tolist())
    assert (whole.take(range(whole.rows)) == packed.take(range(packed.rows))).all()
    assert (whole.content_hashes() == packed.content_hashes()).all()
    assert looks_like_pictures(zipped(folder))


def test_names_in_a_zip_file_lead_nowhere(tmp_path):
    path = tmp_path / "deep" / "inside" / "x.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in two_classes().items():
            archive.writestr(name, data)
        archive.writestr("../../evil.png", encoded(noise(8, 8)))
        archive.writestr("/etc/evil.png", encoded(noise(8, 8)))
    found = read_pictures(path)
    assert found.classes == ("a", "b", "etc")  # a name below the zip file like any other
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_zip_files_that_cannot_be_read_are_refused(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "FREE_BYTES", 1 << 20)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"broken.zip: the archive cannot be unpacked"):
        read_pictures(tmp_path / "broken.zip")
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/x.bmp", bytes(2 << 20))
        for name, data in two_classes().items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=r"1 file cannot be read: a/x.bmp \(.*at most 200 times"):
        read_pictures(path)


def test_stray_files_are_named_and_junk_is_not(tree):
    junk = {"a/.DS_Store": b"x", "a/._0.png": b"x", "Thumbs.db": b"x", "__MACOSX/a/0.png": b"x", ".git/a/1.png": b"x"}
    strays = {"a/notes.txt": b"x", "README.md": b"x"}
    found = read_pictures(tree(two_classes() | junk | strays))
    assert found.rows == 6
    assert found.notes == ("2 files are no pictures by their suffix and were passed over: README.md, a/notes.txt.",)
    found = read_pictures(tree(two_classes() | {"9.png": encoded(noise(8, 8))}, "other"))
    assert found.notes == ("1 file is not in the folder of a class and was passed over: 9.png.",)


@pytest.mark.parametrize(
    "name, broken, reason",
    [
        ("empty", b"", "none of PNG"),
        ("text", b"hello, I am no picture", "none of PNG"),
        ("cut PNG", encoded(noise(64, 64))[:3000], "truncated"),
        ("cut JPEG", encoded(noise(64, 64), "JPEG")[:1500], "truncated"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of PNG"),
        ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "none of PNG"),
    ],
)
def test_corrupt_files_are_named_and_refused_or_skipped(tree, name, broken, reason):
    folder = tree(two_classes() | {"b/broken.jpg": broken})
    with pytest.raises(DataError, match=rf"set: 1 file cannot be read: b/broken.jpg \(.*{reason}"):
        read_pictures(folder)
    found = read_pictures(folder, skip_corrupt=True)
    assert (found.rows, found.labels.tolist()) == (6, [0, 0, 0, 1, 1, 1])
    assert found.notes[0].startswith("1 file cannot be read and was passed over: b/broken.jpg")
    assert (found.take([5]) == noise(8, 8, 12)).all()


def test_a_set_of_which_nothing_can_be_read(tree):
    folder = tree({"a/1.png": b"x", "b/1.png": b"y"})
    with pytest.raises(DataError, match=r"2 files cannot be read.*Fetch them again\.$"):
        read_pictures(folder, skip_corrupt=True)


def test_too_many_pixels_are_refused_before_they_are_decoded(tree):
    for side, reason in ((30_000, "exceeds limit"), (9_500, "9,500 × 9,500 pixels are more than 89,478,485")):
        folder = tree(two_classes() | {"a/bomb.ppm": f"P6 {side} {side} 255\n".encode() + bytes(99)})
        with pytest.raises(DataError, match=rf"a/bomb.ppm \(.*{reason}"):
            read_pictures(folder)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_they_are_meant_to_be_seen(tree, orientation, kind):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16], upright[8:, 16:] = 255, 128
    stored = {  # the EXIF standard: where row 0 and column 0 of the stored pixels belong
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x),
        7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
        8: lambda x: np.rot90(x, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(np.ascontiguousarray(stored), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    found = read_pictures(tree({"a/x.jpg": data, "b/y.png": encoded(upright)}))
    assert found.shape == (16, 32, 3) or found.channels == 1
    assert np.abs(found.take([0])[0].astype(int) - found.take([1])[0]).max() < 12  # JPEG loses a little
    assert (len(found.notes) == 2) == (orientation > 1 and kind != "TIFF")


def pixel_kinds() -> dict[str, tuple[bytes, np.ndarray, str]]:
    """Name -> file, the pixels it should give, a piece of the note."""
    colour, grey = noise(8, 8, 1), noise(8, 8, 2, channels=1)
    seen = np.repeat(grey, 3, 2)
    picture = Image.fromarray(colour)

    def saved(image, kind="PNG", **options):
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    clear = np.dstack([colour, np.where(np.arange(64).reshape(8, 8) % 2, 255, 0).astype(np.uint8)])
    on_white = np.where(clear[..., 3:] == 255, colour, 255).astype(np.uint8)
    palette = picture.quantize(16)
    cut = (np.arange(64).reshape(8, 8) * 1000).astype(np.uint16)
    black = np.arange(64).reshape(8, 8) % 2 == 0
    return {
        "grey": (saved(Image.fromarray(grey[..., 0])), seen, ""),
        "two colours": (saved(Image.fromarray(black)), np.repeat(black[..., None], 3, 2) * np.uint8(255), ""),
        "clear": (saved(Image.fromarray(clear)), on_white, "has transparency"),
        "palette": (saved(palette), np.asarray(palette.convert("RGB")), ""),
        "GIF": (saved(palette, "GIF"), np.asarray(palette.convert("RGB")), ""),
        "BMP": (saved(picture, "BMP"), colour, ""),
        "PPM": (saved(picture, "PPM"), colour, ""),
        "TIFF": (saved(picture, "TIFF", compression="tiff_lzw"), colour, ""),
        "16 bits": (saved(Image.fromarray(cut)), np.repeat((cut >> 8).astype(np.uint8)[..., None], 3, 2), "16 bits"),
        "film": (
            saved(picture, "TIFF", save_all=True, append_images=[picture.rotate(90)]),
            colour,
            "several frames",
        ),
        "print": (saved(picture.convert("CMYK"), "TIFF"), np.asarray(picture.convert("CMYK").convert("RGB")), "print"),
    }


@pytest.mark.parametrize("kind", pixel_kinds())
def test_every_kind_of_pixel_becomes_8_bits_of_colour(tree, kind):
    data, expected, note = pixel_kinds()[kind]
    found = read_pictures(tree({"a/x.png": data, "b/y.png": encoded(noise(8, 8))}))
    assert (found.take([0])[0] == expected).all()
    assert note in " ".join(found.notes)
    assert bool(found.notes) == bool(note)


def test_fractions_as_pixels_are_refused(tree):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).random((8, 8), np.float32)).save(file, "TIFF")
    with pytest.raises(DataError, match="fractions of no known range"):
        read_pictures(tree(two_classes() | {"a/x.tif": file.getvalue()}))


def test_grey_pictures_have_one_channel(tree):
    files = {f"{label}/{n}.png": encoded(noise(8, 8, n, channels=1)) for label in "ab" for n in range(2)}
    assert read_pictures(tree(files)).shape == (8, 8, 1)
    in_colour = {f"{label}/{n}.jpg": encoded(np.repeat(noise(8, 8, n, 1), 3, 2)) for label in "ab" for n in range(2)}
    found = read_pictures(tree(in_colour, "stored in colour"))
    assert found.shape == (8, 8, 1)
    assert found.notes == ("The pictures are stored in colour, but all are grey; they are taken as grey.",)
    assert (found.take([0])[0] == noise(8, 8, 0, 1)).all()


@pytest.mark.parametrize(
    "sizes, expected",
    [
        ([(20, 30)] * 10, (20, 30)),
        ([(20, 30)] * 9 + [(300, 100)], (20, 30)),
        ([(20, 30), (40, 50), (60, 40)], (40, 40)),
        ([(480, 640)] * 10, (224, 299)),
        ([(480, 640), (1000, 500), (500, 700)], (224, 224)),
        ([(1, 5), (5, 1)], (1, 1)),
    ],
)
def test_the_common_size(tree, sizes, expected):
    files = {f"{'ab'[n % 2]}/{n}.png": encoded(np.full((*size, 3), n, np.uint8)) for n, size in enumerate(sizes)}
    found = read_pictures(tree(files))
    assert found.shape[:2] == expected
    assert any("scaled and cut" in note for note in found.notes) == any(size != expected for size in sizes)


def test_scaling_keeps_the_aspect_and_the_middle(tree):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40, 0] = 255  # a red square in the middle
    found = read_pictures(tree({"a/x.png": encoded(wide), "b/y.png": encoded(noise(10, 10))}), shape=(10, 10, 3))
    assert (found.take([0])[0, :, 1:-1] == (255, 0, 0)).all()
    image = Image.fromarray(noise(40, 40, 5))
    found = read_pictures(tree({"a/x.png": encoded(noise(40, 40, 5))}, "one"), shape=(10, 10, 3), labelled=False)
    assert (found.take([0])[0] == np.asarray(image.resize((10, 10), Image.Resampling.BILINEAR))).all()


def test_a_large_jpeg_is_decoded_at_a_lower_resolution_to_much_the_same(tree):
    down = np.linspace(0, 255, 1600).astype(np.uint8)
    smooth = np.stack([np.add.outer(down // 2, down // 2), np.tile(down, (1600, 1)), np.tile(down[:, None], 1600)], -1)
    found = read_pictures(tree({"a/x.jpg": encoded(smooth, "JPEG", quality=95)}), shape=(100, 100, 3), labelled=False)
    expected = Image.fromarray(smooth).resize((100, 100), Image.Resampling.BILINEAR)
    assert np.abs(found.take([0])[0].astype(int) - np.asarray(expected)).max() <= 4


def test_a_set_that_is_not_kept_comes_out_the_same(tree, monkeypatch):
    folder = tree(two_classes(40, 12))
    kept = read_pictures(folder)
    monkeypatch.setattr(module, "KEPT_BYTES", 1000)
    rows = np.random.default_rng(0).integers(0, 80, 200)
    for source in (zipped(folder), folder):
        streamed = read_pictures(source)
        assert kept.is_in_memory
        assert not streamed.is_in_memory
        assert (kept.hashes == streamed.hashes).all()
        for workers in (1, 2):
            assert (kept.take(rows) == streamed.take(rows, workers=workers)).all()
    (folder / "a" / "3.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"set/a/3.png: .*; it was whole when the set was read"):
        streamed.take(range(80))


def test_equal_pictures_have_equal_hashes(tree):
    files = two_classes() | {"b/again.bmp": encoded(noise(8, 8, 1), "BMP")}
    found = read_pictures(tree(files))
    hashes = found.content_hashes()
    assert hashes.dtype == np.uint64
    assert hashes[found.names.index("a/1.png")] == hashes[found.names.index("b/again.bmp")]
    assert len(set(hashes.tolist())) == 6


def test_new_pictures_of_a_known_shape(tree):
    folder = tree({"x/b/1.png": encoded(noise(20, 30)), "x/c/1.png": encoded(noise(20, 30, 1))})
    found = read_pictures(folder, shape=(8, 8, 1), labelled=False)
    assert (found.labels.tolist(), found.classes, found.shape) == ([0, 1], ("b", "c"), (8, 8, 1))
    flat = read_pictures(tree({"1.png": encoded(noise(8, 8)), "2.png": encoded(noise(8, 8))}, "flat"), labelled=False)
    assert (flat.rows, flat.labels) == (2, None)
    single = read_pictures(folder / "x" / "b" / "1.png", labelled=False)
    assert (single.rows, single.shape, single.labels) == (1, (20, 30, 3), None)


@pytest.mark.parametrize("part", ["", "train/"])
def test_every_picture_is_taken_where_that_is_asked_for(tree, part):
    files = {f"{part}{name}": data for name, data in two_classes().items()}
    files |= {"new/deep/1.png": encoded(noise(8, 8, 7)), "loose.png": encoded(noise(8, 8, 8))}
    found = read_pictures(tree(files), labelled=False, every=True)
    told = [None if code < 0 else found.classes[code] for code in found.labels.tolist()]
    own = {name: name.split("/")[-2] for name in files if name.startswith(part) and "/" in name}
    own |= {} if part else {"new/deep/1.png": "new"}
    assert dict(zip(found.names, told, strict=True)) == dict.fromkeys(files) | own
    assert (found.parts, found.notes) == (None, () if part else found.notes)


def test_every_picture_of_a_list_is_taken_whatever_its_class(tree):
    pictures = {f"{name}.png": encoded(noise(8, 8, number)) for number, name in enumerate("abc")}
    rows = b"file,label,split\na.png,x,train\nb.png,,train\nc.png,y,test\n"
    found = read_pictures(tree({"list.csv": rows} | pictures), labelled=False, every=True)
    assert (found.classes, found.labels.tolist(), found.parts) == (("x", "y"), [0, -1, 1], None)
    rows = b"file,colour,form\na.png,red,round\nb.png,blue,round\nc.png,red,long\n"
    found = read_pictures(tree({"list.csv": rows} | pictures, "several"), labelled=False, every=True)
    assert (found.rows, found.labels) == (3, None)


def test_a_folder_without_table_and_pictures_is_told_of_both(tree, tmp_path):
    (tmp_path / "bare" / "a").mkdir(parents=True)
    such = "no pictures, but files such as a/1.heic; one file that ends in "
    unread = tree({"b/2.heic": b"x", "a/1.heic": b"x"})
    refused = {
        unread: such,
        zipped(unread): such.replace("a/1", "set/a/1"),
        tmp_path / "bare": "no pictures, nor any other file; one file that ends in .csv, ",
    }
    for folder, words in refused.items():
        with pytest.raises(DataError) as error:
            refuse_neither(folder)
        text, kind = str(error.value), "archive" if folder.suffix else "folder"
        assert text.startswith(f"{folder}: the {kind} holds no table and {words}")
        assert text.endswith(
            ".tbz2 is needed, or, in a folder for each class, pictures that end in .png, .jpg, .jpeg, .jpe, .jfif, "
            ".bmp, .dib, .gif, .webp, .tif, .tiff, .ppm, .pgm, .pbm, .pnm. Check the path, or save them as one of "
            "these."
        )
    refuse_neither(tree({"t.csv": b"a\n1\n", "more/1.heic": b"x"}, "table"))
    refuse_neither(zipped(tree({"deep/t.csv": b"a\n1\n", "more/1.heic": b"x"}, "deep")))
    refuse_neither(tmp_path / "absent")
    refuse_neither("a" * 5_000)


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "there is no such file or folder"),
        ({"notes.md": b"x"}, "there is no picture in it"),
        ({"1.png": encoded(noise(4, 4))}, "all pictures lie in one folder"),
        ({"a/1.png": encoded(noise(4, 4))}, "all pictures lie in one folder"),
    ],
)
def test_what_holds_no_classes_is_refused(tree, files, message):
    with pytest.raises(DataError, match=message):
        read_pictures(tree(files))


def idx(values: np.ndarray) -> bytes:
    """The bytes of an IDX file."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def idx_set(dot: str = "-", pack=lambda data: data, end: str = "") -> dict[str, bytes]:
    """The files of a set like MNIST."""
    files = {}
    for part, count in (("train", 5), ("t10k", 3)):
        files[f"{part}-images{dot}idx3-ubyte{end}"] = pack(idx(noise(count, 4, 1, channels=6)))
        files[f"{part}-labels{dot}idx1-ubyte{end}"] = pack(idx(np.arange(count, dtype=np.uint8) * 2))
    return files


@pytest.mark.parametrize("files", [idx_set(), idx_set("."), idx_set("-", gzip.compress, ".gz")])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_files(tree, files, packed):
    folder = tree(files)
    found = read_pictures(zipped(folder) if packed else folder)
    assert (found.shape, found.rows, found.classes) == ((4, 6, 1), 8, ("0", "2", "4", "6", "8"))
    assert found.labels.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert found.rows_of("test").tolist() == [5, 6, 7]
    assert (found.take(range(5))[..., 0] == noise(5, 4, 1, channels=6)).all()
    assert looks_like_pictures(folder)
    one = read_pictures(folder / next(name for name in files if name.startswith("t10k-images")))
    assert (one.rows, one.parts) == (3, None)
    small = read_pictures(folder, shape=(2, 2, 3))
    assert small.shape == (2, 2, 3)


def test_idx_files_that_do_not_add_up(tree):
    files = idx_set()
    with pytest.raises(DataError, match=r"no file of labels beside it"):
        read_pictures(tree({name: data for name, data in files.items() if name != "t10k-labels-idx1-ubyte"}, "1"))
    with pytest.raises(DataError, match=r"promises 120 bytes of shape \(5, 4, 6\), and 119 follow"):
        read_pictures(tree(files | {"train-images-idx3-ubyte": files["train-images-idx3-ubyte"][:-1]}, "2"))
    with pytest.raises(DataError, match=r"begins with 50 4e 47"):
        read_pictures(tree(files | {"train-images-idx3-ubyte": b"PNG and so on"}, "3"))
    broken = {name + ".gz": gzip.compress(data)[:-9] for name, data in files.items()}
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_pictures(tree(broken, "4"))
    with pytest.raises(DataError, match=r"2 folders hold sets of pictures: fashion, mnist"):
        read_pictures(tree({f"{name}/{each}": data for name in ("mnist", "fashion") for each, data in files.items()}))


def cifar_set(fine: bool) -> dict[str, bytes]:
    """The files of a set like CIFAR."""
    pixels = noise(6, 3, 1, channels=1024)
    records = [bytes([*([9] * fine), row % 2]) + pixels[row].tobytes() for row in range(6)]
    if fine:
        return {
            "train.bin": b"".join(records[:4]),
            "test.bin": b"".join(records[4:]),
            "fine_label_names.txt": b"apple\nbear\n",
            "coarse_label_names.txt": b"x\n",
        }
    return {
        "data_batch_1.bin": b"".join(records[:3]),
        "data_batch_2.bin": records[3],
        "test_batch.bin": b"".join(records[4:]),
        "batches.meta.txt": b"apple\nbear\n\n",
        "readme.html": b"x",
    }


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("fine", [False, True])
def test_cifar(tree, fine, packed):
    files = cifar_set(fine)
    if packed:
        files = {
            f"{n}.gz" if n.endswith(".bin") else n: gzip.compress(d) if n.endswith(".bin") else d
            for n, d in files.items()
        }
        folder = tree(files, "packed")
        assert looks_like_pictures(folder)
        assert (
            read_pictures(folder).content_hashes().tolist()
            == read_pictures(tree(cifar_set(fine))).content_hashes().tolist()
        )
        both = read_pictures(tree(cifar_set(fine), "packed"))
        assert both.rows == 6
        return
    found = read_pictures(tree({f"cifar-bin/{name}": data for name, data in files.items()}))
    assert (found.shape, found.classes, found.labels.tolist()) == ((32, 32, 3), ("apple", "bear"), [0, 1, 0, 1, 0, 1])
    assert found.rows_of("test").tolist() == [4, 5]
    planes = noise(6, 3, 1, channels=1024).reshape(6, 3, 32, 32)
    assert (found.take([5])[0, :, :, 2] == planes[5, 2]).all()
    first = next(iter(files))
    with pytest.raises(DataError, match="no whole number of records"):
        read_pictures(tree(files | {first: files[first][:-1]}, "cut"))


def test_cifar_without_its_list_of_names_has_numbers(tree):
    files = {name: data for name, data in cifar_set(False).items() if name != "batches.meta.txt"}
    folder = tree(files)
    assert looks_like_pictures(folder)
    assert read_pictures(folder).classes == ("0", "1")


def test_pickled_cifar_is_refused_unread(tree):
    folder = tree({"data_batch_1": b"x", "test_batch": b"x", "batches.meta": b"x"})
    assert looks_like_pictures(folder)
    with pytest.raises(DataError, match="reading a pickle may run any code; the binary version is needed"):
        read_pictures(folder)


def table_set(prefix: str = "") -> dict[str, bytes]:
    """Pictures in one folder, and a table of their classes."""
    lines = ["file,label", *(f"{prefix}{n}.png,{'xy'[n % 2]}" for n in range(4))]
    return {"list.csv": "\n".join(lines).encode()} | {f"img/{n}.png": encoded(noise(8, 8, n)) for n in range(4)}


@pytest.mark.parametrize("prefix", ["img/", "./img/", "img\\", ""])
def test_a_table_of_file_names(tree, prefix):
    folder = tree(table_set(prefix) | {"img/9.png": encoded(noise(8, 8))})
    for source in (folder, folder / "list.csv", zipped(folder)):
        assert looks_like_pictures(source)
        found = read_pictures(source)
        assert (found.classes, found.labels.tolist()) == (("x", "y"), [0, 1, 0, 1])
        assert (found.take([3])[0] == noise(8, 8, 3)).all()
        assert len(found.notes) == 1
        assert "not in the list" in found.notes[0]


def test_a_table_with_parts_and_more_columns(tree):
    lines = ["id,path,breed,split", *(f"{n},img/{n}.png,{n % 2},{('train', 'valid')[n // 2]}" for n in range(4))]
    files = table_set() | {"list.csv": "\n".join(lines).encode()}
    with pytest.raises(DataError, match=r"list.csv: the columns are id, breed; one of them must be named as the class"):
        read_pictures(tree(files))
    found = read_pictures(tree(files), target="breed")
    assert (found.classes, found.rows_of("dev").tolist()) == (("0", "1"), [2, 3])
    with pytest.raises(DataError, match=r"no column 'bread' of classes; .* Did you mean 'breed'"):
        read_pictures(tree(files), target="bread")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "img/none.png"])
def test_a_table_names_only_files_below_its_folder(tree, tmp_path, name):
    (tmp_path / "secret.png").write_bytes(encoded(noise(8, 8)))
    files = table_set("img/")
    files["list.csv"] += f"\n{name},x".encode()
    with pytest.raises(DataError, match=f"1 of the 5 files are not there, such as {name}"):
        read_pictures(tree(files))


def test_what_looks_like_pictures(tree, written, tmp_path):
    assert looks_like_pictures(tree(two_classes()))
    assert looks_like_pictures(tree(two_classes()) / "a" / "0.png")
    assert not looks_like_pictures(tmp_path / "nothing")
    assert not looks_like_pictures(written("a,b\n1,2\n"))
    assert not looks_like_pictures(tree({"data.csv": b"a,b\n1,2\n", "figure.png": encoded(noise(4, 4))}, "table"))
    assert not looks_like_pictures(tree({"data.csv": b"a,b\n1,2\n", "out/figure.png": encoded(noise(4, 4))}, "table2"))
    assert looks_like_pictures(tree(two_classes() | {"results.csv": b"a,b\n1,2\n"}, "pictures and a table"))
    assert looks_like_pictures(tree(two_classes() | {"README.txt": b"These are pictures"}, "pictures and a text"))
    (tmp_path / "broken.zip").write_bytes(b"PK")
    assert not looks_like_pictures(tmp_path / "broken.zip")


@pytest.mark.parametrize("target", ["set", "set/b", "/", ".."])
def test_links_to_folders_that_are_read_anyway_are_passed_over_and_told(tree, target):
    folder = tree(two_classes())
    (folder / "a" / "up").symlink_to(folder.parent / target)
    found = read_pictures(folder)
    assert (found.classes, found.rows) == (("a", "b"), 6)
    assert found.notes == ("1 link leads to a folder that is among the others, or around them, and passed over: a/up.",)


def test_links_to_other_places_are_followed_even_where_they_lead_to_one_another(tree, tmp_path):
    elsewhere = tree(two_classes(), "elsewhere")
    folder = tree({"c/1.png": encoded(noise(8, 8, 99)), "c/2.png": encoded(noise(8, 8, 98))})
    (folder / "a").symlink_to(elsewhere / "a")
    (folder / "c" / "3.png").symlink_to(elsewhere / "b" / "0.png")
    (elsewhere / "a" / "round").symlink_to(elsewhere / "a")
    found = read_pictures(folder)
    assert (found.classes, found.labels.tolist()) == (("a", "c"), [0, 0, 0, 1, 1, 1])
    (folder / "c" / "4.png").symlink_to(folder / "c" / "5.png")
    (folder / "c" / "5.png").symlink_to(folder / "c" / "4.png")
    with pytest.raises(DataError, match=r"c/4.png \(it cannot be read \(Too many levels of symbolic links"):
        read_pictures(folder)


def test_a_class_that_is_a_link_to_another_class_is_told(tree):
    folder = tree(two_classes() | {"c/1.png": encoded(noise(8, 8, 99))})
    (folder / "aaa").symlink_to(folder / "b")
    found = read_pictures(folder)
    assert found.classes == ("a", "b", "c")
    assert "passed over: aaa." in found.notes[0]


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_file_is_refused_and_not_waited_for(tree, kind):
    folder = tree(two_classes())
    if kind == "pipe":
        os.mkfifo(folder / "a" / "x.png")
    elif kind == "device":
        (folder / "a" / "x.png").symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as each:
            each.bind(str(folder / "a" / "x.png"))
    with pytest.raises(DataError, match=r"1 file cannot be read: a/x.png \(it (is no file but a pipe|cannot be read)"):
        read_pictures(folder)
    assert read_pictures(folder, skip_corrupt=True).rows == 6
    os.rename(folder / "a" / "x.png", folder / "list.csv")
    assert looks_like_pictures(folder) in (True, False)  # and comes to an end
    only = folder / "list.csv"
    only.rename(folder / "x.png")
    with pytest.raises(DataError, match=r"x.png \(it (is no file but a pipe|cannot be read)"):
        read_pictures(folder / "x.png", labelled=False)


def test_a_pipe_in_the_place_of_numbers_is_refused(tree):
    files = idx_set()
    folder = tree({name: data for name, data in files.items() if "train" in name and "labels" not in name})
    name = next(name for name in files if "train" in name and "labels" in name)
    os.mkfifo(folder / name)
    with pytest.raises(DataError, match="it is no file but a pipe or a device"):
        read_pictures(folder)


def test_names_that_are_no_utf_8(tree):
    folder = tree(two_classes())
    for name in (b"caf\xe9", b"b"):
        place = os.fsencode(folder) + b"/" + name
        os.makedirs(place, exist_ok=True)
        with open(place + b"/\xff\xfe.png", "wb") as file:
            file.write(encoded(noise(8, 8, len(name))))
    found = read_pictures(folder)
    assert found.classes == ("a", "b", "caf\\xe9")
    assert found.names[-1] == "caf\\xe9/\\xff\\xfe.png"
    assert "\n".join([*found.names, *found.classes]).encode()
    assert (found.take([found.rows - 1])[0] == noise(8, 8, 4)).all()
    with open(os.fsencode(folder) + b"/b/\xfd.png", "wb") as file:
        file.write(b"x")
    with pytest.raises(DataError, match=r"b/\\xfd.png"):
        read_pictures(folder)


def test_one_spelling_or_two_a_letter_is_the_same(tree):
    names = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    assert names[0] != names[1]
    folder = tree(
        {f"{part}/{name}/{n}.png": encoded(noise(8, 8, k * 10 + n)) for k, (part, name) in enumerate(
            [("train", names[0]), ("train", "tea"), ("test", names[1]), ("test", "tea")]) for n in range(2)}
    )  # fmt: skip
    found = read_pictures(folder)
    assert found.classes == ("café", "tea")
    assert found.labels.tolist() == [code for name in found.names for code in ["tea/" in name]]
    again = read_pictures(folder / "test", shape=found.shape)
    assert (again.classes, sorted(again.labels.tolist())) == (("café", "tea"), [0, 0, 1, 1])
    both = tree({f"{name}/{n}.png": encoded(noise(8, 8, n)) for n, name in enumerate([*names, "tea"])}, "both")
    merged = read_pictures(both)
    assert merged.classes == ("café", "tea")
    assert any("spelled by other code points are one: café" in note for note in merged.notes)
    listed = tree({"list.csv": f"file,label\n{names[0]}.png,x\nb.png,y\n".encode()} | {
        f"{names[1]}.png": encoded(noise(8, 8, 1)), "b.png": encoded(noise(8, 8, 2))}, "listed")  # fmt: skip
    assert (read_pictures(listed).take([0])[0] == noise(8, 8, 1)).all()


@pytest.mark.parametrize("inside", [False, True], ids=["folder", "zip"])
def test_what_unpacks_to_far_more_than_it_is_is_refused_unread(tree, inside):
    """3 MB of gzip that promise, and hold, 2 GB of black pictures."""
    count = 2**31 // 784
    head, zeros = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28), bytes(1 << 24)
    content = gzip.compress(head) + gzip.compress(zeros) * (2**31 // len(zeros))  # a file may have many members
    assert len(content) < 3 << 20
    files = {"train-images-idx3-ubyte.gz": content, "train-labels-idx1-ubyte": b"\0\0\x08\x01" + bytes(4)}
    folder = tree(files)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"images-idx3-ubyte.gz: it unpacks from 2,\d+,\d+ bytes to more than"):
        read_pictures(zipped(folder) if inside else folder)
    assert tracemalloc.get_traced_memory()[1] < 1e9
    tracemalloc.stop()


def test_a_file_of_many_gigabytes_of_nothing_is_refused_unread(tree):
    folder = tree(two_classes())
    for name in ("a/huge.png", "labels.csv"):
        with open(folder / name, "wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(DataError, match=r"1 file cannot be read: a/huge.png"):
        read_pictures(folder)
    idx = tree({name: data for name, data in idx_set().items() if "labels" in name}, "idx")
    for name in idx_set():
        if "images" in name:
            with open(idx / name, "wb") as file:
                file.truncate(1 << 40)
    with pytest.raises(DataError, match="at most 2,147,483,648 are read into memory"):
        read_pictures(idx)


def test_the_files_that_were_read_are_known(tree):
    folder = tree(table_set() | {"other.txt": b"x"})
    assert set(read_pictures(folder).sources()) == {
        folder / "list.csv",
        *(folder / "img" / f"{n}.png" for n in range(4)),
    }
    assert set(read_pictures(folder / "list.csv").sources()) == set(read_pictures(folder).sources())
    cifar = tree(cifar_set(False), "cifar")
    assert {path.name for path in read_pictures(cifar).sources()} == set(cifar_set(False)) - {"readme.html"}
    archive = zipped(folder)
    assert list(read_pictures(archive).sources()) == [archive]
    idx = tree(idx_set(), "idx")
    assert {path.name for path in read_pictures(idx).sources()} == set(idx_set())


def test_decoding_ends_with_who_asked_for_it():
    seen = []

    def slowly(row):
        seen.append(row)
        time.sleep(0.02)
        return row

    for number in in_parallel(slowly, range(1000), 4, at_once=64):
        if number == 70:
            break
    assert len(seen) < 64 * 6  # of the runs that were begun the rest is not done
    assert threading.active_count() < 20


def test_pillow_is_loaded_on_use():
    code = "import sys, preceptor.data.pictures.pictures; print('PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name, rows, shape, classes, test",
    [
        ("fashion-mnist", 70_000, (28, 28, 1), 10, 10_000),
        ("sign-digits", 401, (100, 100, 3), 10, 0),
        ("cifar10-jpg-folder", 1500, (32, 32, 3), 10, 500),
    ],
)
def test_shared_sets(shared, name, rows, shape, classes, test):
    assert looks_like_pictures(shared(name))
    found = read_pictures(shared(name))
    assert (found.rows, found.shape, len(found.classes), len(found.rows_of("test"))) == (rows, shape, classes, test)
    assert len(np.unique(found.content_hashes())) == rows


@pytest.mark.parametrize("name", ["mnist", "cifar"])
def test_of_plain_numbers_none_is_corrupt(tree, name):
    files = {f"mnist/{each}": data for each, data in idx_set().items()}
    files |= {f"cifar/{each}": data for each, data in cifar_set(False).items()}
    with pytest.raises(DataError, match="received skip_corrupt; pictures of IDX and CIFAR files are plain numbers"):
        read_pictures(tree(files) / name, skip_corrupt=True)
