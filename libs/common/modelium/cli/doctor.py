"""`modelium doctor`: runs every check of `findings.py` and shows findings with their remedies."""

from dataclasses import asdict
from pathlib import Path

from modelium.cli.console import out, out_json, out_table
from modelium.cli.finding import Finding, Patient, Verdict
from modelium.cli.findings import CHECKS
from modelium.cli.layout import Layout
from modelium.cli.misnamed import models_named
from modelium.common.errors import (
    DependencyUnavailable,
    ExitCode,
    ModeliumError,
    SettingsError,
)
from modelium.common.load_settings import Loaded, Settings, load_with_origins


def examine(config: Path | None, *, as_json: bool) -> ExitCode:
    """Show all findings; not OK when something will not work."""
    findings = list(_findings(config))
    if as_json:
        out_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    failed = any(finding.verdict is Verdict.FAILED for finding in findings)
    return ExitCode.FAILURE if failed else ExitCode.OK


def _findings(config: Path | None) -> list[Finding]:
    loaded, found = _settings(config)
    patient = Patient(loaded.settings, loaded.file, Layout.here())
    for check in (*CHECKS, models_named):
        try:
            found += check(patient)
        except ModeliumError as wrong:
            found.append(_failed(check.__name__, wrong))
    return found


def _settings(config: Path | None) -> tuple[Loaded, list[Finding]]:
    """The settings; wrong ones are a finding, and the rest is examined with the defaults."""
    try:
        loaded = load_with_origins(config)
    except SettingsError as wrong:
        remedy = "Correct it; `modelium config show` lists all settings."
        findings = [Finding("settings", Verdict.FAILED, text, remedy) for text in wrong.problems]
        return Loaded(Settings(), None, {}), findings
    return loaded, [Finding("settings", Verdict.OK, str(loaded.file or "no file, defaults"))]


def _failed(subject: str, wrong: ModeliumError) -> Finding:
    if isinstance(wrong, DependencyUnavailable):
        return Finding(subject, Verdict.FAILED, wrong.what, wrong.remedy)
    return Finding(subject, Verdict.FAILED, str(wrong))


def _print(findings: list[Finding]) -> None:
    out_table(("", "SUBJECT", "FOUND"), [(f.verdict, f.subject, f.text) for f in findings])
    remedies = [finding for finding in findings if finding.verdict is not Verdict.OK]
    if remedies:
        out()
    for finding in remedies:
        out(f"{finding.subject}: {finding.remedy}")
