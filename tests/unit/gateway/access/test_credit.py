"""Credit of one gateway, and of several that share a minute."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from modelium.gateway.access.credit import MAX_UNITS, WINDOW_S, Credit

STEP_S = 0.5


@dataclass
class Window:
    """The minute that gateways share."""

    units: int
    taken: list[float] = field(default_factory=list)
    answers: bool = True

    def left(self, now_s: float) -> int:
        self.taken = [at_s for at_s in self.taken if at_s > now_s - WINDOW_S]
        return self.units - len(self.taken)

    def refill(self, credit: Credit, now_s: float, gateways: int = 1) -> None:
        if not self.answers:
            credit.take_locally(gateways, now_s)
            return
        self._give(credit, credit.wanted(now_s), now_s)

    def repay(self, credit: Credit, now_s: float) -> None:
        """What a gateway does first when the window is back."""
        self._give(credit, credit.owed(now_s), now_s)

    def _give(self, credit: Credit, wanted: int, now_s: float) -> None:
        free = self.left(now_s)
        got = wanted if wanted <= free else max(1, free // 2) if free else 0
        self.taken += [now_s] * got
        credit.took(got, now_s)
        frees_in_s = self.taken[0] + WINDOW_S - now_s if self.taken else 0.0
        credit.saw(free - got, frees_in_s, now_s)


def spend_one(credit: Credit, window: Window, now_s: float, gateways: int = 1) -> bool:
    """What the limiter does for a request: ask the window until it gives or is empty."""
    while not credit.has(now_s):
        if now_s < credit.full_until_s:
            return False
        window.refill(credit, now_s, gateways)
    credit.spend(1, now_s)
    return True


def most_in_a_minute(spent: list[float]) -> int:
    return max((sum(start <= at < start + WINDOW_S for at in spent) for start in spent), default=0)


@given(limit=st.integers(1, 400))
def test_a_lone_client_gets_exactly_its_limit_at_once(limit: int) -> None:
    credit, window = Credit(limit), Window(limit)
    assert sum(spend_one(credit, window, 1.0) for _ in range(limit + 20)) == limit


@given(limit=st.integers(1, 60), pauses=st.lists(st.floats(0, 20), min_size=1, max_size=150))
@settings(max_examples=60)
def test_a_lone_client_is_refused_only_for_what_it_had_within_a_minute(
    limit: int, pauses: list[float]
) -> None:
    credit, window = Credit(limit), Window(limit)
    now_s, spent = 0.0, list[float]()
    for pause_s in pauses:
        now_s += pause_s
        recent = sum(at > now_s - WINDOW_S - STEP_S for at in spent)
        got = spend_one(credit, window, now_s)
        assert got or recent >= limit
        spent += [now_s] * got
    assert most_in_a_minute(spent) <= limit


@given(
    limit=st.integers(1, 60),
    asks=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 5)), max_size=200),
)
@settings(max_examples=60)
def test_gateways_together_never_spend_more_than_the_limit_in_any_minute(
    limit: int, asks: list[tuple[int, float]]
) -> None:
    window = Window(limit)
    credits = [Credit(limit) for _ in range(3)]
    now_s, spent = 0.0, list[float]()
    for gateway, pause_s in asks:
        now_s += pause_s
        if spend_one(credits[gateway], window, now_s):
            spent.append(now_s)
    assert most_in_a_minute(spent) <= limit


@given(
    limit=st.integers(2, 60),
    before=st.lists(st.integers(0, 1), max_size=80),
    during=st.lists(st.integers(0, 1), max_size=80),
    after=st.lists(st.integers(0, 1), max_size=80),
)
@settings(max_examples=100)
def test_two_gateways_that_see_the_window_stay_within_it_also_while_it_is_away(
    limit: int, before: list[int], during: list[int], after: list[int]
) -> None:
    window = Window(limit)
    credits = [Credit(limit) for _ in range(2)]

    def ask(gateways: list[int], now_s: float) -> int:
        return sum(spend_one(credits[g], window, now_s, gateways=2) for g in gateways)

    spent = ask(before, 1.0)
    for credit in credits:
        credit.saw(window.left(1.0), 0.0, 1.0)
    window.answers = False
    spent += ask(during, 2.0)
    window.answers = True
    assert spent <= limit
    for credit in credits:
        window.repay(credit, 3.0)
    spent += ask(after, 4.0)
    assert spent <= limit


@given(
    limit=st.integers(1, 10**7),
    costs=st.lists(st.integers(0, 10**6), min_size=1, max_size=30),
)
def test_debt_is_all_that_was_spent_beyond_what_was_taken(limit: int, costs: list[int]) -> None:
    credit = Credit(limit)
    taken = 0
    for at, cost in enumerate(costs):
        now_s = at / 100
        units = credit.wanted(now_s)
        credit.took(units, now_s)
        taken += units * credit.unit
        credit.spend(cost, now_s)
    assert credit.balance - credit.debt == taken - sum(costs)
    assert credit.balance >= 0 or not credit.debt


def test_a_debt_is_paid_before_anything_is_allowed() -> None:
    credit = Credit(100)
    credit.took(1, 0.0)
    credit.spend(51, 0.0)
    assert credit.debt == 50
    assert not credit.has(0.0)
    assert credit.wanted(0.0) >= 50
    credit.took(50, 0.0)
    assert credit.debt == 0
    assert not credit.has(0.0)
    credit.took(1, 0.0)
    assert credit.has(0.0)


def test_a_large_limit_is_counted_in_few_units_and_never_rounded_up() -> None:
    credit = Credit(1_234_567)
    assert credit.window <= MAX_UNITS
    assert 0.999 * credit.limit < credit.window * credit.unit <= credit.limit


def test_blocks_grow_for_a_busy_client_and_stay_single_for_a_slow_one() -> None:
    busy, slow, window = Credit(6000), Credit(6000), Window(12000)
    for number in range(2000):
        spend_one(busy, window, 1 + number / 1000)
    assert 100 < busy.block <= 6000 // 16
    for number in range(20):
        spend_one(slow, window, 10 + number * 3)
    assert slow.block == 1


def test_the_last_of_a_minute_is_taken_in_small_blocks() -> None:
    credit = Credit(1600)
    credit.block = 100
    credit.saw(left=8, frees_in_s=10, now_s=1.0)
    assert credit.wanted(1.0) == 2


def test_a_window_that_is_away_gives_a_gateway_its_share_only() -> None:
    credit = Credit(90)
    window = Window(90, answers=False)
    assert sum(spend_one(credit, window, 1.0, gateways=3) for _ in range(100)) == 30
    assert credit.full_until_s > 1.0


def test_what_was_given_locally_is_owed_to_the_window_when_it_is_back() -> None:
    credit = Credit(100)
    window = Window(100, answers=False)
    assert sum(spend_one(credit, window, 1.0, gateways=2) for _ in range(100)) == 50
    window.answers = True
    credit.full_until_s = 0.0
    assert spend_one(credit, window, 3.0)
    assert window.left(3.0) <= 49


def test_an_unused_credit_is_forgotten_after_a_minute() -> None:
    credit = Credit(100)
    credit.took(5, 0.0)
    assert not credit.idle(0.0)
    assert credit.has(59.9)
    assert not credit.has(60.0)
    assert credit.idle(60.0)
