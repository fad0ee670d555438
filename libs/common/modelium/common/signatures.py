"""Signatures of models, in the OpenSSF format (model-signing): keys and certificates, offline.

A folder's signature lies in it as `model.sig`, a file's beside it as `<file>.sig`. It covers all
files of the folder but git's own and downloaders' caches. model-signing is imported at the first
use, as that takes a second.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from modelium.common.errors import DependencyUnavailable, InvalidModel

SIGNATURE: Final = "model.sig"
CACHE: Final = ".cache"
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE"
_PRIVATE: Final = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_NAMED: Final = 5


def signature_of(path: Path) -> Path:
    """Where the signature of the model at `path` lies."""
    return path / SIGNATURE if path.is_dir() else path.with_name(f"{path.name}.sig")


def new_key(private: Path) -> Path:
    """Make a key pair (NIST P-256): `private`, which only its owner can read, and its public half.

    Returns where the public key is; raises `InvalidModel` where one of the files is there already.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = private.with_suffix(".pub")
    own = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )  # fmt: skip
    others = key.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    _write_new(private, own, 0o600)
    _write_new(public, others, 0o644)
    return public


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        path.touch(mode, exist_ok=False)
        path.write_bytes(content)
    except OSError as error:
        raise InvalidModel(f"{path} cannot be written: {error.strerror}") from None


def sign(path: Path, *, key: Path, certificates: Sequence[Path] = ()) -> Path:
    """Sign all files of the model; an older signature is replaced.

    `certificates`: the signer's own, then those it was issued by; none: the bare key signs.

    Raises:
        InvalidModel: the key cannot be read, or the model's folder holds links.
    """
    for file in (key, *certificates):
        _read(file)
    hashing, signing, _ = _library()
    signature = signature_of(path)
    ignored = [Path(SIGNATURE), Path(CACHE)]
    config = signing.Config().set_hashing_config(hashing.Config().set_ignored_paths(paths=ignored))
    try:
        if certificates:
            config.use_certificate_signer(
                private_key=key,
                signing_certificate=certificates[0],
                # The library wants one; the own one adds nothing.
                certificate_chain=certificates[1:] or certificates,
            )
        else:
            config.use_elliptic_key_signer(private_key=key)
        config.sign(path, signature)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise InvalidModel(f"{path} could not be signed with {key.name}: {error}") from None
    return signature


def verify(path: Path | str, trusted: Sequence[Path]) -> Path:
    """Which of these keys and certificates has signed the model as it is.

    Raises:
        InvalidModel: none has, or files were changed, removed or added since; names them.
        DependencyUnavailable: model-signing is not installed.
    """
    path = Path(path)
    signature = signature_of(path)
    if not signature.is_file():
        raise InvalidModel(f"it is not signed ({signature.name} is missing)")
    for key in trusted:
        try:
            _require_signed(path, signature, key)
        except _Untrusted:
            continue
        else:
            return key
    names = ", ".join(key.name for key in trusted)
    raise InvalidModel(f"it is not signed by whom it has to be ({names})")


class _Untrusted(Exception):
    """Signed by another key, or not a signature at all."""


def _require_signed(path: Path, signature: Path, key: Path) -> None:
    """Raises `_Untrusted`, or `InvalidModel` when the signer is right and the files are not."""
    from cryptography.exceptions import InvalidSignature
    from OpenSSL.crypto import Error, X509StoreContextError

    config = _config(key)
    try:
        config.verify(path, signature)
    except (InvalidSignature, Error, X509StoreContextError) as error:
        raise _Untrusted(str(error)) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise _Untrusted(str(error)) from None


def _config(key: Path) -> Any:
    _, _, verifying = _library()

    class Config(verifying.Config):  # type: ignore[misc,name-defined] # loaded when it is needed
        def _get_manifest_diff(self, actual: Any, expected: Any) -> list[str]:
            raise InvalidModel(_difference(_digests(actual), _digests(expected)))

    content = _read(key)
    certified = content.lstrip().startswith(_CERTIFICATE)
    if not certified and _PRIVATE.search(content):
        raise InvalidModel(f"{key} is a private key: use the public one")
    try:
        if certified:
            return Config().use_certificate_verifier(certificate_chain=[key])
        return Config().use_elliptic_key_verifier(public_key=key)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise InvalidModel(
            f"{key} is no PEM file of a certificate, or of a public key on a NIST curve: {error}"
        ) from None


def _read(key: Path) -> bytes:
    try:
        return key.read_bytes()
    except OSError as error:
        raise InvalidModel(f"{key} cannot be read: {error.strerror}") from None


def _digests(manifest: Any) -> dict[str, Any]:
    return {it.identifier: it.digest for it in manifest.resource_descriptors()}


def _difference(actual: dict[str, Any], signed: dict[str, Any]) -> str:
    """What is not as it was signed, by name."""
    both = actual.keys() & signed.keys()
    found = {
        "changed": [name for name in both if actual[name] != signed[name]],
        "missing": list(signed.keys() - actual.keys()),
        "extra": list(actual.keys() - signed.keys()),
    }
    said = [f"{what}: {_names(names)}" for what, names in found.items() if names]
    return f"its files are not those that were signed ({'; '.join(said)})"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more


def _library() -> tuple[Any, Any, Any]:
    """hashing, signing and verifying of model-signing."""
    try:
        from model_signing import hashing, signing, verifying
    except ImportError as error:
        raise DependencyUnavailable(
            f"model-signing is not installed ({error.name})", 'pip install "modelium[signing]"'
        ) from None
    return hashing, signing, verifying
