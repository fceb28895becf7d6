"""Downloading files, with their checksum, unpacking archives, and writing files whole or not at all."""

import contextlib
import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from dlcore.utils.console import print_message

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
):
    """Downloads a file unless it is in the cache already.

    Args:
        fname: name of the file in the cache; None takes the name in the URL. With `extract`, a name without a dot is
            that of the folder; the folder of `a.zip` is `a_extracted`.
        origin: URL.
        untar: old name of `extract`.
        md5_hash: old name of `file_hash`.
        file_hash: SHA-256 or MD5 of the file, hexadecimal.
        cache_subdir: folder in the cache, or an absolute one.
        hash_algorithm: "auto" (by the length of the hash), "sha256" or "md5".
        extract: whether the file is an archive to unpack; files that would land outside the folder are refused.
            Links become copies of the files in the archive that they name.
        archive_format: "tar", "zip", a list of these, or "auto" (default) for both.
        cache_dir: the cache; None is `~/.dlcore`.
        force_download: whether to download even if the file is there.

    Returns:
        path of the file, or with `extract` of the folder, as a string.

    Raises:
        ValueError: the downloaded file does not have the given hash, or is not an archive of that format.
        OSError: the file cannot be downloaded.
    """
    if not origin:
        raise ValueError("get_file needs origin, the URL to download from.")
    is_named = bool(fname)
    fname = os.fspath(fname) if is_named else _name_in_url(origin)
    if Path(fname).name != fname:
        raise ValueError(
            f"get_file: fname must be a name without folders. Got {fname!r}; use cache_subdir or cache_dir."
        )
    if md5_hash and not file_hash:
        file_hash, hash_algorithm = md5_hash, "md5"
    extract = extract or untar
    folder = Path(cache_dir or "~/.dlcore").expanduser() / cache_subdir
    stem, dot, _ = fname.partition(".") if is_named else (fname, "", "")
    target = folder / (f"{fname}_archive" if extract and not dot else fname)
    expected = (file_hash or "").lower()
    is_good = target.exists() and (not expected or file_hash_of(target, expected, hash_algorithm) == expected)
    is_new = force_download or not is_good
    if is_new:
        download(origin, target, expected, hash_algorithm)
    if not extract:
        return str(target)
    unpacked = folder / (f"{stem}_extracted" if dot else stem)
    if is_new or not unpacked.exists():
        _unpack(target, unpacked, "tar" if untar else archive_format)
    return str(unpacked)


def download(url, target, expected_hash=None, hash_algorithm="auto"):
    """Downloads `url` to the path `target`.

    The bytes go to a temporary file beside it, which takes the name only when complete and of the expected hash.
    """
    hasher = _hasher(expected_hash, hash_algorithm) if expected_hash else None
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file, _reading(url) as response:
        print_message(f"Downloading {url} to {target}")
        _copy(response, file, hasher, url)
        if hasher and hasher.hexdigest() != expected_hash.lower():
            raise ValueError(
                f"{url} has {hasher.name} {hasher.hexdigest()}, expected {expected_hash}. It was not kept."
            )


@contextlib.contextmanager
def _reading(url):
    """The answer to a request for `url`; what the network raises becomes an OSError that names it."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
            yield response
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise OSError(f"{url} cannot be downloaded: {error}") from error


@contextlib.contextmanager
def replacing(path):
    """`with replacing(path) as file:` writes a new file that takes the place of `path` only when it is complete.

    The bytes go to a temporary file in the same folder, which is renamed at the end. After an exception, e.g. of a full
    disk, the old file is as it was.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(target)  # the name that the user knows
        raise


def _copy(response, file, hasher, url):
    from dlcore.utils.progbar import Progbar

    length = response.headers.get("Content-Length")
    length = int(length) if length else None
    bar = Progbar(length, unit_name="byte")
    done = 0
    while block := response.read(_CHUNK):
        file.write(block)
        done += len(block)
        if hasher:
            hasher.update(block)
        bar.update(done)
    if length is not None and done != length:
        raise ValueError(f"{url} ended after {done} of {length} bytes")


def file_hash_of(path, like, algorithm="auto"):
    """Hexadecimal hash of a file, by the algorithm named or the one whose hashes are as long as `like`."""
    hasher = _hasher(like, algorithm)
    with open(path, "rb") as file:
        while block := file.read(_CHUNK):
            hasher.update(block)
    return hasher.hexdigest()


def _hasher(expected, algorithm):
    if algorithm == "auto":
        algorithm = {32: "md5", 64: "sha256"}.get(len(expected))
    if algorithm not in ("md5", "sha256"):
        raise ValueError(f"The hash {expected!r} is neither SHA-256 (64 digits) nor MD5 (32 digits).")
    return hashlib.new(algorithm, usedforsecurity=False)


def _name_in_url(url):
    from urllib.parse import urlsplit

    name = urlsplit(url).path.rpartition("/")[2]
    if not name:
        raise ValueError(f"get_file cannot tell a file name from the URL {url}. Pass fname.")
    return name


def _unpack(archive_path, folder, archive_format):
    """Unpacks into a temporary folder, which takes the name only when complete."""
    formats = ("tar", "zip") if archive_format == "auto" else archive_format or ()
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    if not set(formats) <= {"tar", "zip"}:
        raise ValueError(f'archive_format must be "auto", "tar", "zip" or a list of these. Got {archive_format!r}.')
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        if "tar" in formats and tarfile.is_tarfile(archive_path):
            _unpack_tar(archive_path, temporary)
        elif "zip" in formats and zipfile.is_zipfile(archive_path):
            _unpack_zip(archive_path, temporary)
        else:
            raise ValueError(f"{archive_path} is not an archive of the format {archive_format!r}.")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _unpack_tar(archive_path, folder):
    """Plain files, and copies of those that links name; devices, and links that lead elsewhere, are left out."""
    with tarfile.open(archive_path) as archive:
        for member in archive:
            with contextlib.suppress(KeyError):  # a link to what is not in the archive
                stream = archive.extractfile(member)
                if stream is not None:
                    _write_member(archive_path, folder, member.name, stream)


def _unpack_zip(archive_path, folder):
    with zipfile.ZipFile(archive_path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as stream:
                    _write_member(archive_path, folder, info.filename, stream)


def _write_member(archive_path, folder, name, stream):
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ValueError(f"{archive_path} holds {name!r}, which lies outside the folder it is unpacked to.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        shutil.copyfileobj(stream, file)
