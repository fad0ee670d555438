"""Signing models with real keys and certificates, offline, and what is said of changed ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from modelium.cli.commands import app
from modelium.common import signatures
from modelium.common.errors import InvalidModel


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "qwen"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "1_Pooling/config.json"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signatures.new_key(tmp_path / "k.pem")
    return tmp_path / "k.pem"


def reason(model: Path, *trusted: Path) -> str:
    with pytest.raises(InvalidModel) as refusal:
        signatures.verify(model, trusted)
    return refusal.value.reason


def test_a_signed_model_is_as_it_was_signed(model: Path, key: Path, tmp_path: Path) -> None:
    other = signatures.new_key(tmp_path / "other.pem")
    assert signatures.sign(model, key=key) == model / "model.sig"
    public = key.with_suffix(".pub")
    assert signatures.verify(model, [other, public]) == public
    assert reason(model, other) == "it is not signed by whom it has to be (other.pub)"


def test_the_private_key_is_its_owners_and_none_is_overwritten(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidModel, match="File exists"):
        signatures.new_key(key)


def test_what_was_changed_added_or_removed_is_named(model: Path, key: Path) -> None:
    signatures.sign(model, key=key)
    (model / "config.json").write_text("other")
    (model / "modeling.py").write_text("import os")
    (model / "1_Pooling" / "config.json").unlink()
    assert reason(model, key.with_suffix(".pub")) == (
        "its files are not those that were signed (changed: config.json; "
        "missing: 1_Pooling/config.json; extra: modeling.py)"
    )
    signatures.sign(model, key=key)
    signatures.verify(model, [key.with_suffix(".pub")])


def test_many_names_are_counted(model: Path, key: Path) -> None:
    signatures.sign(model, key=key)
    for number in range(9):
        (model / f"{number}.txt").write_text("")
    said = reason(model, key.with_suffix(".pub"))
    assert "extra: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4 more" in said


def test_what_git_and_downloaders_keep_beside_it_does_not_count(model: Path, key: Path) -> None:
    signatures.sign(model, key=key)
    (model / ".gitattributes").write_text("*")
    (model / ".cache" / "huggingface").mkdir(parents=True)
    (model / ".cache" / "huggingface" / "x.lock").write_text("")
    signatures.verify(model, [key.with_suffix(".pub")])


def test_a_signature_of_another_model_is_worth_nothing(model: Path, key: Path) -> None:
    other = model.parent / "other"
    other.mkdir()
    (other / "config.json").write_text("evil")
    (other / "model.sig").write_bytes(signatures.sign(model, key=key).read_bytes())
    assert "changed: config.json" in reason(other, key.with_suffix(".pub"))


def test_a_key_that_is_private_or_not_there_is_named_as_such(model: Path, key: Path) -> None:
    signatures.sign(model, key=key)
    assert reason(model, key) == f"{key} is a private key: use the public one"
    absent = key.with_name("nokey.pem")
    expected = f"{absent} cannot be read: No such file or directory"
    assert reason(model, absent) == expected
    with pytest.raises(InvalidModel) as refusal:
        signatures.sign(model, key=absent)
    assert refusal.value.reason == expected


def test_a_single_file_is_signed_beside_it(tmp_path: Path, key: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"GGUF")
    assert reason(file, key.with_suffix(".pub")) == "it is not signed (x.gguf.sig is missing)"
    assert signatures.sign(file, key=key) == tmp_path / "x.gguf.sig"
    signatures.verify(file, [key.with_suffix(".pub")])
    file.write_bytes(b"GGUf")
    assert "changed" in reason(file, key.with_suffix(".pub"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"verificationMaterial": {}}', b"\xff"])
def test_a_signature_that_is_none_is_nobodys(content: bytes, model: Path, key: Path) -> None:
    (model / "model.sig").write_bytes(content)
    assert "not signed by whom" in reason(model, key.with_suffix(".pub"))


def test_a_key_of_another_kind_is_named(model: Path, key: Path, tmp_path: Path) -> None:
    signatures.sign(model, key=key)
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.PKCS1)
    (tmp_path / "rsa.pem").write_bytes(pem)
    assert "rsa.pem is no PEM file of a certificate" in reason(model, tmp_path / "rsa.pem")
    assert "public key on a NIST curve" in reason(model, tmp_path / "rsa.pem")


def certificate(
    path: Path, name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey,
    issuer: str, *, authority: bool,
) -> Path:  # fmt: skip
    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime(2026, 1, 1, tzinfo=UTC)
    use = x509.KeyUsage(not authority, *[False] * 4, authority, authority, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(use, critical=True)
        .sign(signer, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(form.Encoding.PEM))
    return path


def test_a_certificate_of_a_trusted_authority_signs(model: Path, key: Path, tmp_path: Path) -> None:
    own = form.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    root, stranger = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate(tmp_path / "ca.pem", "CA", root, root, "CA", authority=True)
    others = certificate(tmp_path / "o.pem", "CA2", stranger, stranger, "CA2", authority=True)
    signer = certificate(tmp_path / "s.pem", "S", own, root, "CA", authority=False)
    signatures.sign(model, key=key, certificates=[signer])
    assert signatures.verify(model, [authority]) == authority
    assert "not signed by whom it has to be (o.pem)" in reason(model, others)
    (model / "config.json").write_text("other")
    assert "changed: config.json" in reason(model, authority)


def test_the_commands_sign_and_verify(model: Path, tmp_path: Path) -> None:
    def run(*words: object) -> int:
        return CliRunner().invoke(app, list(map(str, words))).exit_code

    key, public = tmp_path / "new.pem", tmp_path / "new.pub"
    assert run("sign", "--new-key", key) == 0
    assert run("sign", model, "--key", key) == 0
    assert run("verify", model, "--key", public) == 0
    (model / "config.json").write_text("other")
    assert run("verify", model, "--key", public) == 1
    assert run("sign", model) == 2
    assert run("verify", tmp_path / "absent", "--key", public) == 1
