"""Object stores: how they are reached, and what is wrong when they do not answer.

    s3://bucket/folder      gs://bucket/folder      hdfs://host:port/folder

Arrow's file systems do the work (`pyarrow.fs`). Credentials, endpoint and region come
from the environment that each store's own tools read, never from the configuration,
which is copied into logs and metadata.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import re
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from models.errors import ConfigError
from models.errors import StoreError
from models.errors import StoreUnreachableError
from models.errors import shortened

# Requests of which the server answers nothing or an error of its own are repeated after
# pauses that grow to seconds; Arrow's own three tries do not outlast a restart.
_ATTEMPTS = 6
_CONNECT_SECONDS, _REQUEST_SECONDS = 10, 60
_GCS_RETRY_SECONDS = 60
# Of a part of a file, each with its attempts.
_READS, _PAUSE_SECONDS = 3, 1.0

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "gs": ("STORAGE_EMULATOR_HOST",),
}
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CREDENTIALS = {
    "s3": (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), or give the "
        "machine a role, that may list and read the bucket"
    ),
    "gs": (
        "set GOOGLE_APPLICATION_CREDENTIALS to the key file of an account, or give the "
        "machine one, that may list and read the bucket"
    ),
    "hdfs": "run `kinit`, or set HADOOP_USER_NAME to a user who may read the folder",
}
_HDFS_NEEDS = (
    "install Java and Hadoop's client here, and set JAVA_HOME, HADOOP_HOME and "
    "CLASSPATH=$(hadoop classpath --glob)"
)

# Characters of a client's text; without Java it names every folder it tried.
_MOST = 400
# What Arrow's texts hold, by what is wrong; the first that fits counts.
_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN|OAuth2"
    r"|InvalidAccessKeyId|ExpiredToken|UNAUTHENTICATED|PERMISSION_DENIED|HTTP.* 40[13]"
    r"|AccessControlException"
)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|Bucket '.*' not found")
_NO_CLIENT = re.compile(r"libjvm|libhdfs")
_SILENT = re.compile(
    r"NETWORK_CONNECTION|REQUEST_TIMEOUT|curl|UNAVAILABLE|DEADLINE_EXCEEDED|timed out"
    r"|INTERNAL_FAILURE|SLOW_DOWN|THROTTL|HTTP.* 5\d\d|HDFS|ConnectException"
    r"|UnknownHost",
    re.IGNORECASE,
)


def scheme_of(uri: str) -> str:
    """Returns the scheme of a URI.

    Example:
        >>> scheme_of("s3://bucket/logs")
        's3'
    """
    return uri.partition("://")[0]


def bucket_of(uri: str) -> str:
    """Returns the bucket of a URI; of HDFS the name node.

    Example:
        >>> bucket_of("s3://bucket/logs")
        'bucket'
    """
    return uri.partition("://")[2].partition("/")[0]


def inner_path(uri: str) -> str:
    """Returns what Arrow calls the path of a URI."""
    path = uri.partition("://")[2]
    return path if scheme_of(uri) != "hdfs" else f"/{path.partition('/')[2]}"


def lists_folders(uri: str) -> bool:
    """Whether a store's listing of a folder has the folders in it.

    Arrow lists those of Google's store only where an object of their name marks them,
    which most tools do not write.
    """
    return scheme_of(uri) != "gs"


def file_system(uri: str) -> Any:
    """Returns Arrow's file system for the store of a URI.

    Raises:
        StoreError: It cannot be made from what the environment says.
    """
    scheme = scheme_of(uri)
    endpoint = _first_of(_ENDPOINTS.get(scheme, ()))
    with explained(uri):
        return _file_system(scheme, bucket_of(uri), endpoint, _first_of(_REGIONS))


@functools.cache
def _file_system(scheme: str, bucket: str, endpoint: str, region: str) -> Any:
    # Late: importing it starts the stores' clients.
    from pyarrow import fs

    place = _endpoint(endpoint) if endpoint else {}
    if scheme == "s3":
        return fs.S3FileSystem(
            **place,
            # Each bucket of Amazon's has its region; other stores ignore it.
            region=region
            or ("us-east-1" if endpoint else fs.resolve_s3_region(bucket)),
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        )
    if scheme == "gs":
        limit = datetime.timedelta(seconds=_GCS_RETRY_SECONDS)
        # An emulator knows no accounts.
        return fs.GcsFileSystem(
            **place, anonymous=bool(endpoint), retry_time_limit=limit
        )
    host, _, port = bucket.partition(":")
    return fs.HadoopFileSystem(host or "default", int(port or 0))


def _first_of(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _endpoint(address: str) -> dict[str, str]:
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{address!r} is no address of a store; expected AWS_ENDPOINT_URL or "
            "STORAGE_EMULATOR_HOST such as https://storage.example.com:9000; correct "
            "the variable, or unset it for the provider's own address"
        )
    return {"scheme": parts.scheme, "endpoint_override": parts.netloc + parts.path}


@contextlib.contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turns what a store's client raises into an error that says what to do.

    Args:
        uri: What is asked of the store.

    Raises:
        StoreError: The store refuses, or has no such bucket or object.
        StoreUnreachableError: It does not answer, or with an error of its own.
    """
    try:
        yield
    except OSError as error:
        raise store_error(uri, error) from error


def repeated(uri: str, read: Callable[[], int]) -> int:
    """Returns what `read` returns, which may be called several times.

    Clients ask again by themselves, except that newer ones do not where the text of an
    error is longer than what is read.

    Args:
        uri: What is read.
        read: Reads a part of it.

    Raises:
        StoreError: As `explained`.
    """
    for _ in range(_READS - 1):
        with contextlib.suppress(StoreUnreachableError), explained(uri):
            return read()
        time.sleep(_PAUSE_SECONDS)
    with explained(uri):
        return read()


def store_error(uri: str, error: OSError) -> StoreError:
    """Returns the error to raise for what a store's client raised."""
    scheme, text = scheme_of(uri), shortened(" ".join(str(error).split()), _MOST)
    store = store_name(uri)
    if isinstance(error, FileNotFoundError):
        return StoreError(
            f"there is no {uri!r} in {store} any more; expected a log that stays as it "
            "is while it is read; look at who moves or removes it, and run the command "
            "again"
        )
    if _NO_CLIENT.search(text):
        return StoreError(f"{uri!r} needs Hadoop's client ({text}); {_HDFS_NEEDS}")
    if _NO_BUCKET.search(text):
        return no_bucket(uri)
    if _DENIED.search(text):
        return StoreError(
            f"{store} denies {uri!r} ({text}); expected credentials that it knows; "
            f"{_CREDENTIALS[scheme]}"
        )
    if _SILENT.search(text):
        return StoreUnreachableError(
            f"{store} does not answer for {uri!r} ({text}); expected an answer within "
            f"{_ATTEMPTS} attempts; run the same command again once it is up, or "
            f"correct {_address_variable(scheme)}"
        )
    return StoreError(
        f"{store} does not give {uri!r} ({text}); expected to read it; look at the "
        "address, the credentials and the store's own log"
    )


def no_bucket(uri: str) -> StoreError:
    """Returns the error for a bucket that is not there."""
    return StoreError(
        f"there is no bucket {bucket_of(uri)!r} in {store_name(uri)}, so no {uri!r}; "
        "expected an existing bucket; create it, or correct the address or "
        f"{_address_variable(scheme_of(uri))}"
    )


def store_name(uri: str) -> str:
    """Returns what messages call the store of a URI."""
    scheme = scheme_of(uri)
    if scheme == "hdfs":
        return f"HDFS at {bucket_of(uri) or 'the default name node'}"
    names = {"s3": "Amazon's S3", "gs": "Google Cloud Storage"}
    return f"the store {_first_of(_ENDPOINTS[scheme]) or names[scheme]}"


def _address_variable(scheme: str) -> str:
    if scheme == "hdfs":
        return "host and port in the address"
    region = " and AWS_REGION" * (scheme == "s3")
    return f"{_ENDPOINTS[scheme][-1]}{region} in the environment"
