"""The limit of open files."""

import resource

from modelium.common.open_files import KEPT_BACK, clients_within, raise_limit


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        assert raise_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_client_may_need_an_engine_too() -> None:
    assert clients_within(KEPT_BACK + 1000) == 500
    assert clients_within(10) == 1
