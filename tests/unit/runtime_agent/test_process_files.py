"""The files of engines that are processes."""

from pathlib import Path

from modelium.runtime_agent.kept_logs import KEPT_LOGS
from modelium.runtime_agent.process_files import ProcessFiles


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    files = ProcessFiles(tmp_path)
    for number in range(KEPT_LOGS + 3):
        files.open_log(f"qwen.{number}").close()
    assert len(list((tmp_path / "logs").iterdir())) == KEPT_LOGS


def test_a_log_that_goes_while_another_engine_starts_does_not_fail_that_start(
    tmp_path: Path,
) -> None:
    """Engines of several devices start at once, and each removes old logs of all.

    It had been told as an interpreter that cannot be run.
    """
    files = ProcessFiles(tmp_path)
    files.open_log("qwen.1").close()
    # Listed, but no longer there when it is looked at.
    (tmp_path / "logs" / "gone.1.log").symlink_to(tmp_path / "nowhere")
    files.open_log("qwen.2").close()
    assert (tmp_path / "logs" / "qwen.2.log").exists()
