"""What is passed on of the engines' own metrics, and what is not."""

from prometheus_client import generate_latest

from modelium.common.records import Instance, InstanceState
from modelium.runtime_agent.engine_metrics import MOST_SAMPLES, _Page, read
from tests.promtool import complaints

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="qwen"} 3.0
# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="qwen"} 17.0
# TYPE vllm:prompt_tokens_created gauge
vllm:prompt_tokens_created{engine="0",model_name="qwen"} 1.7e+09
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 12.0
"""


def an_engine(model: str = "qwen", generation: int = 1) -> Instance:
    return Instance(
        instance_id=f"{model}.{generation}",
        model=model,
        agent_id="gpu-0",
        device_ids=("GPU-1",),
        generation=generation,
        state=InstanceState.LOADED,
    )


def page(*said: tuple[Instance, str | None]) -> str:
    return generate_latest(_Page(said)).decode()


def test_each_engine_keeps_its_numbers_under_its_own_labels() -> None:
    text = page((an_engine("a"), VLLM), (an_engine("b"), VLLM))
    for model in ("a", "b"):
        labels = f'agent="gpu-0",engine="0",instance_id="{model}.1",model="{model}"'
        assert f'vllm:num_requests_running{{{labels},model_name="qwen"}} 3.0' in text
        assert f'vllm:prompt_tokens_total{{{labels},model_name="qwen"}} 17.0' in text
    assert text.count("# TYPE vllm:num_requests_running gauge") == 1
    assert "python_gc" not in text
    assert "_created" not in text


def test_an_engine_cannot_speak_for_another_or_for_modelium() -> None:
    forged = 'vllm:x{model="bank",instance_id="bank.1",agent="z"} 1\nmodelium_agents 7\n'
    text = page((an_engine("a"), forged))
    assert 'vllm:x{agent="gpu-0",instance_id="a.1",model="a"} 1.0' in text
    assert "bank" not in text
    assert "modelium_agents" not in text


def test_an_engine_that_says_nothing_or_nonsense_is_shown_as_such() -> None:
    text = page((an_engine("a"), None), (an_engine("b"), "}{ 1 2 3 nonsense"), (an_engine("c"), ""))
    up = 'modelium_engine_metrics_up{agent="gpu-0",instance_id="%s.1",model="%s"} %s'
    for model, value in (("a", "0.0"), ("b", "0.0"), ("c", "1.0")):
        assert up % (model, model, value) in text


def test_what_one_engine_says_is_bounded() -> None:
    endless = "".join(f'vllm:x{{n="{n}"}} 1\n' for n in range(MOST_SAMPLES + 100))
    families = read(endless)
    assert families is not None
    assert sum(len(family.samples) for family in families) == MOST_SAMPLES


def test_engines_that_do_not_agree_on_a_metric_or_repeat_it_leave_a_page_that_can_be_read() -> None:
    one = "# TYPE vllm:x gauge\nvllm:x 1\nvllm:x 2\n"
    other = "# TYPE vllm:x counter\nvllm:x_total 1\n"
    text = page((an_engine("a"), one), (an_engine("b"), other))
    assert text.count("\nvllm:x{") == 1
    # Names with a colon are recording rules' for its taste; it reads the rest of the page.
    assert "error" not in complaints("promtool", "check", "metrics", text=text.encode()).lower()
