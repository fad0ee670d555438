"""`modelium sign` and `modelium verify`: signatures of models, made and checked on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from modelium.cli.options import AsJson
from modelium.common.errors import InvalidModel

Model = Annotated[Path, typer.Argument(metavar="PATH", help="A model's folder or file.")]


def sign(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="A model's folder or file.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="PEM file of a private key (NIST curve).")
    ] = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(help="PEM file of the signer's certificate, then those it was issued by."),
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Make a key pair here, and <name>.pub beside it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign all files of a model, so that `security.require_signature` lets it through."""
    from modelium.cli.console import out_json, say
    from modelium.common import signatures

    public = signature = None
    if new_key is not None:
        public = signatures.new_key(new_key)
        say(f"{new_key} signs; security.require_signature takes {public}.")
    chosen = key or new_key
    if chosen is None or (path is None and new_key is None):
        raise typer.BadParameter("PATH and --key are needed, or --new-key")
    if path is not None:
        _require_there(path)
        signature = signatures.sign(path, key=chosen, certificates=certificate or ())
        say(f"Signed: {signature}")
    if as_json:
        out_json({"signature": signature, "public_key": public})


def verify(
    path: Model,
    key: Annotated[list[Path], typer.Option(help="PEM file of a public key or a certificate.")],
    as_json: AsJson = False,
) -> None:
    """Check that a model is as one of these keys has signed it; exit code 0 or 1."""
    from modelium.cli.console import out_json, say
    from modelium.common import signatures

    _require_there(path)
    signer = signatures.verify(path, key)
    say(f"{path} is as it was signed by {signer}.")
    if as_json:
        out_json({"path": path, "signed_by": signer})


def _require_there(path: Path) -> None:
    if not path.exists():
        raise InvalidModel(f"{path} is not there")
